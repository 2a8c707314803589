/**
 * Exact MaxSim sums of a segment's multivectors, from their stored rows. Always: larger is nearer; Euclidean distances are squared
 * and negated, Manhattan ones negated.
 */
import {
  maxSimKernel,
  readRow,
  strideOf,
  type MaxSimKernel,
  type Metric,
  type Rows,
  type SimdKernel,
} from '@quiver/kernel';
import { isByte } from './schema.ts';
import type { MultiView } from './segment-views.ts';

export interface MultiScorer {
  /** Sums of rows of the segment, in their order. Not a number where the stored rows are none. */
  score(rows: Uint32Array): Float64Array;
}

/**
 * @param base - address of the blob
 * @param query - rows of the vector's dim, prepared
 */
export function multiScorer(
  kernel: SimdKernel,
  view: MultiView,
  base: number,
  query: Float32Array,
): MultiScorer {
  const { dim, metric, datatype } = view.schema;
  const isByteCosine = metric === 'cosine' && isByte(datatype);
  const isProduct = metric === 'dot' || (metric === 'cosine' && !isByteCosine);
  const products = isProduct ? maxSimKernel(kernel) : null;
  if (products?.fits(query.length / dim, dim) === true) return productScorer(products, view, base, query);
  const stride = strideOf('f32', dim);
  return {
    score(list) {
      const points = Array.from(list, (row): Point => {
        const [offset, count] = [view.refs[2 * row]!, view.refs[2 * row + 1]!];
        return { count, rows: { metric, element: 'f32', dim, stride, address: base + offset } };
      });
      return maxSims(kernel, points, query, isByteCosine);
    },
  };
}

function productScorer(
  products: MaxSimKernel,
  view: MultiView,
  base: number,
  query: Float32Array,
): MultiScorer {
  return {
    score(list) {
      // Another search of the thread may have used the scratch space.
      products.setQuery(query, view.schema.dim);
      const sums = new Float64Array(list.length);
      for (const [i, row] of list.entries())
        sums[i] = products.score(base + view.refs[2 * row]!, view.refs[2 * row + 1]!);
      return sums;
    },
  };
}

interface Point {
  /** Its multivector: `count` rows. */
  readonly count: number;
  readonly rows: Rows;
}

/** Byte rows are not stored normalised, so for them the dot products are divided by the lengths here. */
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
