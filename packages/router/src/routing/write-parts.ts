/**
 * What each shard has to do of a write, and what becomes of that when slots move while it is tried again. Pure.
 * Always: a part keeps its operation key through all attempts, so that a shard never applies it twice.
 */
import { shardOf, type CollectionRecord, type PointsOperation, type ShardRecord } from '@quiver/model';
import { splitOperation } from '../split-operation.ts';

export interface WritePart {
  /** As it was when the part was made. */
  readonly shard: ShardRecord;
  readonly operation: PointsOperation;
  readonly operationKey: string;
}

/** The part for the shards that own its slots in `collection`: most often itself, with the shard as it is now. */
export function currentParts(collection: CollectionRecord, part: WritePart): WritePart[] {
  const { shard, operation, operationKey } = part;
  const now = shardOf(collection, shard.shardId);
  if (now !== undefined && sameSlots(now, shard)) return [{ ...part, shard: now }];
  const owners = collection.shards.filter(
    (other) => other.shardKey === shard.shardKey && overlap(other, shard),
  );
  return splitOperation(owners, operation).map((one) => ({ ...one, operationKey }));
}

function sameSlots(a: ShardRecord, b: ShardRecord): boolean {
  return (
    a.slots === b.slots ||
    (a.slots.length === b.slots.length &&
      a.slots.every(([from, to], i) => from === b.slots[i]![0] && to === b.slots[i]![1]))
  );
}

function overlap(a: ShardRecord, b: ShardRecord): boolean {
  return a.slots.some(([from, to]) => b.slots.some(([first, end]) => from < end && first < to));
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
