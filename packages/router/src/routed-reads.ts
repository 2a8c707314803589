/**
 * Reads over shards of a collection: scattered over nodes, joined. The use cases read through this and know no node.
 * Always: one call per node, which carries all of its shards.
 */
import {
  mergeFacet,
  mergeQuery,
  mergeRetrieve,
  mergeScroll,
  partOf,
  shardOf,
  slotOf,
  slotTest,
  type CollectionRecord,
  type CountRequest,
  type FacetHit,
  type FacetRequest,
  type PointId,
  type PointRecord,
  type QueryRequest,
  type RetrieveRequest,
  type ScoredPoint,
  type ScrollPage,
  type ScrollRequest,
  type ShardExplanation,
} from '@quiver/model';
import type { CollectionState } from '@quiver/rpc';
import { mergeStates } from './merge-states.ts';
import { pageBytes, queryBytes } from './routing/byte-size.ts';
import type { Gathered, RoutedReadOptions, Scatter } from './routing/scatter.ts';

/** The shards of a collection that a request is for. */
export interface ReadScope {
  readonly collection: CollectionRecord;
  readonly shardIds: readonly number[];
}

export interface RoutedReads {
  query(
    scope: ReadScope,
    requests: readonly QueryRequest[],
    options: RoutedReadOptions,
  ): Promise<ScoredPoint[][]>;
  /** By query: what it did in each shard. */
  explain(
    scope: ReadScope,
    requests: readonly QueryRequest[],
    options: RoutedReadOptions,
  ): Promise<ShardExplanation[][]>;
  scroll(scope: ReadScope, request: ScrollRequest, options: RoutedReadOptions): Promise<ScrollPage>;
  retrieve(scope: ReadScope, request: RetrieveRequest, options: RoutedReadOptions): Promise<PointRecord[]>;
  count(scope: ReadScope, request: CountRequest, options: RoutedReadOptions): Promise<number>;
  facet(scope: ReadScope, request: FacetRequest, options: RoutedReadOptions): Promise<FacetHit[]>;
  /** Of the replicas that would be read. */
  describe(scope: ReadScope, options: RoutedReadOptions): Promise<CollectionState>;
}

const smallAnswerBytes = 1_024;
const facetHitBytes = 64;
/** Of one shard, with some tens of segments. */
const explanationBytes = 16_384;

export function createRoutedReads(scatter: Scatter): RoutedReads {
  return {
    async query({ collection, shardIds }, requests, options) {
      const bytes = queryBytes(collection, requests);
      const parts = await scatter(collection, shardIds, options, bytes, (node, target, isWhole) =>
        node.reads.query(
          target,
          // Not whole: there are several parts, though there may have been one shard when the request came.
          isWhole ? requests : requests.map((request) => partOf(request, 2)),
          options.call,
        ),
      );
      return (
        whole(parts) ??
        requests.map((request, i) =>
          mergeQuery(
            collection,
            request,
            parts.map(({ answer }) => answer[i]!),
          ),
        )
      );
    },
    async explain({ collection, shardIds }, requests, options) {
      const bytes = explanationBytes * shardIds.length * requests.length;
      const parts = await scatter(collection, shardIds, options, bytes, (node, target) =>
        node.reads.explain(
          target,
          requests.map((request) => partOf(request, shardIds.length)),
          options.call,
        ),
      );
      return requests.map((_, i) =>
        parts.flatMap(({ answer }) => answer[i]!).sort((a, b) => a.shardId - b.shardId),
      );
    },
    async scroll({ collection, shardIds }, request, options) {
      const bytes = pageBytes(collection, request.limit, request.withPayload, request.withVector);
      const pages = await scatter(collection, shardIds, options, bytes, (node, target) =>
        node.reads.scroll(target, request, options.call),
      );
      return whole(pages) ?? mergeScroll(request, answers(pages));
    },
    async retrieve({ collection, shardIds }, request, options) {
      const bytes = pageBytes(collection, request.ids.length, request.withPayload, request.withVector);
      const owners = ownersOf(collection, shardIds, request.ids);
      const lists = await scatter(collection, owners, options, bytes, (node, target) =>
        node.reads.retrieve(target, request, options.call),
      );
      return whole(lists) ?? mergeRetrieve(request, answers(lists));
    },
    async count({ collection, shardIds }, request, options) {
      const counts = await scatter(collection, shardIds, options, smallAnswerBytes, (node, target) =>
        node.reads.count(target, request, options.call),
      );
      return answers(counts).reduce((sum, count) => sum + count, 0);
    },
    async facet({ collection, shardIds }, request, options) {
      const bytes = smallAnswerBytes + facetHitBytes * Math.min(request.limit, 10_000);
      const lists = await scatter(collection, shardIds, options, bytes, (node, target) =>
        node.reads.facet(target, request, options.call),
      );
      return whole(lists) ?? mergeFacet(request, answers(lists));
    },
    async describe({ collection, shardIds }, options) {
      const states = await scatter(collection, shardIds, options, smallAnswerBytes, (node, target) =>
        node.writes.describe(target, options.call),
      );
      return mergeStates(answers(states).flat());
    },
  };
}

/** Of some shards those that own any of the points. Should slots move meanwhile, all of their keys are asked (`planAnew`). */
function ownersOf(
  collection: CollectionRecord,
  shardIds: readonly number[],
  ids: readonly PointId[],
): readonly number[] {
  if (shardIds.length === 1) return shardIds;
  const slots = [...new Set(ids.map(slotOf))];
  return shardIds.filter((shardId) => slots.some(slotTest(shardOf(collection, shardId)?.slots ?? [])));
}

/** The answer of one node that answered for all shards. */
function whole<T>(parts: readonly Gathered<T>[]): T | undefined {
  return parts.length === 1 && parts[0]!.isWhole ? parts[0]!.answer : undefined;
}

function answers<T>(parts: readonly Gathered<T>[]): T[] {
  return parts.map(({ answer }) => answer);
}
