/**
 * Codes of leading principal components, for sets whose rows vary along few directions (images, some embeddings): a walk then reads
 * two or three cache lines of a row where int8 codes of all elements take a dozen. Here the directions are found and
 * what their rests have in common is measured; packages/kernel/assembly/projection.ts has the estimate. Always: the answer depends
 * on the rows and the seed only.
 *
 * Directions: randomised subspace iteration (Halko, Martinsson and Tropp 2011, Alg. 4.4) over a sample of rows less their
 * mean. Any orthonormal base of the subspace will do, so that eigenvectors are not sorted out of it.
 */
import { createRng, foundIn, type Region, type RowAccess, type SimdKernel } from '@quiver/kernel';
import { clearMarks, shapeOf, type HnswParams } from './build.ts';
import type { AskedRow } from './discernment.ts';
import { directionsBytesOf, projectedBytesOf, projectedCodes, type HnswLayout } from './format.ts';
import { sampleRows } from './mean.ts';

/** Sets whose components explain less of their variance are not tried any further. */
const explainedMin = 0.85;
/** Products with the covariance: a third one is worth 0.2 % of Fashion-MNIST's variance. */
const iterations = 2;
/** Directions shorter than this share of what they were are what rounding left of nothing. */
const lengthMin = 1e-6;
const rowsPerStep = 16;
/** Rows that the explained variance is measured on, others than the sample. */
const heldOutRows = 1024;
/** A spread of next to nothing would let too few candidates be scored. */
const spreadMin = 0.05;
const lanes = 16;
/** What an element of one is stored as. */
const directionOne = 16_384;

export interface ProjectionParams extends Pick<HnswParams, 'count' | 'seed' | 'neighbourCodes'> {
  readonly isPresent: (row: number) => boolean;
}

function canProject(
  { neighbourCodes, count }: ProjectionParams,
  { rows, file }: RowAccess,
  layout: HnswLayout,
): boolean {
  const { components, projected } = layout;
  // Sums of differences have no components. Rows in a file are to be read seldom.
  if (components === 0 || rows.metric === 'manhattan' || file !== null) return false;
  return (
    neighbourCodes !== 'always' && 2 * directionsBytesOf(components, rows.dim) <= projected.stride * count
  );
}

/**
 * Finds directions and makes the graph's codes such of components, unless the set is none for them; `compareRests` is to follow.
 * @param open - selects the graph in the kernel
 * @returns false: nothing was changed. Where the codes turn out not to be good enough, `forgetProjection` goes back.
 */
export function* trainProjection(
  kernel: SimdKernel,
  region: Region,
  params: ProjectionParams,
  access: RowAccess,
  layout: HnswLayout,
  open: () => void,
): Generator<undefined, boolean, undefined> {
  if (!canProject(params, access, layout)) return false;
  const { dim } = access.rows;
  const { components } = layout;
  const { buffer } = kernel.arena.memory;
  const words = components * Math.ceil(dim / 2) * 2;
  const header = new Uint32Array(buffer, region.offset, 64);
  const figures = new Float32Array(buffer, region.offset, 64);
  header.set([layout.projected.stride, layout.projected.links], 52 / 4);
  header[224 / 4] = projectedCodes;
  figures.set([0, 0], 228 / 4);
  header.set([directionsAt(layout, params.count), components], 236 / 4);
  const directions = new Int16Array(buffer, region.offset + directionsAt(layout, params.count), words);
  directions.fill(0);
  // No row has its block yet.
  const sums = new Float32Array(buffer, region.offset + layout.blocks, words);

  const sample = spreadRows(params, sampleRows, 0);
  const rng = createRng((params.seed ^ 0x3c6e_f372) >>> 0);
  for (let component = 0; component < components; component += 1)
    for (let i = 0; i < dim; i += 1) {
      const value = component === components - 1 ? 0 : rng.normal() / Math.sqrt(dim);
      directions[placeOf(component, i, dim)] = Math.round(directionOne * value);
    }
  for (let round = 0; round < iterations; round += 1) {
    sums.fill(0);
    for (const [index, row] of sample.entries()) {
      if (index % rowsPerStep === 0) yield;
      open();
      kernel.exports.projectRow(row);
      kernel.exports.addProjected(sums.byteOffset);
    }
    yield* orthonormalise(sums, directions, components, dim);
  }
  figures[244 / 4] = yield* explainedBy(kernel, spreadRows(params, heldOutRows, 0.5), components, dim, open);
  // Rows that are no numbers explain nothing.
  if (!(figures[244 / 4]! >= explainedMin)) {
    forgetProjection(kernel, region, layout);
    return false;
  }
  return true;
}

/** The blocks are such of int8 codes of all elements again. */
export function forgetProjection({ arena }: SimdKernel, region: Region, { plain }: HnswLayout): void {
  const header = new Uint32Array(arena.memory.buffer, region.offset, 64);
  header.set([plain.stride, plain.links], 52 / 4);
  header.set([0, 0, 0, 0, 0, 0], 224 / 4);
  header[208 / 4] = 0;
}

/** Notes what is to be stored of a graph whose codes are of components. */
export function placeProjection(
  { arena }: SimdKernel,
  region: Region,
  params: HnswParams,
  layout: HnswLayout,
): void {
  const { buffer } = arena.memory;
  const end = directionsAt(layout, params.count) + directionsBytesOf(layout.components, params.rows.dim);
  const persistedBytes = projectedBytesOf(layout, shapeOf(params));
  new Uint8Array(buffer, region.offset + end, persistedBytes - end).fill(0);
  new Uint32Array(buffer, region.offset, 64)[80 / 4] = persistedBytes;
  clearMarks(buffer, region, persistedBytes, params);
}

