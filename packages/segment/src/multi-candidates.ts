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
  /** Points of lower sums are of no use. */
  readonly least: number;
}

/** REQUIRES: the view has codes */
export function* estimateRows(
  kernel: SimdKernel,
  segment: SegmentDescriptor,
  view: MultiView,
  { codes, rows, k, least: floor }: FirstPass,
): Steps<Candidates> {
  const estimator = maxSimEstimator(kernel);
  const { points } = estimator;
  const end = codesEnd(segment);
  const most = new Float64Array(rows.length);
  const least = new Float64Array(rows.length);
  // Last row first: codes of later rows are at lower addresses, and what is read upwards is on its way before it is asked for.
  for (let left = rows.length; left > 0;) {
    let [count, work] = [0, 0];
    for (; count < left && count < estimatesMax && work < elementsPerStep; count += 1) {
      const row = rows[left - 1 - count]!;
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
      most[left - 1 - i] = estimate + bound;
      const low = estimate - bound;
      least[left - 1 - i] = Number.isFinite(low) ? low : -Infinity;
    }
    left -= count;
    yield;
  }
  const reached = k <= rows.length ? kthLargest(least, rows.length, k) : -Infinity;
  return bestFirst(rows, most, Math.max(floor, reached));
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
