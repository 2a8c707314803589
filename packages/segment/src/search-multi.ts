/**
 * Exact search of multivectors by MaxSim: for each row of the query the nearest row of the point, summed. As in Qdrant,
 * Euclidean sums the negated squared distances and reports the root of the sum.
 */
import {
  maxSimKernel,
  readRow,
  strideOf,
  type ArenaDirectory,
  type MaxSimKernel,
  type Metric,
  type Rows,
  type SimdKernel,
} from '@quiver/kernel';
import { ClusterError } from '@quiver/model';
import { createBoundedTop, type BoundedTop } from './bounded-top.ts';
import { prepareQuery } from './prepare-vector.ts';
import type { Hits } from './search.ts';
import { candidateRows } from './search-sparse.ts';
import type { SegmentReader } from './segment.ts';
import type { MultiView } from './segment-views.ts';
import type { Steps } from './steps.ts';

/** About half a millisecond of multiplying. */
const elementsPerStep = 2_000_000;

export interface MultiSearch {
  /** One or more rows of the vector's dim. */
  readonly values: Float32Array;
  readonly k: number;
  readonly filter: Uint32Array | null;
}

export function* searchMulti(
  reader: SegmentReader,
  directory: ArenaDirectory,
  view: MultiView,
  { values, k, filter }: MultiSearch,
  group: number,
): Steps<Hits> {
  const { schema } = view;
  const { dim, metric } = schema;
  if (values.length === 0 || values.length % dim !== 0)
    throw new ClusterError(
      'invalid_argument',
      `Vector dimension error: expected dim: ${dim}, got ${values.length}`,
    );
  const { blob } = reader.descriptor;
  const top = createBoundedTop(k);
  if (blob === null) return top.found((score) => score);
  const query = prepareQuery(schema, values);
  const kernel = directory.kernel(blob.arena);
  const stride = strideOf('f32', dim);
  const isByteCosine = metric === 'cosine' && (schema.datatype === 'uint8' || schema.datatype === 'int8');
  const products = isProduct(metric) && !isByteCosine ? maxSimKernel(kernel) : null;
  if (products?.fits(query.length / dim, dim) === true) {
    yield* scoreByProducts(products, reader, view, { query, filter, group, base: blob.offset }, top);
    return top.found((score) => score);
  }
  let points: Point[] = [];
  let work = 0;
  const scorePoints = (): void => {
    const sums = maxSims(kernel, points, query, isByteCosine);
    for (const [i, { row }] of points.entries()) top.push(row, sums[i]!);
    points = [];
    work = 0;
  };
  for (const row of candidateRows(reader, view, filter, group)) {
    const [offset, count] = [view.refs[2 * row]!, view.refs[2 * row + 1]!];
    points.push({ row, count, rows: { metric, element: 'f32', dim, stride, address: blob.offset + offset } });
    work += 1000 + query.length * count;
    if (work <= elementsPerStep) continue;
    scorePoints();
    yield;
  }
  scorePoints();
  return top.found((score) => reportedSum(metric, score));
}

interface ProductScan {
  readonly query: Float32Array;
  readonly filter: Uint32Array | null;
  readonly group: number;
  /** Address of the blob. */
  readonly base: number;
}

function* scoreByProducts(
  products: MaxSimKernel,
  reader: SegmentReader,
  view: MultiView,
  { query, filter, group, base }: ProductScan,
  top: BoundedTop,
): Steps<void> {
  const { dim } = view.schema;
  products.setQuery(query, dim);
  let work = 0;
  for (const row of candidateRows(reader, view, filter, group)) {
    const [offset, count] = [view.refs[2 * row]!, view.refs[2 * row + 1]!];
    top.push(row, products.score(base + offset, count));
    work += 500 + query.length * count;
    if (work <= elementsPerStep) continue;
    work = 0;
    yield;
    // Another search of the thread may have used the scratch space.
    products.setQuery(query, dim);
  }
}

function isProduct(metric: Metric): boolean {
  return metric === 'dot' || metric === 'cosine';
}

interface Point {
  readonly row: number;
  /** Its multivector: `count` rows. */
  readonly count: number;
  readonly rows: Rows;
}

/** Larger is nearer. Byte rows are not stored normalised, so for them the dot products are divided by the lengths here. */
function maxSims(
  kernel: SimdKernel,
  points: readonly Point[],
  query: Float32Array,
  isByteCosine: boolean,
): Float64Array {
  const sums = new Float64Array(points.length);
  const [first] = points;
  if (first === undefined) return sums;
  const { dim, metric } = first.rows;
  // Each row of the query is prepared once for all of the points.
  for (let at = 0; at < query.length; at += dim) {
    const one = query.subarray(at, at + dim);
    kernel.setQuery(first.rows, one);
    const queryLength = isByteCosine ? lengthOf(one) : 1;
    for (let i = 0; i < points.length; i += 1) {
      const { rows, count } = points[i]!;
      const scores = kernel.scorePrepared(rows, 0, count);
      let best = -Infinity;
      for (let row = 0; row < count; row += 1) {
        const lengths = isByteCosine ? queryLength * lengthOf(readRow(kernel.arena.memory, rows, row)) : 1;
        const near = lengths === 0 ? 0 : nearness(metric, scores[row]!) / lengths;
        if (near > best || Number.isNaN(near)) best = near;
      }
      sums[i]! += best;
    }
  }
  return sums;
}

function lengthOf(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}

function nearness(metric: Metric, score: number): number {
  if (metric === 'euclid') return -score * score;
  return metric === 'manhattan' ? -score : score;
}

function reportedSum(metric: Metric, sum: number): number {
  if (metric === 'euclid') return Math.sqrt(Math.abs(sum));
  return metric === 'manhattan' ? Math.abs(sum) : sum;
}
