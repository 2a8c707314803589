/**
 * Reads over all shards of a collection: planned over nodes, scattered, joined. The use cases read through this and know
 * no node. Always: one call per node, which carries all of its shards.
 */
import {
  mergeFacet,
  mergeQuery,
  mergeRetrieve,
  mergeScroll,
  partOf,
  type CollectionRecord,
  type CountRequest,
  type FacetHit,
  type FacetRequest,
  type NodeId,
  type PointRecord,
  type QueryRequest,
  type RetrieveRequest,
  type ScoredPoint,
  type ScrollPage,
  type ScrollRequest,
} from '@quiver/model';
import type { ReadOptions, ShardNodes, ShardReads, ShardTarget } from '@quiver/rpc';
import { planReads } from './plan.ts';

export interface RoutedReads {
  query(
    collection: CollectionRecord,
    requests: readonly QueryRequest[],
    options: ReadOptions,
  ): Promise<ScoredPoint[][]>;
  scroll(collection: CollectionRecord, request: ScrollRequest, options: ReadOptions): Promise<ScrollPage>;
  retrieve(
    collection: CollectionRecord,
    request: RetrieveRequest,
    options: ReadOptions,
  ): Promise<PointRecord[]>;
  count(collection: CollectionRecord, request: CountRequest, options: ReadOptions): Promise<number>;
  facet(collection: CollectionRecord, request: FacetRequest, options: ReadOptions): Promise<FacetHit[]>;
}

export function createRoutedReads(nodes: ShardNodes, ownNode: NodeId | null): RoutedReads {
  /** One answer per node. */
  function scatter<T>(
    collection: CollectionRecord,
    ask: (reads: ShardReads, target: ShardTarget, parts: number) => Promise<T>,
  ): Promise<T[]> {
    const shardIds = collection.shards.map(({ shardId }) => shardId);
    const plan = planReads(collection, shardIds, ownNode);
    return Promise.all(
      [...plan].map(([nodeId, ids]) =>
        ask(nodes.node(nodeId).reads, { collection, shardIds: ids }, plan.size),
      ),
    );
  }

  return {
    async query(collection, requests, options) {
      const answers = await scatter(collection, (reads, target, parts) =>
        reads.query(
          target,
          requests.map((request) => partOf(request, parts)),
          options,
        ),
      );
      if (answers.length === 1) return answers[0]!;
      return requests.map((request, i) =>
        mergeQuery(
          collection,
          request,
          answers.map((answer) => answer[i]!),
        ),
      );
    },
    async scroll(collection, request, options) {
      const pages = await scatter(collection, (reads, target) => reads.scroll(target, request, options));
      return pages.length === 1 ? pages[0]! : mergeScroll(request, pages);
    },
    async retrieve(collection, request, options) {
      const lists = await scatter(collection, (reads, target) => reads.retrieve(target, request, options));
      return lists.length === 1 ? lists[0]! : mergeRetrieve(request, lists);
    },
    async count(collection, request, options) {
      const counts = await scatter(collection, (reads, target) => reads.count(target, request, options));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    async facet(collection, request, options) {
      const lists = await scatter(collection, (reads, target) => reads.facet(target, request, options));
      return lists.length === 1 ? lists[0]! : mergeFacet(request, lists);
    },
  };
}
