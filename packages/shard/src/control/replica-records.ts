/**
 * From the writes of a replica's order to batches of the store. Always: one by-seq entry for each point, naming its last
 * change; state, history and operation keys go in the batch of their records; batches are made in the order they become
 * durable, so what is on its way counts as written; the state names the copy of a small replica's rows as long as what is written leaves it
 * true.
 */
import type {
  HistoryEntry,
  PersistEffect,
  RecordWrite,
  ReplicaState,
  StoredRecord,
} from '@quiver/replication';
import { assert, decodePointId, pointIdBytes, type PointId } from '@quiver/model';
import type { Change, Store } from '@quiver/storage';
import type { OrderedChange } from './change.ts';
import { DigestChange, type IndexSum } from './digests.ts';
import {
  decodeBySeq,
  decodePoint,
  encodeBySeq,
  encodeSeq,
  keyOfId,
  keys,
  putPoint,
  vectorParts,
  type BySeqEntry,
  type PointRecordHead,
} from './records.ts';
import { encodeOperationEntry, encodeState } from './replica-state.ts';

export type Persist = PersistEffect<OrderedChange, PointId>;
export type Write = RecordWrite<OrderedChange, PointId>;

/** null: the point has no record any more. */
interface PendingHead {
  readonly persist: number;
  readonly head: PointRecordHead | null;
}

const noPayload = new Uint8Array(0);

/** In the place of a copy's seq: there may be one, and it is not true. */
export const untrueCopy = 0;

export class ReplicaRecords {
  readonly #store: Store;
  readonly #number: number;
  readonly #vectorNames: readonly string[];
  readonly #pointPrefix: Uint8Array;
  readonly #vectorPrefixes = new Map<string, Uint8Array>();
  readonly #isSurelyDead: (id: PointId) => boolean;
  readonly #pending = new Map<PointId, PendingHead>();
  readonly #touched = new Map<number, PointId[]>();
  readonly #sum: IndexSum;
  #historyTerms: number[];
  /** By write (or operation), until it is applied. */
  readonly #written = new WeakMap<object, Written>();
  #state: ReplicaState<PointId>;
  #copySeq: number | null;
  #collections = 0;

  constructor(
    store: Store,
    number: number,
    start: {
      readonly vectorNames: readonly string[];
      readonly sum: IndexSum;
      readonly history: readonly HistoryEntry[];
      readonly state: ReplicaState<PointId>;
      /** Of the copy that memory was made of; `untrueCopy`; null: there is none. */
      readonly copySeq: number | null;
      /** Memory shows all that is applied, and this point is not alive in it. */
      readonly isSurelyDead: (id: PointId) => boolean;
    },
  ) {
    this.#store = store;
    this.#number = number;
    this.#vectorNames = start.vectorNames;
    this.#sum = { ...start.sum };
    this.#historyTerms = start.history.map(({ term }) => term);
    this.#state = start.state;
    this.#copySeq = start.copySeq;
    this.#isSurelyDead = start.isSurelyDead;
    // As long as the replica lives: a slice of the pool that keys are made in would keep 64 KiB of it.
    this.#pointPrefix = Uint8Array.from(keys.points(number).from);
  }

  /** Of the newest batch. */
  get state(): ReplicaState<PointId> {
    return this.#state;
  }

  /** Of the copy of a small replica's rows, as of the newest batch; `untrueCopy`; null: there is none. */
  get copySeq(): number | null {
    return this.#copySeq;
  }

  /** Tombstones above it must stay: a start from the copy needs them. */
  get tombstoneLimitSeq(): number {
    return this.#copySeq === null || this.#copySeq === untrueCopy ? Infinity : this.#copySeq;
  }

