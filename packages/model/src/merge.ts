/**
 * Joining the answers of several shards, at a node over its shards and at a router over nodes. Pure.
 * Always: an answer of a part has nothing cut off that the whole may need (`partOf`), and is in the order of the whole.
 */
import { denseVector, type CollectionRecord } from './collection.ts';
import { comparePointIds, type PointId } from './point-id.ts';
import type {
  FacetHit,
  FacetRequest,
  PointRecord,
  QueryRequest,
  RetrieveRequest,
  ScoredPoint,
  ScrollPage,
  ScrollRequest,
} from './query.ts';

/** Whether a larger or a smaller score is better. */
export type ScoreOrder = 'larger' | 'smaller';

/** Euclid and Manhattan scores are distances; everything else is better when larger. */
export function scoreOrder(collection: CollectionRecord, using: string): ScoreOrder {
  const distance = denseVector(collection.config.params, using)?.distance;
  return distance === 'Euclid' || distance === 'Manhattan' ? 'smaller' : 'larger';
}

/** What one of several parts is asked: the page may lie wholly in its part, so it cuts nothing off. */
export function partOf(request: QueryRequest, parts: number): QueryRequest {
  return parts === 1 ? request : { ...request, offset: 0, limit: request.offset + request.limit };
}

/**
 * The best `limit` points after `offset`, of lists that are each best first. A point in several lists (a slot that
 * moves) counts once, in its newest version. Equal scores: smaller id first.
 */
export function mergeTopK(
  lists: readonly (readonly ScoredPoint[])[],
  options: { readonly order: ScoreOrder; readonly offset: number; readonly limit: number },
): ScoredPoint[] {
  const sign = options.order === 'larger' ? -1 : 1;
  return newestOf(lists)
    .sort((a, b) => sign * (a.score - b.score) || comparePointIds(a.id, b.id))
    .slice(options.offset, options.offset + options.limit);
}

/** The answers of several parts, each asked `partOf(request)`. */
export function mergeQuery(
  collection: CollectionRecord,
  request: QueryRequest,
  lists: readonly (readonly ScoredPoint[])[],
): ScoredPoint[] {
  const { query, offset, limit } = request;
  switch (query?.kind) {
    case 'nearest':
      return mergeTopK(lists, { order: scoreOrder(collection, request.using), offset, limit });
    case 'order_by':
      return byOrderValue(newestOf(lists), query.orderBy.direction).slice(offset, offset + limit);
    case 'sample':
      return interleaved(lists).slice(offset, offset + limit);
    case undefined:
      return newestOf(lists)
        .sort(byId)
        .slice(offset, offset + limit);
  }
}

/** Each page starts at the same offset and has up to `limit` points; so has the joined one. */
export function mergeScroll(request: ScrollRequest, pages: readonly ScrollPage[]): ScrollPage {
  const points = newestOf(pages.map((page) => page.points));
  if (request.orderBy !== null)
    return {
      points: byOrderValue(points, request.orderBy.direction).slice(0, request.limit),
      nextOffset: null,
    };
  points.sort(byId);
  // The next id after the joined page: of the points that found no place, or of a part that has more.
  const next = [
    ...points.slice(request.limit, request.limit + 1).map(({ id }) => id),
    ...pages.flatMap(({ nextOffset }) => (nextOffset === null ? [] : [nextOffset])),
  ].sort(comparePointIds);
  return { points: points.slice(0, request.limit), nextOffset: next[0] ?? null };
}

/** In the order of the ids asked for. */
export function mergeRetrieve(
  request: RetrieveRequest,
  lists: readonly (readonly PointRecord[])[],
): PointRecord[] {
  const found = new Map(newestOf(lists).map((point) => [point.id, point]));
  return request.ids.flatMap((id) => found.get(id) ?? []);
}

export function mergeFacet(request: FacetRequest, lists: readonly (readonly FacetHit[])[]): FacetHit[] {
  const counts = new Map<FacetHit['value'], number>();
  for (const { value, count } of lists.flat()) counts.set(value, (counts.get(value) ?? 0) + count);
  return [...counts]
    .map(([value, count]) => ({ value, count }))
    .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : a.value > b.value ? 1 : 0))
    .slice(0, request.limit);
}

function newestOf<P extends { readonly id: PointId; readonly version: number }>(
  lists: readonly (readonly P[])[],
): P[] {
  if (lists.length === 1) return [...lists[0]!];
  const newest = new Map<PointId, P>();
  for (const list of lists)
    for (const point of list) {
      const seen = newest.get(point.id);
      if (seen === undefined || seen.version < point.version) newest.set(point.id, point);
    }
  return [...newest.values()];
}

function byId(a: { readonly id: PointId }, b: { readonly id: PointId }): number {
  return comparePointIds(a.id, b.id);
}

interface Ordered {
  readonly id: PointId;
  readonly orderValue: number | bigint | null;
}

/** REQUIRES: every point has an order value. Equal values: by id, in the same direction. */
function byOrderValue<P extends Ordered>(points: P[], direction: 'asc' | 'desc'): P[] {
  const sign = direction === 'asc' ? 1 : -1;
  return points.sort((a, b) => {
    const [x, y] = [a.orderValue ?? 0, b.orderValue ?? 0];
    return x < y ? -sign : x > y ? sign : sign * comparePointIds(a.id, b.id);
  });
}

/** One of each list in turn: samples of equal shards stay a sample. */
function interleaved(lists: readonly (readonly ScoredPoint[])[]): ScoredPoint[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  const points: ScoredPoint[] = [];
  for (let i = 0; i < longest; i += 1) for (const list of lists) if (i < list.length) points.push(list[i]!);
  return newestOf([points, []]);
}