/** Behind the blocks, which are so much shorter than those of int8 codes that there is room. */
function directionsAt({ blocks, projected }: HnswLayout, count: number): number {
  return blocks + projected.stride * count;
}

/** Where an element of a direction lies: as the kernel reads them. */
function placeOf(component: number, element: number, dim: number): number {
  const pair = Math.floor(component / lanes) * Math.ceil(dim / 2) + (element >> 1);
  return (pair * lanes + (component % lanes)) * 2 + (element & 1);
}

/** Rows spread evenly over the set. @param shift - of a stride, 0..1 */
function spreadRows({ count, isPresent }: ProjectionParams, wanted: number, shift: number): Uint32Array {
  const stride = Math.max(1, count / wanted);
  const picked: number[] = [];
  for (let at = shift * stride; at < count; at += stride)
    if (isPresent(Math.floor(at))) picked.push(Math.floor(at));
  return Uint32Array.from(picked);
}

/** Gram and Schmidt, each direction twice (Kahan and Parlett: twice is enough); what is none of its own becomes zero. */
function* orthonormalise(
  sums: Float32Array,
  directions: Int16Array,
  components: number,
  dim: number,
): Generator<undefined, void, undefined> {
  const base: Float64Array[] = [];
  const padded = Math.ceil(dim / 2) * 2;
  for (let component = 0; component < components - 1; component += 1) {
    const from = Math.floor(component / lanes) * lanes * padded + (component % lanes);
    const direction = new Float64Array(dim);
    for (let i = 0; i < dim; i += 1) direction[i] = sums[from + i * lanes]!;
    const before = lengthOf(direction);
    for (let round = 0; round < 2; round += 1)
      for (const other of base) {
        let product = 0;
        for (let i = 0; i < dim; i += 1) product += direction[i]! * other[i]!;
        for (let i = 0; i < dim; i += 1) direction[i]! -= product * other[i]!;
      }
    const length = lengthOf(direction);
    const inverse = length > lengthMin * before ? 1 / length : 0;
    for (let i = 0; i < dim; i += 1) {
      direction[i]! *= inverse;
      directions[placeOf(component, i, dim)] = Math.round(directionOne * direction[i]!);
    }
    base.push(direction);
    yield;
  }
}

function lengthOf(vector: Float64Array): number {
  let sum = 0;
  for (const value of vector) sum += value * value;
  return Math.sqrt(sum);
}

/** A row less the mean, and its coordinates. */
interface Projected {
  readonly vector: Float32Array;
  readonly coordinates: Float32Array;
}

/** Good until the next row. */
function projected(kernel: SimdKernel, row: number, components: number, dim: number): Projected {
  const { buffer } = kernel.arena.memory;
  const coordinates = new Float32Array(buffer, kernel.exports.projectRow(row), components);
  return { vector: new Float32Array(buffer, kernel.vectorAddress, dim), coordinates };
}

/** Share of the rows' squared lengths that their coordinates have. */
function* explainedBy(
  kernel: SimdKernel,
  rows: Uint32Array,
  components: number,
  dim: number,
  open: () => void,
): Generator<undefined, number, undefined> {
  let whole = 0;
  let explained = 0;
  for (const [index, row] of rows.entries()) {
    if (index % rowsPerStep === 0) yield;
    open();
    const { vector, coordinates } = projected(kernel, row, components, dim);
    whole += product(vector, vector);
    explained += product(coordinates, coordinates);
  }
  return whole > 0 ? explained / whole : 0;
}

function product(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}

/**
 * Measures what the rests of near rows have in common, over rows with their true neighbours. The share is the slope of the product of
 * two rests over the product of their lengths, among the neighbours of one row: that is what estimates have to tell apart.
 * The spread is the standard deviation of the cosine. To the header, before rows are encoded.
 */
export function compareRests(
  kernel: SimdKernel,
  region: Region,
  { rows }: RowAccess,
  { components }: HnswLayout,
  asked: readonly AskedRow[],
  open: () => void,
): void {
  const read = (row: number): Projected => {
    const { vector, coordinates } = projected(kernel, row, components, rows.dim);
    return { vector: vector.slice(), coordinates: coordinates.slice() };
  };
  const restOf = (a: Projected, b: Projected): number =>
    product(a.vector, b.vector) - product(a.coordinates, b.coordinates);
  open();
  const cosines: number[] = [];
  let shared = 0;
  let squares = 0;
  for (const { row, exact } of asked) {
    const one = read(row);
    const pairs = [...foundIn(exact, rows.metric).rows]
      .filter((near) => near !== row)
      .map(read)
      .map((near) => ({
        rest: restOf(one, near),
        lengths: Math.sqrt(Math.max(0, restOf(one, one)) * Math.max(0, restOf(near, near))),
      }));
    const mean = meanOf(pairs.map(({ lengths }) => lengths));
    for (const { rest, lengths } of pairs) {
      shared += rest * (lengths - mean);
      squares += (lengths - mean) ** 2;
      if (lengths > 0) cosines.push(rest / lengths);
    }
  }
  const cosine = meanOf(cosines);
  const spread = Math.sqrt(meanOf(cosines.map((one) => (one - cosine) ** 2)));
  const share = squares > 0 ? Math.min(1, Math.max(0, shared / squares)) : 0;
  new Float32Array(kernel.arena.memory.buffer, region.offset, 64).set(
    [share, Math.max(spreadMin, spread)],
    228 / 4,
  );
}

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
