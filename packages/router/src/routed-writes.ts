/**
 * Writes over all shards of a collection: split by owner, sent to the primaries, joined.
 * Always: an operation is all or nothing in each shard, not across shards; the first failure is the answer.
 */
import { clusterErrorFrom, type CollectionRecord, type NodeId, type PointsOperation } from '@quiver/model';
import type { CallOptions, CollectionState, ShardNodes, ShardWrite } from '@quiver/rpc';
import type { Env } from '@quiver/env';
import { mergeStates } from './merge-states.ts';
import { planReads, primaryNode, splitOperation } from './plan.ts';

export interface RoutedWrites {
  /** @throws ClusterError the failure of the first shard that failed */
  write(
    collection: CollectionRecord,
    operation: PointsOperation,
    options: CallOptions,
  ): Promise<{ readonly operationId: number }>;
  describe(collection: CollectionRecord, options: CallOptions): Promise<CollectionState>;
}

export function createRoutedWrites(nodes: ShardNodes, ownNode: NodeId | null, env: Env): RoutedWrites {
  return {
    async write(collection, operation, options) {
      const byNode = new Map<NodeId, ShardWrite[]>();
      const parts = splitOperation(collection.shards, operation);
      for (const part of parts) {
        const nodeId = primaryNode(collection, part.shard);
        const writes = byNode.get(nodeId) ?? [];
        byNode.set(nodeId, writes);
        writes.push({
          shardId: part.shard.shardId,
          operation: part.operation,
          operationKey: env.uuid().replaceAll('-', ''),
        });
      }
      const outcomes = await Promise.all(
        [...byNode].map(([nodeId, writes]) => nodes.node(nodeId).writes.write(collection, writes, options)),
      );
      let operationId = 0;
      for (const outcome of outcomes.flat()) {
        if (!outcome.ok) throw clusterErrorFrom(outcome.failure);
        operationId = Math.max(operationId, outcome.operationId);
      }
      return { operationId };
    },
    async describe(collection, options) {
      const shardIds = collection.shards.map(({ shardId }) => shardId);
      const states = await Promise.all(
        [...planReads(collection, shardIds, ownNode)].map(([nodeId, ids]) =>
          nodes.node(nodeId).writes.describe({ collection, shardIds: ids }, options),
        ),
      );
      return mergeStates(states.flat());
    },
  };
}
