/**
 * Codebooks of neighbour codes: 16 codewords for each subspace, trained on residuals of length one (k-means, Lloyd's
 * algorithm) drawn from the graph's own links. Always: the answer depends on the rows, the links and the seed only.
 */
import { createRng, readRow, type Rng, type Rows } from '@quiver/kernel';
import type { Subspaces } from './format.ts';

export const codewords = 16;
const samplesMax = 4096;
/** Bounds the samples of long vectors: 16 MiB of f32. */
const sampleElementsMax = 4 << 20;
const rounds = 8;
/** Rounds of a quarter of the samples: codewords are near their places after these, and the others settle them. */
const roughRounds = 6;

export interface CodebookParams {
  readonly rows: Rows;
  readonly subspaces: Subspaces;
  readonly seed: number;
}

/**
 * Residuals of length one as f32[samples][subspaces * dims], fewer than asked when links lead to equal rows.
 * @param drawLink - a row and one of its links, or null where the drawn row has none
 */
export function sampleResiduals(
  memory: WebAssembly.Memory,
  { rows, subspaces, seed }: CodebookParams,
  drawLink: (rng: Rng) => readonly [number, number] | null,
): Float32Array {
  const width = subspaces.count * subspaces.dims;
  const samples = Math.max(64, Math.min(samplesMax, Math.floor(sampleElementsMax / width)));
  const rng = createRng(seed);
  const residuals = new Float32Array(samples * width);
  let taken = 0;
  for (let draw = 0; draw < samples; draw += 1) {
    const link = drawLink(rng);
    if (link === null) continue;
    const [from, to] = [readRow(memory, rows, link[0]), readRow(memory, rows, link[1])];
    const at = taken * width;
    let length2 = 0;
    for (let i = 0; i < rows.dim; i += 1) {
      const difference = to[i]! - from[i]!;
      residuals[at + i] = difference;
      length2 += difference * difference;
    }
    if (!(length2 > 0)) {
      residuals.fill(0, at, at + width);
      continue;
    }
    const inverse = 1 / Math.sqrt(length2);
    for (let i = 0; i < rows.dim; i += 1) residuals[at + i]! *= inverse;
    taken += 1;
  }
  return residuals.subarray(0, taken * width);
}

/**
 * Trains one subspace.
 * @returns f32[dims][16], as the kernels read it
 */
export function trainSubspace(
  residuals: Float32Array,
  { subspaces, seed }: CodebookParams,
  subspace: number,
): Float32Array {
  const { count, dims } = subspaces;
  const width = count * dims;
  const samples = residuals.length / width;
  const pieces = new Float32Array(samples * dims);
  for (let sample = 0; sample < samples; sample += 1)
    for (let i = 0; i < dims; i += 1)
      pieces[sample * dims + i] = residuals[sample * width + subspace * dims + i]!;
  const rng = createRng((seed ^ Math.imul(subspace + 1, 0x9e37_79b1)) >>> 0);
  const words = new Float64Array(dims * codewords);
  if (samples === 0) return Float32Array.from(words);
  const restart = (word: number): void => {
    const from = rng.below(samples) * dims;
    for (let i = 0; i < dims; i += 1) words[i * codewords + word] = pieces[from + i]!;
  };
  for (let word = 0; word < codewords; word += 1) restart(word);
  const sums = new Float64Array(dims * codewords);
  const sizes = new Uint32Array(codewords);
  const halfSquares = new Float64Array(codewords);
  const nearness = new Float64Array(codewords);
  for (let round = 0; round < rounds; round += 1) {
    sums.fill(0);
    sizes.fill(0);
    halfSquares.fill(0);
    for (let i = 0; i < words.length; i += 1) halfSquares[i % codewords]! += words[i]! ** 2 / 2;
    const used = round < roughRounds ? Math.ceil(samples / 4) : samples;
    for (let at = 0; at < used * dims; at += dims) {
      const word = nearestWord(words, halfSquares, nearness, pieces, at, dims);
      sizes[word]! += 1;
      for (let i = 0; i < dims; i += 1) sums[i * codewords + word]! += pieces[at + i]!;
    }
    for (let word = 0; word < codewords; word += 1) {
      if (sizes[word] === 0) restart(word);
      else for (let i = word; i < dims * codewords; i += codewords) words[i] = sums[i]! / sizes[word]!;
    }
  }
  return Float32Array.from(words);
}

/**
 * The nearest codeword has the largest product less half its square.
 * @param nearness - scratch, by codeword
 */
function nearestWord(
  words: Float64Array,
  halfSquares: Float64Array,
  nearness: Float64Array,
  pieces: Float32Array,
  at: number,
  dims: number,
): number {
  for (let word = 0; word < codewords; word += 1) nearness[word] = -halfSquares[word]!;
  for (let i = 0, row = 0; i < dims; i += 1, row += codewords) {
    const value = pieces[at + i]!;
    for (let word = 0; word < codewords; word += 1) nearness[word]! += value * words[row + word]!;
  }
  let best = 0;
  for (let word = 1; word < codewords; word += 1) if (nearness[word]! > nearness[best]!) best = word;
  return best;
}
