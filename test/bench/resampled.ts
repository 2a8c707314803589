/**
 * A larger set out of a real one: rows that lie between real rows and their real neighbours, as further texts of the same kind
 * would. Always: the same set, count and seed give the same rows, one after another, so a server and an exact scan see the
 * same ones without all of them ever being in memory.
 *
 * Row i < rows of the set is the set's own. Row i beyond them is a random row a, moved a random share (0.1 to 0.6) of the way to
 * another random row of the nearest of 24 drawn ones, plus noise of a tenth of a row's own spread, at length one. Without
 * noise, duplicates would crowd; with rows drawn independently of each other there would be no neighbourhoods.
 */
import { createRng, type Rng } from '../../packages/kernel/src/index.ts';
import type { DataSet } from './data-set.ts';

const drawn = 24;
const noise = 0.1;

/**
 * Rows without end; the array is reused.
 * @param compared - elements by which the nearest of the drawn rows is found: of a set on its principal components the first few do
 */
export function* resampledRows(
  { base, rows, dim }: DataSet,
  { compared = dim, seed = 20_261_126 }: { compared?: number; seed?: number } = {},
): Generator<Float32Array, never> {
  const rng = createRng(seed);
  const vector = new Float32Array(dim);
  for (let i = 0; ; i += 1) {
    if (i < rows) vector.set(base.subarray(i * dim, (i + 1) * dim));
    else resample(base, rows, compared, rng, vector);
    normalise(vector);
    yield vector;
  }
}

function resample(base: Float32Array, rows: number, compared: number, rng: Rng, into: Float32Array): void {
  const dim = into.length;
  const from = rng.below(rows) * dim;
  let nearest = 0;
  let best = -Infinity;
  for (let i = 0; i < drawn; i += 1) {
    const at = rng.below(rows) * dim;
    if (at === from) continue;
    let product = 0;
    for (let j = 0; j < compared; j += 1) product += base[from + j]! * base[at + j]!;
    if (product > best) [best, nearest] = [product, at];
  }
  const share = 0.1 + 0.5 * rng.float();
  const spread = noise / Math.sqrt(dim);
  for (let j = 0; j < dim; j += 1)
    into[j] = base[from + j]! + share * (base[nearest + j]! - base[from + j]!) + spread * roughNormal(rng);
}

/** Sum of four even draws: near enough to a normal one, and a tenth of its cost. */
function roughNormal(rng: Rng): number {
  const word = rng.u32();
  return ((word & 255) + ((word >>> 8) & 255) + ((word >>> 16) & 255) + (word >>> 24) - 510) / 147.8;
}

function normalise(vector: Float32Array): void {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const length = Math.sqrt(squares);
  if (length > 0) for (let i = 0; i < vector.length; i += 1) vector[i]! /= length;
}
