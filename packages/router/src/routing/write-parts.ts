/**
 * What each shard has to do of a write, and what becomes of that when slots move while it is tried again. Pure.
 * Always: a part keeps its shard and its operation key until that shard's primary says that it neither did nor will do
 * any of it; only then are its points given to those who own them now, as parts with keys of their own. So a shard that
 * did it answers for it, though the points have moved on since, and nobody does it twice.
 */
import {
  commonRuns,
  isSameKey,
  shardOf,
  type CollectionRecord,
  type PointsOperation,
  type ShardRecord,
  type SlotRuns,
} from '@quiver/model';
import { splitOperation } from '../split-operation.ts';

export interface WritePart {
  /** As the last call knew it. */
  readonly shard: ShardRecord;
  /** The operation is for points of these slots alone: those of the shard when the part was made. */
  readonly slots: SlotRuns;
  readonly operation: PointsOperation;
  readonly operationKey: string;
  readonly standing: Standing;
}

/**
 * unsent: no call of it has reached a node. refused: by a node that speaks for itself alone. unsure: a call may have been
 * carried out. elsewhere: the shard's primary said that it has not done it and will not do it.
 */
export type Standing = 'unsent' | 'refused' | 'unsure' | 'elsewhere';

/**
 * The part for the next call: to the same shard as it is now, or to the present owners of its slots.
 * @returns null: its shard is gone, and nobody can tell any more whether it did it
 */
export function currentParts(
  collection: CollectionRecord,
  part: WritePart,
  newKey: () => string,
): WritePart[] | null {
  const now = shardOf(collection, part.shard.shardId);
  const isThere = now !== undefined && isSuccessor(part.shard, now);
  if (isThere && part.standing !== 'elsewhere') return [{ ...part, shard: now }];
  if (part.standing === 'refused' || part.standing === 'unsure') return null;
  const owners = collection.shards
    .filter(({ shardKey }) => isSameKey(shardKey, part.shard.shardKey))
    .map((shard) => ({ shard, slots: commonRuns(shard.slots, part.slots) }))
    .filter(({ slots }) => slots.length > 0);
  const split = splitOperation(
    owners.map(({ shard }) => shard),
    part.operation,
  );
  return split.map(({ shard, operation }) => ({
    shard,
    slots: owners.find((owner) => owner.shard === shard)!.slots,
    operation,
    operationKey: newKey(),
    standing: 'unsent',
  }));
}

/** The same shard, not a new one under its number. */
function isSuccessor(before: ShardRecord, now: ShardRecord): boolean {
  return (
    now.cfgVersion <= before.cfgVersion ||
    now.replicas.some(({ replica }) => before.replicas.some((old) => old.replica === replica))
  );
}

/**
 * The same change with buffers of its own: a node of this process takes the buffers it is given with it, and then
 * nothing is left to send again.
 */
export function ownBuffers(operation: PointsOperation): PointsOperation {
  if (operation.kind !== 'upsert' && operation.kind !== 'update_vectors') return operation;
  return { ...operation, points: structuredClone(operation.points) };
}

/** Whether the operation can still be sent. */
export function isIntact(operation: PointsOperation): boolean {
  if (operation.kind !== 'upsert' && operation.kind !== 'update_vectors') return true;
  const { vectors, payloads } = operation.points;
  return ![...[...vectors.values()].map(({ values }) => values), payloads.bytes].some(
    ({ buffer }) => buffer instanceof ArrayBuffer && buffer.detached,
  );
}
