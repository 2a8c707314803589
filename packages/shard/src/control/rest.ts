/** When a replica needs few ticks: a node may hold thousands of small collections, and most of them are asked for nothing. */
import type { CollectionRecord, ShardRecord } from '@quiver/model';

/** Of a replica at rest one tick in so many counts: a second between two, also until it may ask again to lead after a restart. */
export const restTicks = 20;

/** Alone and asked for nothing: nothing has a deadline, and nobody waits for a sign of life. */
export function isAtRest(record: CollectionRecord, shard: ShardRecord, pendingCalls: number): boolean {
  return (
    shard.replicas.length === 1 &&
    pendingCalls === 0 &&
    record.resharding === null &&
    shard.holdsMore === undefined
  );
}
