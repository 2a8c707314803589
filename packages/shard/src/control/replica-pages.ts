/**
 * What copies read for each other, from one snapshot of the store for each answer. Always: a record is whole, its payload
 * and vectors of the same moment; pages end at their budget, an operation is never cut.
 */
import type { Effect, Input, StoredRecord } from '@quiver/replication';
import { decodePointId, pointIdBytes, slotOf, type PointId, type Vector } from '@quiver/model';
import { StorageError, type Store, type StoreSnapshot } from '@quiver/storage';
import { bytesOfRecords, changeTraits, contentCrcOf, type OrderedChange } from './change.ts';
import { bucketOf } from './digests.ts';
import {
  decodeBySeq,
  decodePoint,
  decodeVector,
  keys,
  type BySeqEntry,
  type StoredPoint,
} from './records.ts';

type Record = StoredRecord<OrderedChange>;
type EffectOf<Kind> = Extract<Effect<OrderedChange, PointId>, { kind: Kind }>;
type InputOf<Kind> = Extract<Input<OrderedChange, PointId>, { kind: Kind }>;
type Answer<Kind> = Omit<InputOf<Kind>, 'nowMs'>;
type BucketEntry = InputOf<'bucket_listed'>['entries'][number];

export interface SlotListQuery {
  readonly afterSeq: number;
  readonly limit: number;
  readonly has: (slot: number) => boolean;
}
/** `upToSeq`: everything up to here was looked at; `isEnd`: that was the end of the index. */
export interface SlotList {
  readonly ids: readonly PointId[];
  readonly upToSeq: number;
  readonly isEnd: boolean;
}
export interface SlotQuery extends Omit<SlotListQuery, 'limit'> {
  readonly budgetBytes: number;
  readonly deletionsAfter: number;
}
export interface SlotPage extends Omit<SlotList, 'ids'> {
  readonly changes: readonly OrderedChange[];
  readonly bytes: number;
}

/** Records fetched by one look into the store. */
const stepRecords = 128;
const noNames: readonly string[] = [];

export class ReplicaPages {
  readonly #store: Store;
  readonly #number: number;
  readonly #vectorNames: readonly string[];

  constructor(store: Store, number: number, vectorNames: readonly string[]) {
    this.#store = store;
    this.#number = number;
    this.#vectorNames = vectorNames;
  }

