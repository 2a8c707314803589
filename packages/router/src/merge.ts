/** Joining the answers of several shards. Pure. */
import { comparePointIds, type ScoredPoint } from '@quiver/model';

/** Whether a larger or a smaller score is better. */
export type ScoreOrder = 'larger' | 'smaller';

/**
 * The best `limit` points after `offset`, of lists that are each best first. A point in several lists (a slot that
 * moves) counts once, in its newest version. Equal scores: smaller id first.
 */
export function mergeTopK(
  lists: readonly (readonly ScoredPoint[])[],
  options: { readonly order: ScoreOrder; readonly offset: number; readonly limit: number },
): ScoredPoint[] {
  const newest = new Map<ScoredPoint['id'], ScoredPoint>();
  for (const list of lists) {
    for (const point of list) {
      const seen = newest.get(point.id);
      if (seen === undefined || seen.version < point.version) newest.set(point.id, point);
    }
  }
  const sign = options.order === 'larger' ? -1 : 1;
  return [...newest.values()]
    .sort((a, b) => sign * (a.score - b.score) || comparePointIds(a.id, b.id))
    .slice(options.offset, options.offset + options.limit);
}
