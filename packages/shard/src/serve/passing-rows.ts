/** Rows of a segment that a filter lets through. */
import { Bitset, evaluateFilter, type FilterNode, type Steps } from '@quiver/segment';
import type { OpenSegment, ReplicaView } from './replica-views.ts';

/** Visible rows of a segment that pass; null = every visible row. */
export function* passingRows(
  view: ReplicaView,
  segment: OpenSegment,
  filter: FilterNode | null,
): Steps<Bitset | null> {
  if (filter === null) return null;
  const source = view.source(segment);
  const passing = new Bitset(source.rowCount);
  yield* evaluateFilter(filter, source, passing);
  return passing;
}
