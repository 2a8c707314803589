/**
 * How recall grows with the width of the beam, as a graph measured it on its own points, and the width that reaches a
 * wanted recall. Pure. Always: widths and recalls of a curve rise (equal recalls are possible); a width is only told
 * where the curve reaches the target, so nothing is promised that was not measured.
 */

/** Measured at one number of answers. */
export interface RecallCurve {
  readonly k: number;
  /** Queries behind the first points; later ones, where recall is nearly whole, have fewer. */
  readonly queryCount: number;
  readonly points: readonly RecallPoint[];
}

export interface RecallPoint {
  readonly ef: number;
  /** 0..1 */
  readonly recall: number;
}

/** Recall beyond which a curve says nothing: one miss among the answers of its queries. */
const recallMax = 0.9995;
const recallMin = 0.0005;

/**
 * The narrowest beam whose measured recall reaches the target, between two measured widths by a line over
 * (log ef, log odds of recall). For a `k` between those of two curves, between what they say (log over log); for fewer answers
 * than the first curve's as wide as for its own, for more than the last one's as many times wider as there are more answers:
 * either has more recall, not less.
 * @param curves - in ascending order of k
 * @param targetRecall - 0..1
 * @returns null when no measured width reaches it
 */
export function beamFor(curves: readonly RecallCurve[], k: number, targetRecall: number): number | null {
  const at = curves.findIndex((curve) => curve.k >= k);
  const upper = curves[at];
  if (upper === undefined) {
    const last = curves.at(-1);
    const ef = last === undefined ? null : widthOf(last, targetRecall);
    return last === undefined || ef === null ? null : Math.ceil((ef * k) / last.k);
  }
  const upperEf = widthOf(upper, targetRecall);
  const lower = curves[at - 1];
  if (upperEf === null) return null;
  if (lower === undefined) return Math.ceil(upperEf);
  const lowerEf = widthOf(lower, targetRecall);
  if (lowerEf === null) return null;
  const share = Math.log(k / lower.k) / Math.log(upper.k / lower.k);
  return Math.ceil(between(lowerEf, upperEf, share));
}

function widthOf({ points }: RecallCurve, targetRecall: number): number | null {
  const at = points.findIndex(({ recall }) => recall >= targetRecall);
  if (at < 0) return null;
  const high = points[at]!;
  const low = points[at - 1];
  if (low === undefined) return high.ef;
  const share = (logOdds(targetRecall) - logOdds(low.recall)) / (logOdds(high.recall) - logOdds(low.recall));
  return between(low.ef, high.ef, Math.min(1, Math.max(0, share)));
}

/** On a logarithmic scale. */
function between(low: number, high: number, share: number): number {
  return low * (high / low) ** share;
}

function logOdds(recall: number): number {
  const bounded = Math.min(recallMax, Math.max(recallMin, recall));
  return Math.log(bounded / (1 - bounded));
}

/**
 * Recalls that never fall: neighbours that do are replaced by their mean, as often as needed (pool adjacent violators).
 * Widths differ in the queries they were measured with, and a sample has noise.
 */
export function rising(points: readonly RecallPoint[]): RecallPoint[] {
  const pools: { sum: number; count: number }[] = [];
  for (const { recall } of points) {
    let pool = { sum: recall, count: 1 };
    for (let last = pools.at(-1); last !== undefined; last = pools.at(-1)) {
      if (last.sum / last.count <= pool.sum / pool.count) break;
      pools.pop();
      pool = { sum: pool.sum + last.sum, count: pool.count + last.count };
    }
    pools.push(pool);
  }
  const recalls = pools.flatMap(({ sum, count }) => Array<number>(count).fill(sum / count));
  return points.map(({ ef }, i) => ({ ef, recall: recalls[i]! }));
}
