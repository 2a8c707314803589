/** How a read of a client is to be answered by the shards: `consistency` as nodes understand it, and the rest. Pure. */
import type { Catalogue, CollectionRecord } from '@quiver/model';
import type { ReadConsistency } from '@quiver/rpc';
import type { ConsistencyLevel, RequestContext } from './api.ts';
import type { RoutedReadOptions } from './routing/scatter.ts';

export function readOptions(
  context: RequestContext,
  collection: CollectionRecord,
  catalogue: Catalogue,
): RoutedReadOptions {
  const { deadlineMs, consistency = 1, affinity, missingShards } = context;
  return {
    call: { deadlineMs, consistency: readConsistency(consistency, collection, catalogue) },
    affinity: affinity ?? null,
    onMissing: missingShards === undefined ? null : (shardId) => void missingShards.add(shardId),
  };
}

const any: ReadConsistency = { kind: 'any' };

/**
 * 1 is any in-sync replica. Everything above is linearizable; a number and `all` also ask for that many replicas in
 * sync. As in Qdrant, no more are asked for than there can be.
 */
export function readConsistency(
  level: ConsistencyLevel,
  collection: CollectionRecord,
  catalogue: Catalogue,
): ReadConsistency {
  if (level === 1) return any;
  if (level === 'majority' || level === 'quorum') return { kind: 'linearizable', inSyncMin: 1 };
  const wanted = Math.min(collection.config.params.replication_factor, shardNodeCount(catalogue));
  return { kind: 'linearizable', inSyncMin: Math.max(1, level === 'all' ? wanted : Math.min(level, wanted)) };
}

/** Nodes that can hold shards. */
export function shardNodeCount({ nodes }: Catalogue): number {
  let count = 0;
  for (const { roles } of nodes.values()) if (roles.includes('shard')) count += 1;
  return count;
}
