/** When a replica needs few ticks: a node may hold thousands of small collections, and most of them are asked for nothing. */
import type { CollectionRecord, ShardRecord } from '@quiver/model';

/**
 * Of a replica at rest one tick in so many counts: five seconds between two. Nothing of it is urgent: tombstones grow old, and what it
 * asked the metadata store for is asked again; who waits for it to lead makes it tick at once.
 */
export const restTicks = 100;

/** Alone and asked for nothing: nothing has a deadline, and nobody waits for a sign of life. */
export function isAtRest(record: CollectionRecord, shard: ShardRecord, pendingCalls: number): boolean {
  return (
    shard.replicas.length === 1 &&
    pendingCalls === 0 &&
    record.resharding === null &&
    shard.holdsMore === undefined
  );
}
