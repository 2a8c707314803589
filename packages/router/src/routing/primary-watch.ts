/** A call to a primary that hangs is given up when the catalogue shows another one: a stopped process never answers. */
import type { Env } from '@quiver/env';
import { ClusterError, primaryOf, shardOf, type CollectionRecord, type NodeId } from '@quiver/model';
import { primaryWatchMs } from './limits.ts';
import { sleep } from './sleep.ts';
import type { Topology } from './topology.ts';

/** How long one look at the catalogue lasts. */
const lookMs = 10_000;

/**
 * The answer of `call`.
 * @throws ClusterError unavailable: `nodeId` is the primary of one of the shards no more; what it did is not known
 */
export async function whilePrimary<T>(
  call: Promise<T>,
  nodeId: NodeId,
  collection: CollectionRecord,
  shardIds: readonly number[],
  { topology, env }: { readonly topology: Topology; readonly env: Env },
): Promise<T> {
  let settled = false;
  const first = sleep(env, primaryWatchMs);
  const replaced = Promise.withResolvers<never>();

  function isPrimary(): boolean {
    const record = topology.current(collection);
    return shardIds.every((shardId) => {
      const shard = shardOf(record, shardId);
      return shard !== undefined && primaryOf(shard)?.nodeId === nodeId;
    });
  }

  async function watch(): Promise<void> {
    await first.promise;
    while (!settled && isPrimary()) await topology.change(lookMs);
    if (!settled) throw new ClusterError('unavailable', `node ${nodeId} is not the primary any more`);
  }

  watch().catch((error: unknown) => replaced.reject(error as Error));
  // Nobody may be left to hear it.
  replaced.promise.catch(() => undefined);
  try {
    return await Promise.race([call, replaced.promise]);
  } finally {
    settled = true;
    first.cancel();
  }
}
