/** How many shards one collection may be made of: each costs every node memory and a turn at start, whatever it holds. */
import { ClusterError } from '@quiver/model';

/** A shard has room for millions of points; more of them on one node only cost. */
export const shardsPerNodeMax = 256;

/** @throws ClusterError invalid_argument, before anything is made */
export function checkShardCount(shards: number, shardNodes: number): void {
  const max = shardsPerNodeMax * Math.max(1, shardNodes);
  if (shards > max)
    throw new ClusterError(
      'invalid_argument',
      `shard_number ${shards} is more than this cluster takes: at most ${shardsPerNodeMax} for each of its ` +
        `${Math.max(1, shardNodes)} shard nodes, ${max}; one or two for each node are usual`,
    );
}
