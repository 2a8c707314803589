/** Points that no vector ranks: by the value of a field, at random, by id. */
import {
  comparePointIds,
  type CollectionRecord,
  type OrderBy,
  type PointId,
  type QueryRequest,
  type ScoredPoint,
  type ScrollPage,
  type ScrollRequest,
} from '@quiver/model';
import { canonicalKey, orderRows, type FilterNode, type SegmentReader, type Steps } from '@quiver/segment';
import { passingRows } from './passing-rows.ts';
import { recordMaker } from './records.ts';
import type { ReplicaView } from './replica-views.ts';
import { scrollById } from './scroll.ts';

/** Qdrant's. */
const unrankedScore = 1;

/** The answer to a query without vectors. @param random - from 0 to 1, 1 excluded */
export function* unrankedPoints(
  view: ReplicaView,
  collection: CollectionRecord,
  request: QueryRequest,
  filter: FilterNode | null,
  random: () => number,
): Steps<ScoredPoint[]> {
  const { query } = request;
  const wanted = request.offset + request.limit;
  if (query?.kind === 'order_by') {
    const ordered = yield* rankByValue(view, collection, query.orderBy, filter, wanted, request);
    return ordered.slice(request.offset);
  }
  if (query?.kind === 'sample') return yield* sample(view, request, filter, random);
  const byId = { ...request, offset: null, limit: wanted, orderBy: null };
  const page = yield* scrollById(view, byId, filter);
  return page.points.slice(request.offset).map((point) => ({ ...point, score: unrankedScore }));
}

export function* scrollPage(
  view: ReplicaView,
  collection: CollectionRecord,
  request: ScrollRequest,
  filter: FilterNode | null,
): Steps<ScrollPage> {
  if (request.orderBy === null) return yield* scrollById(view, request, filter);
  const points = yield* rankByValue(view, collection, request.orderBy, filter, request.limit, request);
  return { points, nextOffset: null };
}

function* rankByValue(
  view: ReplicaView,
  collection: CollectionRecord,
  orderBy: OrderBy,
  filter: FilterNode | null,
  limit: number,
  selectors: Pick<ScrollRequest, 'withPayload' | 'withVector'>,
): Steps<ScoredPoint[]> {
  const schema = Object.entries(collection.payloadSchema).find(
    ([key]) => canonicalKey(key) === canonicalKey(orderBy.key),
  )?.[1];
  if (schema === undefined) throw new Error(`invariant broken: order_by ${orderBy.key} without an index`);
  const found: { reader: SegmentReader; row: number; id: PointId; value: number | bigint }[] = [];
  for (const segment of view.segments) {
    const passing = yield* passingRows(view, segment, filter);
    for (const row of yield* orderRows(orderBy, schema, view.source(segment), passing, limit))
      found.push({ reader: segment.reader, ...row });
  }
  const sign = orderBy.direction === 'asc' ? 1 : -1;
  found.sort((a, b) =>
    a.value < b.value ? -sign : a.value > b.value ? sign : sign * comparePointIds(a.id, b.id),
  );
  const recordOf = recordMaker(selectors.withPayload, selectors.withVector);
  return found
    .slice(0, limit)
    .map(({ reader, row, value }) => ({ ...recordOf(reader, row), score: unrankedScore, orderValue: value }));
}

function* sample(
  view: ReplicaView,
  request: QueryRequest,
  filter: FilterNode | null,
  random: () => number,
): Steps<ScoredPoint[]> {
  const wanted = request.offset + request.limit;
  const kept: { reader: SegmentReader; row: number }[] = [];
  let seen = 0;
  // Reservoir sampling (Vitter 1985, algorithm R).
  for (const segment of view.segments) {
    const passing = yield* passingRows(view, segment, filter);
    const rows = passing === null ? segment.reader.visibleRows(view.group) : passing.rows();
    for (const row of rows) {
      seen += 1;
      if (kept.length < wanted) kept.push({ reader: segment.reader, row });
      else {
        const at = Math.floor(random() * seen);
        if (at < wanted) kept[at] = { reader: segment.reader, row };
      }
      if (seen % 8192 === 0) yield;
    }
  }
  const recordOf = recordMaker(request.withPayload, request.withVector);
  return kept
    .slice(request.offset)
    .map(({ reader, row }) => ({ ...recordOf(reader, row), score: unrankedScore, orderValue: null }));
}
