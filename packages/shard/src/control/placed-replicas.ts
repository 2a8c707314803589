/**
 * Which replicas a catalogue places on a node, and what of them another one changes. Pure. Always: a record that is the same
 * object in both catalogues costs a look-up, so that one new collection beside thousands costs little.
 */
import {
  replicaOn,
  type Catalogue,
  type CollectionRecord,
  type NodeId,
  type ShardRecord,
} from '@quiver/model';

export interface PlacedReplica {
  readonly record: CollectionRecord;
  readonly shard: ShardRecord;
  readonly number: number;
}

export interface PlacementChange {
  /** Of records that are new or others. */
  readonly changed: readonly PlacedReplica[];
  /** Numbers of replicas that are placed here no more. */
  readonly gone: readonly number[];
}

/** @param before - null: nothing was placed yet */
export function placementChange(before: Catalogue | null, next: Catalogue, nodeId: NodeId): PlacementChange {
  const changed: PlacedReplica[] = [];
  for (const record of next.collections.values())
    if (before?.collections.get(record.name) !== record) changed.push(...placedOn(record, nodeId));
  const kept = new Set(changed.map(({ number }) => number));
  const gone: number[] = [];
  for (const record of before?.collections.values() ?? []) {
    if (next.collections.get(record.name) === record) continue;
    for (const { number } of placedOn(record, nodeId)) if (!kept.has(number)) gone.push(number);
  }
  return { changed, gone };
}

function placedOn(record: CollectionRecord, nodeId: NodeId): PlacedReplica[] {
  const placed: PlacedReplica[] = [];
  for (const shard of record.shards) {
    const number = replicaOn(shard, nodeId)?.replica;
    if (number !== undefined) placed.push({ record, shard, number });
  }
  return placed;
}
