/** The read path of a shard node on one serve thread: every request over one view of its replica, in slices. */
import type { Env } from '@quiver/env';
import type { ArenaDirectory } from '@quiver/kernel';
import {
  comparePointIds,
  countSlots,
  ownsPoint,
  mergeFacet,
  mergeQuery,
  mergeRetrieve,
  mergeScroll,
  partOf,
  shardOf,
  slotCount,
  type CollectionRecord,
  type FacetHit,
  type NodeId,
  type Filter,
  type OrderBy,
  type PointId,
  type PointRecord,
  type QueryRequest,
  type ScoredPoint,
  type ScrollPage,
  type ScrollRequest,
  type ShardExplanation,
  type SlotRuns,
} from '@quiver/model';
import type { ReadOptions, ShardReads, ShardTarget } from '@quiver/rpc';
import {
  Bitset,
  canonicalKey,
  countFacet,
  evaluateFilter,
  FilterCache,
  inLockstep,
  orderRows,
  withinSlots,
  type FacetValue,
  type FilterNode,
  type SegmentReader,
  type Steps,
} from '@quiver/segment';
import type { ControlCalls } from './control-calls.ts';
import { explainQuery } from './explain.ts';
import { LiveRecall, type MeasuredQuery } from './live-recall.ts';
import { findRow, searchNearest } from './nearest.ts';
import { recordMaker } from './records.ts';
import { replicaNumber, type OpenSegment, type ReplicaView, type ReplicaViews } from './replica-views.ts';
import type { Scheduler } from './scheduler.ts';
import { scrollById } from './scroll.ts';

/** Of points that no vector ranks; Qdrant's. */
const unrankedScore = 1;

export interface ShardReadsEnd extends ShardReads {
  /** Ids that match, and the snapshot they were read at: the target of a filtered write. */
  readonly resolve: (
    collection: CollectionRecord,
    shardId: number,
    wanted: { readonly filter: Filter; readonly slots: SlotRuns },
    deadlineMs: number,
  ) => Promise<{ ids: PointId[]; asOf: number }>;
}

