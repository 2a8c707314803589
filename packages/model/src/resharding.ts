/**
 * Which slots move next while a resharding is under way. Pure and level-triggered: whoever asks gets the same answer
 * from the same record, so the primaries of both shards know it without talking.
 * Always: a move is one run of slots of one shard, small enough to be fenced for a moment only.
 */
import type { CollectionRecord } from './collection.ts';
import { slotCount } from './slot.ts';
import { countSlots } from './slot-runs.ts';
import { isSameKey } from './topology.ts';

export interface SlotMove {
  readonly fromShard: number;
  readonly toShard: number;
  readonly slots: readonly [from: number, to: number];
}

/** Slots that move at once. */
export const slotsPerMove = 256;

/**
 * up: from the shard with the most slots, until the new one has its share. down: to the shard with the fewest, until
 * none is left.
 * @returns null when there is nothing (more) to move
 */
export function nextSlotMove(record: CollectionRecord): SlotMove | null {
  const { resharding } = record;
  const subject = record.shards.find(({ shardId }) => shardId === resharding?.shardId);
  if (resharding === null || subject === undefined) return null;
  const others = record.shards.filter((one) => one !== subject && isSameKey(one.shardKey, subject.shardKey));
  if (others.length === 0) return null;
  const isUp = resharding.direction === 'up';
  const share = Math.floor(slotCount / (others.length + 1));
  const missing = isUp ? share - countSlots(subject.slots) : countSlots(subject.slots);
  if (missing <= 0) return null;
  const other = others.reduce((best, one) =>
    (isUp ? countSlots(one.slots) > countSlots(best.slots) : countSlots(one.slots) < countSlots(best.slots))
      ? one
      : best,
  );
  const [from, to] = isUp ? [other, subject] : [subject, other];
  // The end of the last run: what stays is one run as long as possible.
  const run = from.slots.at(-1);
  if (run === undefined) return null;
  const count = Math.min(slotsPerMove, missing, run[1] - run[0]);
  return { fromShard: from.shardId, toShard: to.shardId, slots: [run[1] - count, run[1]] };
}
