/** Reads over all points that pass: how many they are, how many have each value, which ones. */
import type { CollectionRecord, FacetHit, PointId } from '@quiver/model';
import { canonicalKey, countFacet, type FacetValue, type FilterNode, type Steps } from '@quiver/segment';
import { passingRows } from './passing-rows.ts';
import type { ReplicaView } from './replica-views.ts';

export function* count(view: ReplicaView, filter: FilterNode | null): Steps<number> {
  let total = 0;
  for (const segment of view.segments) {
    const passing = yield* passingRows(view, segment, filter);
    if (passing !== null) total += passing.count();
    else {
      const { reader } = segment;
      const rows = reader.rowCount();
      for (let row = 0; row < rows; row += 1) {
        if (reader.isVisible(row, view.group)) total += 1;
        if (row % 65_536 === 65_535) yield;
      }
    }
  }
  return total;
}

export function* facet(
  view: ReplicaView,
  collection: CollectionRecord,
  key: string,
  limit: number,
  filter: FilterNode | null,
): Steps<FacetHit[]> {
  const schema = Object.entries(collection.payloadSchema).find(
    ([field]) => canonicalKey(field) === canonicalKey(key),
  )?.[1];
  if (schema === undefined) throw new Error(`invariant broken: facet over ${key} without an index`);
  const counts = new Map<FacetValue, number>();
  for (const segment of view.segments) {
    const passing = yield* passingRows(view, segment, filter);
    yield* countFacet(key, schema, view.source(segment), passing, counts);
  }
  return [...counts]
    .map(([value, hits]) => ({ value, count: hits }))
    .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : a.value > b.value ? 1 : 0))
    .slice(0, limit);
}

export function* idsThatPass(view: ReplicaView, filter: FilterNode | null): Steps<PointId[]> {
  const ids: PointId[] = [];
  for (const segment of view.segments) {
    const { reader } = segment;
    const passing = yield* passingRows(view, segment, filter);
    for (const row of passing === null ? reader.visibleRows(view.group) : passing.rows()) {
      ids.push(reader.id(row));
      if (ids.length % 8192 === 0) yield;
    }
  }
  return ids;
}