export function createShardReads(options: {
  readonly nodeId: NodeId;
  readonly calls: ControlCalls;
  readonly views: ReplicaViews;
  readonly directory: ArenaDirectory;
  readonly scheduler: Scheduler;
  readonly env: Env;
  readonly recallTimeShare: number;
  readonly onRecall: (measured: MeasuredQuery) => void;
}): ShardReadsEnd {
  const { views, directory, scheduler, env } = options;
  const filters = new FilterCache();
  const recall = new LiveRecall({
    env,
    timeShare: options.recallTimeShare,
    views,
    scheduler,
    search: answer,
    onMeasured: options.onRecall,
  });

  function compile(collection: CollectionRecord, filter: Filter | null): FilterNode | null {
    return filter === null || isEmpty(filter) ? null : filters.compile(filter, collection.payloadSchema);
  }

  function* answer(
    view: ReplicaView,
    collection: CollectionRecord,
    request: QueryRequest,
  ): Steps<ScoredPoint[]> {
    const filter = masked(view, compile(collection, request.filter));
    const { query } = request;
    if (query?.kind === 'nearest')
      return yield* searchNearest(view, directory, collection, request, filter, filters);
    if (query?.kind === 'order_by') {
      const wanted = request.offset + request.limit;
      const ordered = yield* rankByValue(view, collection, query.orderBy, filter, wanted, request);
      return ordered.slice(request.offset);
    }
    if (query?.kind === 'sample') return yield* sample(view, request, filter, () => env.random());
    const page = yield* scrollById(
      view,
      { ...request, offset: null, limit: request.offset + request.limit, orderBy: null },
      filter,
    );
    return page.points.slice(request.offset).map((point) => ({ ...point, score: unrankedScore }));
  }

  /** Points of a collection with shard keys say which one they were read from. */
  function keyed<P extends PointRecord>(collection: CollectionRecord, shardId: number, points: P[]): P[] {
    const shardKey = shardOf(collection, shardId)?.shardKey ?? null;
    return shardKey === null ? points : points.map((point) => ({ ...point, shardKey }));
  }

  /** One answer per shard. A linearizable one was evaluated first and is confirmed after. */
  function each<T>(
    { collection, shardIds }: ShardTarget,
    { consistency, deadlineMs }: ReadOptions,
    read: (view: ReplicaView, collection: CollectionRecord, shardId: number) => Promise<T>,
  ): Promise<T[]> {
    const readOne = async (shardId: number): Promise<T> => {
      let [seq, generation] = [0, 0];
      const purpose = consistency.kind === 'linearizable' ? 'confirmed' : 'shown';
      const answer = await views.reading(collection, shardId, purpose, (view) => {
        seq = view.group;
        generation = view.generation;
        return read(view, collection, shardId);
      });
      if (consistency.kind === 'any') return answer;
      const { inSyncMin } = consistency;
      const replica = replicaNumber(collection, shardId, options.nodeId);
      await options.calls.ask(
        { kind: 'confirm_read', replica, collectionUuid: collection.uuid, seq, generation, inSyncMin },
        deadlineMs,
      );
      return answer;
    };
    return Promise.all(shardIds.map(readOne));
  }

  return {
    async query(target, requests, reading) {
      const { deadlineMs } = reading;
      const { collection, shardIds } = target;
      const asked = requests.map((request) => partOf(request, shardIds.length));
      const lists = await each(target, reading, async (view, _, shardId) => {
        const answers: ScoredPoint[][] = [];
        for (const group of togetherIn(asked)) {
          const searches = group.map((request) => answer(view, collection, request));
          for (const points of await scheduler.run(inLockstep(searches), deadlineMs))
            answers.push(keyed(collection, shardId, points));
          for (const request of group) recall.note(collection, shardId, request);
        }
        return answers;
      });
      if (lists.length === 1) return lists[0]!;
      return requests.map((request, i) =>
        mergeQuery(
          collection,
          request,
          lists.map((answers) => answers[i]!),
        ),
      );
    },
    async explain(target, requests, reading) {
      const lists = await each(target, reading, async (view, collection, shardId) => {
        const explained: ShardExplanation[] = [];
        for (const request of requests) {
          const filter = masked(view, compile(collection, request.filter));
          const steps = explainQuery(view, collection, request, filter, { directory, now: () => env.now() });
          const segments = await scheduler.run(steps, reading.deadlineMs);
          explained.push({ shardId, node: String(options.nodeId), segments });
        }
        return explained;
      });
      return requests.map((_, i) => lists.map((explained) => explained[i]!));
    },
    async scroll(target, request, reading) {
      const filter = compile(target.collection, request.filter);
      const pages = await each(target, reading, async (view, collection, shardId) => {
        const page = await scheduler.run(
          scrollPage(view, collection, request, masked(view, filter)),
          reading.deadlineMs,
        );
        return { ...page, points: keyed(collection, shardId, [...page.points]) };
      });
      return pages.length === 1 ? pages[0]! : mergeScroll(request, pages);
    },
    async retrieve(target, request, reading) {
      const recordOf = recordMaker(request.withPayload, request.withVector);
      const lists = await each(target, reading, (view, collection, shardId) => {
        const found: PointRecord[] = [];
        for (const id of request.ids) {
          const at = findRow(view, id);
          if (at !== null) found.push(recordOf(at.reader, at.row));
        }
        return Promise.resolve(keyed(collection, shardId, found));
      });
      return lists.length === 1 ? lists[0]! : mergeRetrieve(request, lists);
    },
    async count(target, request, reading) {
      const filter = compile(target.collection, request.filter);
      const counts = await each(target, reading, (view) =>
        scheduler.run(count(view, masked(view, filter)), reading.deadlineMs),
      );
      return counts.reduce((sum, one) => sum + one, 0);
    },
    async facet(target, request, reading) {
      const filter = compile(target.collection, request.filter);
      const lists = await each(target, reading, (view, collection) =>
        scheduler.run(
          facet(view, collection, request.key, request.limit, masked(view, filter)),
          reading.deadlineMs,
        ),
      );
      return lists.length === 1 ? lists[0]! : mergeFacet(request, lists);
    },
    resolve: (collection, shardId, { filter, slots }, deadlineMs) =>
      views.reading(collection, shardId, 'ordered', async (view) => {
        const ids = await scheduler.run(idsThatPass(view, compile(collection, filter)), deadlineMs);
        return { ids: isAllSlots(slots) ? ids : ids.filter((id) => ownsPoint(slots, id)), asOf: view.group };
      }),
  };
}

/** Searches that scan the same rows at the same time read them from memory once; others wait for as many chunks. */
const togetherMax = 4;

/** Queries of a batch in groups that run side by side, in order. One with a filter is alone: the next may have the same, and finds it evaluated. */
export function togetherIn(requests: readonly QueryRequest[]): QueryRequest[][] {
  const groups: QueryRequest[][] = [];
  for (const request of requests) {
    const last = groups.at(-1);
    const joins = last !== undefined && last.length < togetherMax && last[0]!.filter === null;
    if (joins && request.filter === null) last.push(request);
    else groups.push([request]);
  }
  return groups;
}

function isAllSlots(slots: SlotRuns): boolean {
  return countSlots(slots) === slotCount;
}

/** The filter for points of the request's slots alone. */
function masked(view: ReplicaView, filter: FilterNode | null): FilterNode | null {
  return view.slots === null ? filter : withinSlots(view.slots, filter);
}

function isEmpty(filter: Filter): boolean {
  return filter.must.length + filter.should.length + filter.mustNot.length === 0 && filter.minShould === null;
}

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

function* scrollPage(
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

function* count(view: ReplicaView, filter: FilterNode | null): Steps<number> {
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

function* facet(
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

function* idsThatPass(view: ReplicaView, filter: FilterNode | null): Steps<PointId[]> {
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
