/**
 * Which shards answer for which slots in one read. Pure. Always: all parts of a read go by the slots of one record, so
 * that each point is answered for by one shard while slots move between them; a read that meets newer slots begins anew.
 */
import { isSameRuns, shardOf, type CollectionRecord } from '@quiver/model';

/** Slots have moved since the read began: what was answered so far does not fit what is to come. */
export class SlotsMoved extends Error {}

export interface ReadPlan {
  readonly collection: CollectionRecord;
  readonly shardIds: readonly number[];
}

/** The same shard keys in the newest record. @param whole - where the shards were named */
export function planAnew(current: CollectionRecord, whole: ReadPlan): ReadPlan {
  if (hasSameSlots(current, whole)) return { collection: current, shardIds: whole.shardIds };
  const keys = new Set(whole.shardIds.map((shardId) => keyText(whole.collection, shardId)));
  const shardIds = current.shards.map(({ shardId }) => shardId);
  return { collection: current, shardIds: shardIds.filter((shardId) => keys.has(keyText(current, shardId))) };
}

/** Whether the shards of the plan have the slots they had, and no shard has come. */
export function hasSameSlots(current: CollectionRecord, plan: ReadPlan): boolean {
  if (current === plan.collection) return true;
  return plan.shardIds.every((shardId) => {
    const [before, now] = [shardOf(plan.collection, shardId), shardOf(current, shardId)];
    return before !== undefined && now !== undefined && isSameRuns(before.slots, now.slots);
  });
}

function keyText(collection: CollectionRecord, shardId: number): string {
  const key = shardOf(collection, shardId)?.shardKey ?? null;
  return `${typeof key === 'string' ? 'text' : 'number'} ${key}`;
}
