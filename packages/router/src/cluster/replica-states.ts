/** Where the replicas of a collection are and in which of Qdrant's states. Pure. */
import {
  primaryOf,
  shardOf,
  type Catalogue,
  type CollectionRecord,
  type ReplicaRecord,
  type ShardRecord,
} from '@quiver/model';
import type { PlacedReplica, ReplicaState, ReshardingInfo, TransferInfo } from './cluster-api.ts';

/** By shard, then as placed. */
export function placedReplicas(catalogue: Catalogue, collection: CollectionRecord): PlacedReplica[] {
  return collection.shards.flatMap((shard) =>
    shard.replicas.map((replica) => ({
      shardId: shard.shardId,
      shardKey: shard.shardKey,
      nodeId: replica.nodeId,
      state: replicaState(catalogue, collection, shard, replica),
    })),
  );
}

/**
 * Active: in sync, so it answers reads and counts for writes. Dead: its node is away or believed to be. Partial: it is copied for a
 * transfer. Recovery: it was in sync and catches up. Resharding: it is filled (or emptied) by slots that move.
 */
function replicaState(
  catalogue: Catalogue,
  { transfers, resharding }: CollectionRecord,
  shard: ShardRecord,
  { replica, nodeId }: ReplicaRecord,
): ReplicaState {
  const node = catalogue.nodes.get(nodeId);
  if (node === undefined || node.state === 'down') return 'Dead';
  if (resharding?.shardId === shard.shardId)
    return resharding.direction === 'up' ? 'Resharding' : 'ReshardingScaleDown';
  if (shard.suspects?.includes(replica) === true) return 'Dead';
  if (shard.inSync.includes(replica)) return 'Active';
  return transfers.some(({ to }) => to === replica) ? 'Partial' : 'Recovery';
}

/** Transfers between nodes; one whose ends are no longer placed is over. */
export function transferInfos(collection: CollectionRecord): TransferInfo[] {
  return collection.transfers.flatMap(({ shardId, from, to, method }) => {
    const shard = shardOf(collection, shardId);
    const target = shard?.replicas.find(({ replica }) => replica === to);
    const source =
      shard === undefined
        ? undefined
        : from === null
          ? primaryOf(shard)
          : shard.replicas.find(({ replica }) => replica === from);
    if (target === undefined || source === undefined) return [];
    return [{ shardId, from: source.nodeId, to: target.nodeId, sync: from === null, method }];
  });
}

export function reshardingInfo({ resharding }: CollectionRecord): ReshardingInfo | null {
  if (resharding === null) return null;
  const { direction, shardId, nodeId, shardKey } = resharding;
  return { direction, shardId, nodeId, shardKey };
}
