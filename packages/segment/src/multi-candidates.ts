/**
 * The first pass of a search of multivectors: which points may be among the k best, by estimates from their codes and what these
 * may be off by. Always: a point is left out only when k others are certain to be nearer.
 */
import { estimatesMax, maxSimEstimator, type MaxSimQueryCodes, type SimdKernel } from '@quiver/kernel';
import { codesEnd } from './blob.ts';
import type { SegmentDescriptor } from './descriptor.ts';
import { kthLargest } from './kth-largest.ts';
import type { MultiView } from './segment-views.ts';
import type { Steps } from './steps.ts';

/** About half a millisecond of multiplying. */
const elementsPerStep = 20_000_000;

export interface Candidates {
  readonly rows: Uint32Array;
  /** The most that each one's sum can be, falling; Infinity or NaN = not known, these come first. */
  readonly most: Float64Array;
}

export interface FirstPass {
  readonly codes: MaxSimQueryCodes;
  /** All that may be hits. */
  readonly rows: Uint32Array;
  readonly k: number;
}

/** REQUIRES: the view has codes; more than k rows */
export function* estimateRows(
  kernel: SimdKernel,
  segment: SegmentDescriptor,
  view: MultiView,
  { codes, rows, k }: FirstPass,
): Steps<Candidates> {
  const estimator = maxSimEstimator(kernel);
  const { points } = estimator;
  const end = codesEnd(segment);
  const most = new Float64Array(rows.length);
  const least = new Float64Array(rows.length);
  for (let from = 0; from < rows.length;) {
    let [count, work] = [0, 0];
    for (; from + count < rows.length && count < estimatesMax && work < elementsPerStep; count += 1) {
      const row = rows[from + count]!;
      const pointRows = view.refs[2 * row + 1]!;
      points[2 * count] = end - view.codes![row]!;
      points[2 * count + 1] = pointRows;
      work += 2000 + codes.rows * codes.stride * pointRows;
    }
    // Another search of the thread may have used the scratch space.
    estimator.setQuery(codes);
    const found = estimator.estimate(count);
    for (let i = 0; i < count; i += 1) {
      const [estimate, bound] = [found[2 * i]!, found[2 * i + 1]!];
      most[from + i] = estimate + bound;
      const low = estimate - bound;
      least[from + i] = Number.isFinite(low) ? low : -Infinity;
    }
    from += count;
    yield;
  }
  return bestFirst(rows, most, kthLargest(least, rows.length, k));
}

function bestFirst(rows: Uint32Array, most: Float64Array, floor: number): Candidates {
  const kept: number[] = [];
  for (let i = 0; i < rows.length; i += 1) if (!(most[i]! < floor)) kept.push(i);
  const rank = (i: number): number => (Number.isNaN(most[i]!) ? Infinity : most[i]!);
  // Of equal ones the lower row first.
  kept.sort((a, b) => (rank(a) === rank(b) ? a - b : rank(b) - rank(a)));
  return {
    rows: Uint32Array.from(kept, (i) => rows[i]!),
    most: Float64Array.from(kept, (i) => most[i]!),
  };
}
