/**
 * Exact search of multivectors by MaxSim: for each row of the query the nearest row of the point, summed. As in Qdrant,
 * Euclidean sums the negated squared distances and reports the root of the sum.
 */
import {
  readRow,
  strideOf,
  type ArenaDirectory,
  type Metric,
  type Rows,
  type SimdKernel,
} from '@quiver/kernel';
import { ClusterError } from '@quiver/model';
import { createBoundedTop } from './bounded-top.ts';
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
  let work = 0;
  for (const row of candidateRows(reader, view, filter, group)) {
    const [offset, count] = [view.refs[2 * row]!, view.refs[2 * row + 1]!];
    const rows: Rows = { metric, element: 'f32', dim, stride, address: blob.offset + offset };
    top.push(row, maxSim(kernel, rows, count, query, isByteCosine));
    work += 1000 + query.length * count;
    if (work > elementsPerStep) {
      work = 0;
      yield;
    }
  }
  return top.found((score) => reportedSum(metric, score));
}

/** Larger is nearer. Byte rows are not stored normalised, so for them the dot products are divided by the lengths here. */
function maxSim(
  kernel: SimdKernel,
  rows: Rows,
  count: number,
  query: Float32Array,
  isByteCosine: boolean,
): number {
  let sum = 0;
  for (let at = 0; at < query.length; at += rows.dim) {
    const one = query.subarray(at, at + rows.dim);
    const scores = kernel.scoreRange(rows, one, 0, count);
    const queryLength = isByteCosine ? lengthOf(one) : 1;
    let best = -Infinity;
    for (const [row, score] of scores.entries()) {
      const lengths = isByteCosine ? queryLength * lengthOf(readRow(kernel.arena.memory, rows, row)) : 1;
      best = Math.max(best, lengths === 0 ? 0 : nearness(rows.metric, score) / lengths);
    }
    sum += best;
  }
  return sum;
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
