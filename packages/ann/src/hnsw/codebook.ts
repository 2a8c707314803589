/**
 * Codebooks of neighbour codes: 16 codewords for each subspace, trained on residuals of length one (k-means, Lloyd's
 * algorithm) drawn from the graph's own links. Always: the answer depends on the rows, the links and the seed only.
 */
import { createRng, readRow, type Rng, type Rows } from '@quiver/kernel';
import type { Subspaces } from './format.ts';

export const codewords = 16;
const samplesMax = 8192;
/** Bounds the samples of long vectors: 16 MiB of f32. */
const sampleElementsMax = 4 << 20;
const rounds = 8;

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
  const words = new Float32Array(codewords * dims);
  if (samples === 0) return words;
  for (let word = 0; word < codewords; word += 1) restart(words, word, pieces, dims, rng.below(samples));
  const sums = new Float64Array(codewords * dims);
  const sizes = new Uint32Array(codewords);
  for (let round = 0; round < rounds; round += 1) {
    sums.fill(0);
    sizes.fill(0);
    for (let sample = 0; sample < samples; sample += 1) {
      const word = nearestWord(words, pieces, sample * dims, dims);
      sizes[word]! += 1;
      for (let i = 0; i < dims; i += 1) sums[word * dims + i]! += pieces[sample * dims + i]!;
    }
    for (let word = 0; word < codewords; word += 1) {
      if (sizes[word] === 0) restart(words, word, pieces, dims, rng.below(samples));
      else for (let i = 0; i < dims; i += 1) words[word * dims + i] = sums[word * dims + i]! / sizes[word]!;
    }
  }
  const turned = new Float32Array(dims * codewords);
  for (let word = 0; word < codewords; word += 1)
    for (let i = 0; i < dims; i += 1) turned[i * codewords + word] = words[word * dims + i]!;
  return turned;
}

function restart(
  words: Float32Array,
  word: number,
  pieces: Float32Array,
  dims: number,
  sample: number,
): void {
  words.set(pieces.subarray(sample * dims, (sample + 1) * dims), word * dims);
}

function nearestWord(words: Float32Array, pieces: Float32Array, at: number, dims: number): number {
  let best = 0;
  let bestDistance = Infinity;
  for (let word = 0; word < codewords; word += 1) {
    let distance = 0;
    for (let i = 0; i < dims; i += 1) {
      const difference = pieces[at + i]! - words[word * dims + i]!;
      distance += difference * difference;
    }
    if (distance < bestDistance) {
      bestDistance = distance;
      best = word;
    }
  }
  return best;
}