  readKeys({ ask, keys: asked, budgetBytes }: EffectOf<'read_keys'>): Promise<Answer<'page'>> {
    return this.#reading(async (snapshot) => {
      const records: Record[] = [];
      const absent: PointId[] = [];
      let answeredCount = 0;
      let bytes = 0;
      while (answeredCount < asked.length && (bytes < budgetBytes || answeredCount === 0)) {
        const ids = asked.slice(answeredCount, answeredCount + stepRecords);
        const stored = await snapshot.getMany(ids.map((id) => keys.point(this.#number, id)));
        const present = ids.flatMap((id, i) => {
          const value = stored[i];
          if (value === undefined) absent.push(id);
          return value === undefined ? [] : [{ id, point: decodePoint(value) }];
        });
        const found = await this.#records(snapshot, present);
        records.push(...found);
        bytes += bytesOfRecords(found);
        answeredCount += ids.length;
      }
      return { kind: 'page', ask, records, absent, answeredCount, toKey: null, isEnd: false };
    });
  }

  readBySeq({ ask, afterSeq, budgetBytes }: EffectOf<'read_by_seq'>): Promise<Answer<'page'>> {
    return this.#reading(async (snapshot) => {
      const records: Record[] = [];
      let bytes = 0;
      let isEnd = true;
      let waiting: BySeqEntry[] = [];
      const flush = async (): Promise<void> => {
        const found = await this.#bySeqRecords(snapshot, waiting);
        waiting = [];
        records.push(...found);
        bytes += bytesOfRecords(found);
      };
      scan: for await (const page of snapshot.scanPages(this.#above(afterSeq)))
        for (const [keyBytes, value] of page) {
          const entry = decodeBySeq(keyBytes, value);
          const lastSeq = waiting.at(-1)?.seq ?? records.at(-1)?.seq ?? entry.seq;
          // Cut between operations only.
          if (entry.seq !== lastSeq) {
            if (waiting.length >= stepRecords) await flush();
            if (bytes >= budgetBytes) {
              isEnd = false;
              break scan;
            }
          }
          waiting.push(entry);
        }
      await flush();
      return { kind: 'page', ask, records, absent: [], answeredCount: 0, toKey: null, isEnd };
    });
  }

  readRange({ ask, afterKey, budgetBytes }: EffectOf<'read_range'>): Promise<Answer<'page'>> {
    return this.#reading(async (snapshot) => {
      const records: Record[] = [];
      let bytes = 0;
      let toKey: PointId | null = null;
      let waiting: { id: PointId; point: StoredPoint }[] = [];
      const flush = async (): Promise<void> => {
        const found = await this.#records(snapshot, waiting);
        waiting = [];
        records.push(...found);
        bytes += bytesOfRecords(found);
      };
      scan: for await (const page of snapshot.scanPages(keys.pointsAfter(this.#number, afterKey)))
        for (const [keyBytes, value] of page) {
          if (waiting.length >= stepRecords) {
            const last = waiting.at(-1)!.id;
            await flush();
            if (bytes >= budgetBytes) {
              toKey = last;
              break scan;
            }
          }
          const id = decodePointId(keyBytes, keyBytes.length - pointIdBytes);
          waiting.push({ id, point: decodePoint(value) });
        }
      await flush();
      return { kind: 'page', ask, records, absent: [], answeredCount: 0, toKey, isEnd: false };
    });
  }

  listDirty({ ask, aboveSeq, limit }: EffectOf<'list_dirty'>): Promise<Answer<'dirty_listed'>> {
    return this.#reading(async (snapshot) => {
      const found: PointId[] = [];
      for await (const page of snapshot.scanPages({ ...this.#above(aboveSeq), limit: limit + 1 }))
        for (const [keyBytes, value] of page) found.push(decodeBySeq(keyBytes, value).id);
      const isTooMany = found.length > limit;
      return { kind: 'dirty_listed', ask, keys: isTooMany ? [] : found, isTooMany };
    });
  }

  listBucket({ ask, bucket }: EffectOf<'list_bucket'>): Promise<Answer<'bucket_listed'>> {
    return this.#reading(async (snapshot) => {
      const entries = await this.#bucket(snapshot, bucket);
      return { kind: 'bucket_listed', ask, entries: entries.map(bucketEntry) };
    });
  }

  planRepair(effect: EffectOf<'plan_repair'>): Promise<Answer<'repair_planned'>> {
    const { ask, seq, bucket, entries } = effect;
    return this.#reading(async (snapshot) => {
      const theirs = new Map(entries.map((entry) => [entry.key, entry]));
      const own = await this.#bucket(snapshot, bucket);
      const differing: BySeqEntry[] = [];
      for (const entry of own) {
        const other = theirs.get(entry.id);
        theirs.delete(entry.id);
        const isSame =
          other?.seq === entry.seq &&
          other.ordinal === entry.ordinal &&
          other.contentCrc === entry.contentCrc;
        if (!isSame && entry.seq <= seq && (other?.seq ?? 0) <= seq) differing.push(entry);
      }
      // Live there and not here: a tombstone here says when it went, or nothing is known of it any more.
      const extra = [...theirs.values()].filter((entry) => entry.seq <= seq).map(({ key }) => key);
      const stored = await snapshot.getMany(extra.map((id) => keys.point(this.#number, id)));
      const present = extra.flatMap((id, i) => {
        const value = stored[i];
        return value === undefined ? [] : [{ id, point: decodePoint(value) }];
      });
      const tombstones = await this.#records(
        snapshot,
        present.filter(({ point }) => point.seq <= seq),
      );
      const records = [...(await this.#bySeqRecords(snapshot, differing)), ...tombstones];
      const absent = extra.filter((_, i) => stored[i] === undefined);
      return { kind: 'repair_planned', ask, records, absent };
    });
  }

  /**
   * Points of some slots as they are now, after `afterSeq` in the order: whole, as changes that make them out of anything.
   * Deletions only after `deletionsAfter`.
   */
  readSlots(query: SlotQuery): Promise<SlotPage> {
    const { afterSeq, budgetBytes, has, deletionsAfter } = query;
    return this.#reading(async (snapshot) => {
      const changes: OrderedChange[] = [];
      let [bytes, upToSeq, isEnd] = [0, afterSeq, true];
      let waiting: BySeqEntry[] = [];
      const flush = async (): Promise<void> => {
        for (const { change } of await this.#bySeqRecords(snapshot, waiting)) {
          changes.push(this.#fromScratch(change));
          bytes += changeTraits.bytesOf(change);
        }
        waiting = [];
      };
      scan: for await (const page of snapshot.scanPages(this.#above(afterSeq)))
        for (const [keyBytes, value] of page) {
          const entry = decodeBySeq(keyBytes, value);
          // Cut between operations only.
          if (entry.seq !== upToSeq) {
            if (waiting.length >= stepRecords) await flush();
            if (bytes >= budgetBytes) {
              isEnd = false;
              break scan;
            }
          }
          upToSeq = entry.seq;
          if (has(slotOf(entry.id)) && (!entry.isTombstone || entry.seq > deletionsAfter))
            waiting.push(entry);
        }
      await flush();
      return { changes, bytes, upToSeq, isEnd };
    });
  }

  /** Present points of some slots, after `afterSeq` in the order, about `limit`. */
  listSlots({ afterSeq, limit, has }: SlotListQuery): Promise<SlotList> {
    return this.#reading(async (snapshot) => {
      const ids: PointId[] = [];
      let upToSeq = afterSeq;
      for await (const page of snapshot.scanPages(this.#above(afterSeq)))
        for (const [keyBytes, value] of page) {
          const entry = decodeBySeq(keyBytes, value);
          if (entry.seq !== upToSeq && ids.length >= limit) return { ids, upToSeq, isEnd: false };
          upToSeq = entry.seq;
          if (!entry.isTombstone && has(slotOf(entry.id))) ids.push(entry.id);
        }
      return { ids, upToSeq, isEnd: true };
    });
  }

  #fromScratch(change: OrderedChange): OrderedChange {
    const names = this.#vectorNames;
    if (change.kind === 'delete') return { ...change, removed: names };
    const { payload, vectors } = change;
    const removed = names.filter((name) => !vectors.has(name));
    return { ...change, removed, contentCrc: contentCrcOf(payload, vectors) };
  }

  /** Tombstones up to `seq`, at most `limit`, oldest first. */
  tombstones(upToSeq: number, limit: number): Promise<BySeqEntry[]> {
    return this.#reading(async (snapshot) => {
      const found: BySeqEntry[] = [];
      const range = {
        from: keys.bySeq(this.#number, 0, 0, 0),
        to: keys.bySeq(this.#number, upToSeq + 1, 0, 0),
      };
      for await (const page of snapshot.scanPages(range))
        for (const [keyBytes, value] of page) {
          const entry = decodeBySeq(keyBytes, value);
          if (entry.isTombstone) found.push(entry);
          if (found.length >= limit) return found;
        }
      return found;
    });
  }

  async #reading<T>(read: (snapshot: StoreSnapshot) => Promise<T>): Promise<T> {
    const snapshot = this.#store.snapshot();
    try {
      return await read(snapshot);
    } finally {
      await snapshot.close();
    }
  }

  #above(seq: number): { from: Uint8Array; to: Uint8Array } {
    return { from: keys.bySeq(this.#number, seq + 1, 0, 0), to: keys.bySeqEnd(this.#number) };
  }

  async #bucket(snapshot: StoreSnapshot, bucket: number): Promise<BySeqEntry[]> {
    const found: BySeqEntry[] = [];
    for await (const page of snapshot.scanPages(this.#above(-1)))
      for (const [keyBytes, value] of page) {
        const entry = decodeBySeq(keyBytes, value);
        if (!entry.isTombstone && bucketOf(entry.id) === bucket) found.push(entry);
      }
    return found;
  }

  async #bySeqRecords(snapshot: StoreSnapshot, entries: readonly BySeqEntry[]): Promise<Record[]> {
    const records: Record[] = [];
    for (let from = 0; from < entries.length; from += stepRecords) {
      const some = entries.slice(from, from + stepRecords);
      const stored = await snapshot.getMany(some.map(({ id }) => keys.point(this.#number, id)));
      const present = some.map(({ id, seq }, i) => {
        const value = stored[i];
        const point = value === undefined ? null : decodePoint(value);
        if (point?.seq !== seq)
          throw new StorageError(
            'corruption',
            `point ${id} has an index entry of seq ${seq} and no such record`,
          );
        return { id, point };
      });
      records.push(...(await this.#records(snapshot, present)));
    }
    return records;
  }

  /** With their vectors. */
  async #records(
    snapshot: StoreSnapshot,
    points: readonly { readonly id: PointId; readonly point: StoredPoint }[],
  ): Promise<Record[]> {
    const names = this.#vectorNames;
    const wanted = points.flatMap(({ id, point }) =>
      point.isTombstone ? [] : names.map((name) => keys.vector(this.#number, name, id)),
    );
    const values = await snapshot.getMany(wanted);
    let at = 0;
    return points.map(({ id, point }) => {
      const { seq, ordinal, term, contentCrc, payload } = point;
      if (point.isTombstone) return { seq, ordinal, term, change: { kind: 'delete', id, removed: noNames } };
      const vectors = new Map<string, Vector>();
      for (const name of names) {
        const value = values[at];
        at += 1;
        if (value !== undefined) vectors.set(name, decodeVector(value));
      }
      const whole = { id, payload, vectors, kept: noNames, removed: noNames, contentCrc };
      return { seq, ordinal, term, change: { kind: 'put', ...whole } };
    });
  }
}

function bucketEntry({ id, seq, ordinal, contentCrc }: BySeqEntry): BucketEntry {
  return { key: id, seq, ordinal, contentCrc };
}