  /** The batch that writes a copy, or takes it away (null). */
  copyBatch(
    copy: { readonly seq: number; readonly head: Uint8Array; readonly rows: Uint8Array } | null,
  ): Change[] {
    const key = keys.copy(this.#number);
    this.#copySeq = copy?.seq ?? null;
    const out: Change[] = [
      copy === null ? { kind: 'delete', key } : { kind: 'put', key, value: copy.head, tail: copy.rows },
    ];
    this.#putState(out);
    return out;
  }

  /** The batch was not written: what lies there is older, and deletions since may have no tombstones any more. */
  copyFailed(): void {
    this.#copySeq = untrueCopy;
  }

  /** Whether `batchOf` must wait until all earlier batches are durable: it reads which keys there are. */
  needsQuiet(effect: Persist): boolean {
    return effect.write?.kind === 'range';
  }

  /** The batch of a persist effect. REQUIRES: called once for each, in order. */
  async quietBatchOf(effect: Persist): Promise<Change[]> {
    const { write } = effect;
    if (write?.kind !== 'range') return this.batchOf(effect);
    const known = new Set(write.records.map(({ change }) => change.id));
    const absent: PointId[] = [];
    const { from, to } = keys.pointsAfter(this.#number, write.afterKey);
    const end = write.toKey === null ? to : keys.pointsAfter(this.#number, write.toKey).from;
    for await (const page of this.#store.scanPages({ from, to: end }))
      for (const [keyBytes] of page) {
        const id = decodePointId(keyBytes, keyBytes.length - pointIdBytes);
        if (!known.has(id)) absent.push(id);
      }
    return this.#batch(effect, absent);
  }

  batchOf(effect: Persist): Change[] {
    const { write } = effect;
    return this.#batch(effect, write !== null && 'absent' in write ? write.absent : []);
  }

  #batch(effect: Persist, absent: readonly PointId[]): Change[] {
    const { write, persist } = effect;
    const out: Change[] = [];
    if (write !== null) {
      const batch = { out, persist, digests: new DigestChange(this.#sum), touched: [] as PointId[] };
      const { digests } = batch;
      if (write.kind === 'operation') {
        this.#written.set(write.operation, { digests, records: [], absent: [] });
        this.#operation(batch, write.operation);
      } else {
        const upToSeq = write.kind === 'repair' ? write.seq : Infinity;
        const isOlder = (id: PointId): boolean => (this.#headOf(id)?.seq ?? 0) <= upToSeq;
        const records = write.records.filter(({ change }) => isOlder(change.id));
        const gone = absent.filter((id) => isOlder(id));
        this.#written.set(write, { digests, records, absent: gone });
        for (const record of records) this.#whole(batch, record);
        for (const id of gone) this.#absent(batch, id);
      }
      this.#touched.set(persist, batch.touched);
    }
    if (mixesRecords(effect) && this.#copySeq !== null) {
      out.push({ kind: 'delete', key: keys.copy(this.#number) });
      this.#copySeq = null;
    }
    this.#aside(effect, out);
    return out;
  }

  /** State, history and operation keys. */
  #aside(effect: Persist, out: Change[]): void {
    const number = this.#number;
    if (effect.history !== null) {
      const terms = effect.history.map(({ term }) => term);
      for (const term of this.#historyTerms)
        if (!terms.includes(term)) out.push({ kind: 'delete', key: keys.history(number, term) });
      for (const { term, startSeq } of effect.history)
        out.push({ kind: 'put', key: keys.history(number, term), value: encodeSeq(startSeq) });
      this.#historyTerms = terms;
    }
    for (const key of effect.forgotten) out.push({ kind: 'delete', key: keys.operation(number, key) });
    for (const entry of effect.entries)
      out.push({
        kind: 'put',
        key: keys.operation(number, entry.operationKey),
        value: encodeOperationEntry(entry),
      });
    this.#state = effect.state;
    this.#putState(out);
  }

  #putState(out: Change[]): void {
    const copySeq = this.#copySeq === untrueCopy ? null : this.#copySeq;
    const value = encodeState({ state: this.#state, sum: this.#sum, copySeq });
    out.push({ kind: 'put', key: keys.state(this.#number), value });
  }

  /**
   * The batch that removes tombstones which are still the newest of their points.
   * @returns its number, for `collected`, and null when there is nothing to do
   */
  collect(tombstones: readonly BySeqEntry[]): { persist: number; changes: Change[] } | null {
    this.#collections -= 1;
    const batch: Batch = {
      out: [],
      persist: this.#collections,
      digests: new DigestChange(this.#sum),
      touched: [],
    };
    for (const { id, seq, ordinal } of tombstones) {
      const head = this.#headOf(id);
      if (head?.isTombstone === true && head.seq === seq && head.ordinal === ordinal) this.#absent(batch, id);
    }
    if (batch.out.length === 0) return null;
    this.#touched.set(batch.persist, batch.touched);
    this.#putState(batch.out);
    return { persist: batch.persist, changes: batch.out };
  }

  /** Everything up to this persist effect is durable and on its way into memory: store and memory tell what there is. */
  durableUpTo(persist: number): void {
    for (const touched of this.#touched.keys()) {
      if (touched > persist) break;
      if (touched > 0) this.#settle(touched);
    }
  }

  collected(persist: number): void {
    this.#settle(persist);
  }

  #settle(persist: number): void {
    for (const id of this.#touched.get(persist) ?? [])
      if (this.#pending.get(id)?.persist === persist) this.#pending.delete(id);
    this.#touched.delete(persist);
  }

  /**
   * The batch that writes a record again as it was: another replica's, of the version that the index here names.
   * @returns null: the index names another version, or the point is being changed
   */
  mended({ seq, ordinal, term, change }: StoredRecord<OrderedChange>): Change[] | null {
    const { id } = change;
    const number = this.#number;
    const at = keys.bySeq(number, seq, ordinal, term);
    const entry = this.#pending.has(id) ? undefined : this.#store.getSync(at);
    if (entry === undefined || decodeBySeq(at, entry).id !== id) return null;
    const isTombstone = change.kind === 'delete';
    const head = { seq, ordinal, term, isTombstone, contentCrc: isTombstone ? 0 : change.contentCrc };
    const payload = isTombstone ? noPayload : change.payload;
    const out: Change[] = [putPoint(keyOfId(this.#pointPrefix, id), { ...head, payload })];
    for (const name of this.#vectorNames) {
      const vector = isTombstone ? undefined : change.vectors.get(name);
      const key = this.#vectorKey(name, id);
      out.push(vector === undefined ? { kind: 'delete', key } : { kind: 'put', key, ...vectorParts(vector) });
    }
    return out;
  }

  /** Whether a write that was given and not applied yet takes points away without a tombstone. */
  removes(write: object): boolean {
    return (this.#written.get(write)?.absent.length ?? 0) > 0;
  }

  /** What came of a write (or operation) when it was written, to be applied now; once. */
  takeWritten(write: object): Written {
    const written = this.#written.get(write);
    assert(written !== undefined, 'a write is applied that was not written, or twice');
    this.#written.delete(write);
    return written;
  }

  #operation(batch: Batch, operation: Extract<Write, { kind: 'operation' }>['operation']): void {
    const { seq, term, changes } = operation;
    for (const [ordinal, change] of changes.entries()) {
      const before = this.#put(batch, { seq, term, ordinal, change });
      if (before === null) continue;
      for (const name of change.removed)
        batch.out.push({ kind: 'delete', key: this.#vectorKey(name, change.id) });
    }
  }

  /** A record as it is, whatever was there. */
  #whole(batch: Batch, record: StoredRecord<OrderedChange>): void {
    const { change } = record;
    const before = this.#put(batch, record);
    if (before === null) return;
    for (const name of this.#vectorNames)
      if (change.kind === 'delete' || !change.vectors.has(name))
        batch.out.push({ kind: 'delete', key: this.#vectorKey(name, change.id) });
  }

  #put(batch: Batch, { seq, term, ordinal, change }: StoredRecord<OrderedChange>): PointRecordHead | null {
    const { id } = change;
    const number = this.#number;
    const before = this.#dropIndexEntry(batch, id);
    const isTombstone = change.kind === 'delete';
    const head = { seq, ordinal, term, isTombstone, contentCrc: isTombstone ? 0 : change.contentCrc };
    const payload = isTombstone ? noPayload : change.payload;
    batch.out.push(putPoint(keyOfId(this.#pointPrefix, id), { ...head, payload }));
    batch.out.push({
      kind: 'put',
      key: keys.bySeq(number, seq, ordinal, term),
      value: encodeBySeq(id, head),
    });
    if (change.kind === 'put')
      for (const [name, vector] of change.vectors)
        batch.out.push({ kind: 'put', key: this.#vectorKey(name, id), ...vectorParts(vector) });
    batch.digests.add({ id, ...head });
    this.#touch(batch, id, head);
    return before;
  }

  #absent(batch: Batch, id: PointId): void {
    if (this.#dropIndexEntry(batch, id) === null) return;
    batch.out.push({ kind: 'delete', key: keys.point(this.#number, id) });
    for (const name of this.#vectorNames) batch.out.push({ kind: 'delete', key: this.#vectorKey(name, id) });
    this.#touch(batch, id, null);
  }

  #dropIndexEntry(batch: Batch, id: PointId): PointRecordHead | null {
    const before = this.#headOf(id);
    if (before === null) return null;
    batch.out.push({
      kind: 'delete',
      key: keys.bySeq(this.#number, before.seq, before.ordinal, before.term),
    });
    batch.digests.remove({ id, ...before });
    return before;
  }

  #touch(batch: Batch, id: PointId, head: PointRecordHead | null): void {
    this.#pending.set(id, { persist: batch.persist, head });
    batch.touched.push(id);
  }

  #vectorKey(name: string, id: PointId): Uint8Array {
    let prefix = this.#vectorPrefixes.get(name);
    if (prefix === undefined)
      this.#vectorPrefixes.set(name, (prefix = Uint8Array.from(keys.vectors(this.#number, name).from)));
    return keyOfId(prefix, id);
  }

  /** Where the newest record of a point is in the order, a tombstone's too; null when there is none. */
  #headOf(id: PointId): PointRecordHead | null {
    const pending = this.#pending.get(id);
    if (pending !== undefined) return pending.head;
    // Spares a load of new points a read of the store for each.
    if (this.#sum.tombstones === 0 && this.#isSurelyDead(id)) return null;
    const value = this.#store.getSync(keyOfId(this.#pointPrefix, id));
    return value === undefined ? null : decodePoint(value);
  }
}

/** A catch-up begins: nothing is written yet, and from here on records may be a mixture. */
export function isPlan(effect: Persist): boolean {
  return effect.write === null && effect.state.mode === 'catch_up';
}

/** Records up to what is applied may be others after it, and memory follows only later. */
export function mixesRecords(effect: Persist): boolean {
  return isPlan(effect) || (effect.write !== null && effect.write.kind !== 'operation');
}

export interface Written {
  readonly digests: DigestChange;
  /** Records that replaced what was there, and points that lost theirs; of an operation none. */
  readonly records: readonly StoredRecord<OrderedChange>[];
  readonly absent: readonly PointId[];
}

interface Batch {
  readonly out: Change[];
  readonly persist: number;
  readonly digests: DigestChange;
  readonly touched: PointId[];
}
