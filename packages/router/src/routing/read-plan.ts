/**
 * Which shards answer for which slots in one read. Pure. Always: all parts of a read go by the slots of one record, so
 * that each point is answered for by one shard while slots move between them; a read that meets newer slots begins anew.
 */
import { ClusterError, isSameKey, isSameRuns, shardOf, type CollectionRecord } from '@quiver/model';

/** Slots have moved since the read began: what was answered so far does not fit what is to come. */
export class SlotsMoved extends Error {}

export interface ReadPlan {
  readonly collection: CollectionRecord;
  readonly shardIds: readonly number[];
}

/**
 * The shards of the same keys in the newest record. @param whole - where the shards were named
 * @throws ClusterError not_found: the keys went, and all their shards with them
 */
export function planAnew(current: CollectionRecord, whole: ReadPlan): ReadPlan {
  if (hasSameSlots(current, whole)) return { collection: current, shardIds: whole.shardIds };
  const keys = new Set(whole.shardIds.map((shardId) => keyText(whole.collection, shardId)));
  const all = current.shards.map(({ shardId }) => shardId);
  const shardIds = all.filter((shardId) => keys.has(keyText(current, shardId)));
  if (shardIds.length === 0)
    throw new ClusterError(
      'not_found',
      `no shard of collection ${current.name} has such a shard key any more`,
    );
  return { collection: current, shardIds };
}

/** Whether the shards of the plan have the keys and slots they had; the number of one that went may be another's by now. */
export function hasSameSlots(current: CollectionRecord, plan: ReadPlan): boolean {
  if (current === plan.collection) return true;
  return plan.shardIds.every((shardId) => {
    const [before, now] = [shardOf(plan.collection, shardId), shardOf(current, shardId)];
    return (
      before !== undefined &&
      now !== undefined &&
      isSameKey(before.shardKey, now.shardKey) &&
      isSameRuns(before.slots, now.slots)
    );
  });
}

function keyText(collection: CollectionRecord, shardId: number): string {
  const key = shardOf(collection, shardId)?.shardKey ?? null;
  return `${typeof key === 'string' ? 'text' : 'number'} ${key}`;
}
