/**
 * One copy's store: what is on the disk, and what the writes that are under way would make of it. Always: a write is there
 * whole or not at all; a crash keeps a prefix of the writes, at least up to the last one that was reported durable.
 */
import {
  blankReplica,
  type HistoryEntry,
  type OperationEntry,
  type PersistedReplica,
  type PersistEffect,
  type ReplicaState,
  type StoredRecord,
} from '@quiver/replication';

/** A change of one point: `op` names the client's operation, null deletes. */
export interface Change {
  readonly key: number;
  readonly op: number;
  readonly value: number | null;
}
export type Record = StoredRecord<Change>;
export type Persist = PersistEffect<Change, number>;
export type RecordWrite = NonNullable<Persist['write']>;

export class Content {
  state: ReplicaState<number> = blankReplica.state;
  history: readonly HistoryEntry[] = [];
  readonly operations = new Map<string, OperationEntry>();
  readonly points = new Map<number, Record>();

  copy(): Content {
    const copy = new Content();
    copy.state = this.state;
    copy.history = this.history;
    for (const [key, entry] of this.operations) copy.operations.set(key, entry);
    for (const [key, record] of this.points) copy.points.set(key, record);
    return copy;
  }

  write(persist: Persist): void {
    this.state = persist.state;
    if (persist.history !== null) this.history = persist.history;
    if (persist.write !== null) writeRecords(this.points, persist.write);
    for (const entry of persist.entries) this.operations.set(entry.operationKey, entry);
    for (const key of persist.forgotten) this.operations.delete(key);
  }

  persisted(): PersistedReplica<number> {
    return { state: this.state, history: this.history, operations: [...this.operations.values()] };
  }

  bySeq(afterSeq: number): Record[] {
    return [...this.points.values()]
      .filter(({ seq }) => seq > afterSeq)
      .sort((a, b) => a.seq - b.seq || a.ordinal - b.ordinal);
  }

  collectTombstones(upToSeq: number): number {
    let count = 0;
    for (const [key, { seq, change }] of this.points)
      if (change.value === null && seq <= upToSeq) {
        this.points.delete(key);
        count += 1;
      }
    return count;
  }
}

export function writeRecords(points: Map<number, Record>, write: RecordWrite): void {
  if (write.kind === 'operation') {
    const { seq, term, changes } = write.operation;
    for (const [ordinal, change] of changes.entries()) points.set(change.key, { seq, ordinal, term, change });
    return;
  }
  if (write.kind === 'range') {
    const kept = new Set(write.records.map(({ change }) => change.key));
    for (const key of points.keys()) {
      const isInside =
        (write.afterKey === null || key > write.afterKey) && (write.toKey === null || key <= write.toKey);
      if (isInside && !kept.has(key)) points.delete(key);
    }
  }
  const mayReplace = (key: number): boolean =>
    write.kind !== 'repair' || (points.get(key)?.seq ?? 0) <= write.seq;
  for (const record of write.records)
    if (mayReplace(record.change.key)) points.set(record.change.key, record);
  if (write.kind === 'range') return;
  for (const key of write.absent) if (mayReplace(key)) points.delete(key);
}

/** One number for all live points: their content, not how it is stored. */
export function digestOf(points: Map<number, Record>): number {
  let digest = 0;
  for (const record of points.values()) digest ^= hashOf(record);
  return digest;
}

/** 0 for a deleted point: tombstones are collected at different times. */
export function hashOf({ seq, ordinal, change }: Record): number {
  if (change.value === null) return 0;
  let hash = 0x811c9dc5;
  for (const word of [change.key, seq, ordinal, change.value]) {
    hash = Math.imul(hash ^ word, 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  }
  return hash ^ (hash >>> 13);
}
