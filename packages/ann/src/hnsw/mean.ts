/** What is taken off the rows before they are encoded, and how far their elements reach. Always: the answer depends on the rows alone. */
import { isFloat, type Region, type RowAccess, type Rows, type SimdKernel } from '@quiver/kernel';
import { replacesCodes } from '../quantization.ts';
import type { HnswParams } from './build.ts';
import { headerBytes, type HnswLayout } from './format.ts';
import { cutOf } from './quantise.ts';

/** Rows whose mean and range stand for all. */
export const sampleRows = 4096;
/** Elements of them that a quantile is taken of. */
const magnitudesMax = 1_000_000;

/** Mean of a sample, taken off before encoding, and how long rows are without it; for Manhattan also the range of the sample's elements, the lattice's. */
export function writeMean(
  kernel: SimdKernel,
  region: Region,
  { rows, count, quantization }: HnswParams,
  access: RowAccess,
  layout: HnswLayout,
  isPresent: (row: number) => boolean,
): void {
  const { memory } = kernel.arena;
  const padded = Math.ceil(rows.dim / 64) * 64;
  const mean = new Float32Array(memory.buffer, region.offset + layout.mean, padded);
  const figures = new Float32Array(memory.buffer, region.offset, headerBytes / 4);
  mean.fill(0);
  figures[84 / 4] = 1;
  // Byte rows are their own codes, unless others were asked for.
  if (!isFloat(rows.element) && !replacesCodes(quantization)) return;
  const picked: Float32Array[] = [];
  const stride = Math.max(1, Math.floor(count / sampleRows));
  for (let row = 0; row < count; row += stride)
    if (isPresent(row))
      picked.push(asDirection(rows, access.file === null ? access.read(row) : access.read(row).slice()));
  const sums = new Float64Array(rows.dim);
  for (const vector of picked) vector.forEach((value, i) => (sums[i]! += value));
  if (picked.length > 0) mean.set(sums.map((sum) => sum / picked.length));
  figures[160 / 4] = spreadOf(picked, mean);
  if (!isFloat(rows.element)) return;
  const cut = cutOf(quantization, () => magnitudesOf(picked, mean));
  figures[248 / 4] = cut;
  if (rows.metric !== 'manhattan') return;
  let largest = 0;
  for (const vector of picked)
    vector.forEach((value, i) => (largest = Math.max(largest, Math.abs(value - mean[i]!))));
  const range = cut > 0 ? cut : largest;
  figures[84 / 4] = range > 0 ? range / 127 : 1;
}

/** Length of vectors less the mean, as the root of the mean square. */
function spreadOf(picked: readonly Float32Array[], mean: Float32Array): number {
  let squares = 0;
  for (const vector of picked)
    for (let i = 0; i < vector.length; i += 1) squares += (vector[i]! - mean[i]!) ** 2;
  return Math.sqrt(squares / Math.max(1, picked.length));
}

/** Byte rows are not stored normalised; their cosine is that of their directions. */
function asDirection(rows: Rows, vector: Float32Array): Float32Array {
  if (rows.metric !== 'cosine' || isFloat(rows.element)) return vector;
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return length > 0 ? vector.map((value) => value / length) : vector;
}

/** Distances from the mean of up to a million elements. */
function magnitudesOf(picked: readonly Float32Array[], mean: Float32Array): Float32Array {
  const wanted = Math.max(1, Math.min(picked.length, Math.floor(magnitudesMax / (picked[0]?.length ?? 1))));
  const found: number[] = [];
  for (let i = 0; i < wanted && picked.length > 0; i += 1)
    picked[Math.floor((i * picked.length) / wanted)]!.forEach((value, at) =>
      found.push(Math.abs(value - mean[at]!)),
    );
  return Float32Array.from(found);
}
