/** How many shards there may be: each costs every node memory and a turn at start, whatever it holds. */
import { ClusterError, type Catalogue, type CollectionRecord } from '@quiver/model';
import { shardNodeCount } from './read-options.ts';

/** Asked for at once, for each shard node: a shard has room for millions of points; more of them on one node only cost. */
export const shardsPerNodeMax = 256;
/** Of one collection over all its shard keys, and of all collections, for each shard node. */
export const collectionShardsPerNodeMax = 1_024;
export const clusterShardsPerNodeMax = 16_384;

/**
 * @param added - how many are to be made
 * @param collection - that they are for; null: a new one
 * @throws ClusterError invalid_argument, before anything is made
 */
export function checkShardCount(
  catalogue: Catalogue,
  collection: CollectionRecord | null,
  added: number,
): void {
  const shardNodes = Math.max(1, shardNodeCount(catalogue));
  const limit = (perNode: number): string =>
    `at most ${perNode} for each of its ${shardNodes} shard nodes, ${perNode * shardNodes}`;
  if (added > shardsPerNodeMax * shardNodes)
    throw refusal(
      `shard_number ${added} is more than this cluster takes: ${limit(shardsPerNodeMax)}; ` +
        'one or two for each node are usual',
    );
  const own = collection?.shards.length ?? 0;
  if (own + added > collectionShardsPerNodeMax * shardNodes)
    throw refusal(
      `collection ${collection?.name} has ${own} shards over all shard keys and ${added} more are too many: ` +
        `${limit(collectionShardsPerNodeMax)}; drop shard keys, or keep small tenants together under one key`,
    );
  let all = 0;
  for (const { shards } of catalogue.collections.values()) all += shards.length;
  if (all + added > clusterShardsPerNodeMax * shardNodes)
    throw refusal(
      `this cluster has ${all} shards and ${added} more are too many: ${limit(clusterShardsPerNodeMax)}; ` +
        'drop collections or shard keys, or add shard nodes',
    );
}

function refusal(text: string): ClusterError {
  return new ClusterError('invalid_argument', text);
}
