/** The read path of a shard node on one serve thread: every request over one view of its replica, in slices. */
import type { Env } from '@quiver/env';
import type { ArenaDirectory } from '@quiver/kernel';
import {
  countSlots,
  mergeFacet,
  mergeQuery,
  mergeRetrieve,
  mergeScroll,
  ownsPoint,
  partOf,
  shardOf,
  slotCount,
  type CollectionRecord,
  type Filter,
  type NodeId,
  type PointId,
  type PointRecord,
  type QueryRequest,
  type ScoredPoint,
  type ShardExplanation,
  type SlotRuns,
} from '@quiver/model';
import type { ReadOptions, ShardReads, ShardTarget } from '@quiver/rpc';
import { FilterCache, inLockstep, withinSlots, type FilterNode, type Steps } from '@quiver/segment';
import type { ControlCalls } from './control-calls.ts';
import { explainQuery } from './explain.ts';
import { LiveRecall, type MeasuredQuery } from './live-recall.ts';
import { findRow, searchNearest } from './nearest.ts';
import { count, facet, idsThatPass } from './passing-points.ts';
import { recordMaker } from './records.ts';
import { replicaNumber, type ReplicaView, type ReplicaViews } from './replica-views.ts';
import type { Scheduler } from './scheduler.ts';
import { togetherIn } from './together.ts';
import { scrollPage, unrankedPoints } from './unranked.ts';

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
    if (request.query?.kind === 'nearest')
      return yield* searchNearest(view, directory, collection, request, filter, filters);
    return yield* unrankedPoints(view, collection, request, filter, () => env.random());
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
