/**
 * A copy of all rows of a small replica in one record, beside the records of its points: a start reads it and what was written
 * since, not three records of each point. Always: it is written while nothing comes, if that is within an hour, and only as a whole, of
 * memory that has all that the records up to its seq say; a batch that makes it untrue takes it away, and the state says in each batch
 * which one is true (replica-records.ts); it is never needed.
 */
import type { Env } from '@quiver/env';
import type { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import { ClusterError } from '@quiver/model';
import { packedBytes, packRows, unpackRows, type SegmentReader, type SegmentSchema } from '@quiver/segment';
import { StorageError, type Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import type { PersistQueue } from './persist-queue.ts';
import { keys } from './records.ts';
import type { Replica } from './replica.ts';
import { untrueCopy, type ReplicaRecords } from './replica-records.ts';
import type { Turns } from './turns.ts';

/** Fewer are read as fast one by one; more are scanned by codes, which are not part of a copy. */
const rowsMin = 16;
const rowsMax = 1_023;
const bytesMax = 1 << 20;
/** A write makes that of a whole copy due, so there must be a share of it that is new, or nothing else to do for long. */
const changedShareMin = 1 / 4;
const idleMs = 10_000;
const staleMs = 600_000;
/** Deletions since a copy keep their tombstones: it does not wait longer for a pause of the writes. */
const oldMs = 3_600_000;
const retryMs = 60_000;
/** From one copy to the next of its turn. */
const pauseMs = 20;

/** 1 was that of copies that no state names. */
const format = 2;
const headBytes = 16;

function encodeHead(seq: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(headBytes);
  bytes.writeUInt32LE(format, 0);
  bytes.writeUInt32LE(0, 4);
  bytes.writeBigUInt64LE(BigInt(seq), 8);
  return bytes;
}

/** What a replica's start has of its copy. */
export interface LoadedCopy {
  /** Every change up to it is in `reader`; `untrueCopy`: there is a record, and it is of no use. */
  readonly seq: number;
  readonly reader: SegmentReader | null;
}

/**
 * @param statedSeq - of the copy that the state names; null: none is true, or none is wanted
 * @returns null: there is none
 * @throws StorageError but for corruption; ArenaBudgetError
 */
export function loadCopy(
  store: Pick<Store, 'getSync'>,
  number: number,
  statedSeq: number | null,
  options: {
    readonly schema: SegmentSchema;
    readonly segmentId: number;
    readonly pool: ArenaPool;
    readonly directory: ArenaDirectory;
    readonly log: Log;
  },
): LoadedCopy | null {
  const { schema, segmentId: id, pool, directory, log } = options;
  try {
    const value = store.getSync(keys.copy(number));
    if (value === undefined) return null;
    const head = Buffer.from(value.buffer, value.byteOffset, headBytes);
    const seq = Number(head.readBigUInt64LE(8));
    // Another version wrote to this folder since, or made the copy.
    if (head.readUInt32LE(0) !== format || seq !== statedSeq) return { seq: untrueCopy, reader: null };
    // Base 0: no saved segment has any of its rows, so a manifest must have all records replayed as long as they are apart.
    const place = { id, baseGroup: 0 };
    return { seq, reader: unpackRows(pool, directory, schema, value.subarray(headBytes), place) };
  } catch (error) {
    const isOfNoUse = error instanceof StorageError || error instanceof ClusterError;
    if (!isOfNoUse || error.code !== 'corruption') throw error;
    log.warn('the copy of a small replica is of no use: the records are read', { replica: number, error });
    return { seq: untrueCopy, reader: null };
  }
}

export interface SmallCopyOptions {
  readonly records: Pick<ReplicaRecords, 'copySeq' | 'copyBatch' | 'copyFailed'>;
  readonly persists: Pick<PersistQueue, 'aside'>;
  /** null: memory is not open. */
  readonly replica: () => Replica | null;
  /** Memory has what the records say up to what is applied, and nothing is at work on its segments. */
  readonly isAtRest: () => boolean;
  /** Of copies of all replicas. */
  readonly copyTurns: Turns;
  readonly env: Env;
  readonly log: Log;
}

export class SmallCopy {
  readonly #options: SmallCopyOptions;
  /** Of the replica's changes, those that the copy holds. */
  #changes = 0;
  /** When it was written or found. */
  #writtenMs: number;
  #lastWriteMs: number;
  #cancelTimer: (() => void) | null = null;
  /** Of the timer. */
  #firesMs = Infinity;
  #isStopped = false;

  constructor(options: SmallCopyOptions) {
    this.#options = options;
    this.#lastWriteMs = options.env.now();
    this.#writtenMs = this.#lastWriteMs;
    this.#arm(this.#dueInMs());
  }

  noteWrite(): void {
    this.#lastWriteMs = this.#options.env.now();
    this.#arm(idleMs);
  }

  /** Takes the record away, which is damaged; another one comes soon, where it is of use. @throws StorageError */
  async drop(): Promise<void> {
    const { persists, records } = this.#options;
    const dropping = persists.aside(records.copyBatch(null));
    this.#arm(this.#dueInMs());
    try {
      await dropping;
    } catch (error) {
      records.copyFailed();
      throw error;
    }
  }

  /** Nothing is written any more but what is on its way. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  #arm(delayMs: number | null): void {
    if (delayMs === null || this.#isStopped) return;
    const { env } = this.#options;
    const firesMs = env.now() + delayMs;
    if (firesMs >= this.#firesMs) return;
    this.#cancelTimer?.();
    this.#firesMs = firesMs;
    this.#cancelTimer = env.after(delayMs, () => {
      this.#cancelTimer = null;
      this.#firesMs = Infinity;
      const left = this.#dueInMs();
      if (left === 0) void this.#inTurn();
      else this.#arm(left);
    });
  }

  /** null: nothing is to be written */
  #dueInMs(): number | null {
    const { records, env } = this.#options;
    const replica = this.#options.replica();
    if (replica === null || replica.isDropped) return null;
    const { copySeq } = records;
    const isTrue = copySeq !== null && copySeq !== untrueCopy;
    const isUseful = isUsefulFor(replica);
    const changed = replica.changes - this.#changes;
    if (isUseful ? isTrue && changed === 0 : copySeq === null) return null;
    const isSoon = !isTrue || !isUseful || changed >= changedShareMin * replica.points;
    const dueMs = this.#lastWriteMs + (isSoon ? idleMs : staleMs);
    return Math.max(0, Math.min(dueMs, isTrue ? this.#writtenMs + oldMs : Infinity) - env.now());
  }

  async #inTurn(): Promise<void> {
    const { copyTurns, env, isAtRest } = this.#options;
    const endTurn = await copyTurns.take();
    const replica = this.#options.replica();
    if (this.#isStopped || replica === null || this.#dueInMs() !== 0) {
      endTurn();
      return;
    }
    env.after(pauseMs, endTurn);
    if (isAtRest()) await this.#save(replica);
    else this.#arm(idleMs);
  }

  /** Packed and given to the store at once: what makes it untrue comes after it. */
  async #save(replica: Replica): Promise<void> {
    const { records, persists, env, log } = this.#options;
    const seq = replica.applied.load();
    const isUseful = isUsefulFor(replica);
    const packed = isUseful ? packRows(replica.allSegments(), seq) : null;
    if (packed === null && isUseful) {
      // A change is on its way into memory.
      this.#arm(idleMs);
      return;
    }
    this.#changes = replica.changes;
    this.#writtenMs = env.now();
    const batch = records.copyBatch(packed === null ? null : { seq, head: encodeHead(seq), rows: packed });
    try {
      await persists.aside(batch, { essential: false });
    } catch (error) {
      records.copyFailed();
      log.debug('the copy of a small replica was not written', { replica: replica.number, error });
      this.#arm(retryMs);
    }
  }
}

function isUsefulFor(replica: Replica): boolean {
  if (replica.points < rowsMin || replica.points > rowsMax) return false;
  const segments = replica.allSegments();
  return segments.every(({ descriptor }) => descriptor.kind === 'plain') && packedBytes(segments) <= bytesMax;
}
