/**
 * A copy of all rows of a small replica in one record, beside the records of its points: a start reads it and what was written
 * since, not three records of each point. Always: it is written while nothing comes, and only as a whole; what it holds is what
 * the records up to its seq say, and a batch that makes this untrue takes it away, after which there is none until the replica is
 * opened anew, since memory follows such a batch only later; it is never needed.
 */
import type { Env } from '@quiver/env';
import type { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import { ClusterError } from '@quiver/model';
import { packedBytes, packRows, unpackRows, type SegmentReader, type SegmentSchema } from '@quiver/segment';
import { StorageError, type Change, type Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import { keys } from './records.ts';
import type { Replica } from './replica.ts';
import type { Turns } from './turns.ts';

/** Fewer are read as fast one by one; more are scanned by codes, which are not part of a copy. */
const rowsMin = 16;
const rowsMax = 1_023;
const bytesMax = 1 << 20;
/** A write makes that of a whole copy due, so there must be a share of it that is new, or nothing else to do for long. */
const changedShareMin = 1 / 4;
const idleMs = 10_000;
const staleMs = 600_000;
const retryMs = 60_000;
/** From one copy to the next of its turn. */
const pauseMs = 20;

const format = 1;
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
  /** Every change up to it is in `reader`; 0: there is a record, and it is of no use. */
  readonly seq: number;
  readonly reader: SegmentReader | null;
}

/**
 * @param newestSeq - of the records
 * @returns null: there is none
 * @throws StorageError but for corruption; ArenaBudgetError
 */
export function loadCopy(
  store: Pick<Store, 'getSync'>,
  number: number,
  newestSeq: number,
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
    if (head.readUInt32LE(0) !== format) throw new ClusterError('corruption', 'it is of another version');
    if (seq > newestSeq)
      throw new ClusterError('corruption', `it has changes up to ${seq}, the records up to ${newestSeq}`);
    return {
      seq,
      reader: unpackRows(pool, directory, schema, value.subarray(headBytes), { id, baseGroup: 0 }),
    };
  } catch (error) {
    const isOfNoUse = error instanceof StorageError || error instanceof ClusterError;
    if (!isOfNoUse || error.code !== 'corruption') throw error;
    log.warn('the copy of a small replica is of no use: the records are read', { replica: number, error });
    return { seq: 0, reader: null };
  }
}

export interface SmallCopyOptions {
  readonly replica: Replica;
  readonly store: Store;
  /** Of copies of all replicas. */
  readonly copyTurns: Turns;
  /** Nothing is at work on the segments. */
  readonly isFree: () => boolean;
  readonly env: Env;
  readonly log: Log;
}

export class SmallCopy {
  readonly #options: SmallCopyOptions;
  /** Of the record, on the disk or on its way; null: there is none. */
  #seq: number | null;
  /** Of the replica's changes, those that it holds. */
  #changes = 0;
  #lastWriteMs: number;
  #cancelTimer: (() => void) | null = null;
  /** Of the timer. */
  #firesMs = Infinity;
  /** Records were written that memory may not have. */
  #isForgotten = false;
  #saving: Promise<void> = Promise.resolve();
  #isStopped = false;

  /** @param seq - of the record that is there, as `loadCopy` says */
  constructor(options: SmallCopyOptions, seq: number | null) {
    this.#options = options;
    this.#seq = seq;
    this.#lastWriteMs = options.env.now();
    this.#arm(this.#dueInMs());
  }

  /** Deletions after it must keep their tombstones. null: there is no copy. */
  get seq(): number | null {
    return this.#seq;
  }

  noteWrite(): void {
    this.#lastWriteMs = this.#options.env.now();
    this.#arm(idleMs);
  }

  /** What is written next makes it untrue. @returns what must be in that batch */
  forget(): Change | null {
    this.#isForgotten = true;
    if (this.#seq === null) return null;
    this.#seq = null;
    this.#changes = 0;
    return { kind: 'delete', key: keys.copy(this.#options.replica.number) };
  }

  /** The record is damaged. */
  saveAgain(): void {
    if (this.#isForgotten) return;
    this.#changes = -1;
    this.#seq = 0;
    this.#arm(0);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer?.();
    await this.#saving;
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
    if (this.#isForgotten) return null;
    const { replica, env } = this.#options;
    const changed = replica.changes - this.#changes;
    const isUseful = this.#isUseful();
    if (changed === 0 || (!isUseful && this.#seq === null) || replica.isDropped) return null;
    const isSoon =
      this.#seq === null || this.#seq === 0 || !isUseful || changed >= changedShareMin * replica.points;
    return Math.max(0, this.#lastWriteMs + (isSoon ? idleMs : staleMs) - env.now());
  }

  #isUseful(): boolean {
    const { replica } = this.#options;
    if (replica.points < rowsMin || replica.points > rowsMax) return false;
    const segments = replica.allSegments();
    return (
      segments.every(({ descriptor }) => descriptor.kind === 'plain') && packedBytes(segments) <= bytesMax
    );
  }

  async #inTurn(): Promise<void> {
    const { copyTurns, env, isFree, log, replica } = this.#options;
    const endTurn = await copyTurns.take();
    if (this.#isStopped || this.#dueInMs() !== 0) {
      endTurn();
      return;
    }
    env.after(pauseMs, endTurn);
    if (!isFree()) {
      this.#arm(idleMs);
      return;
    }
    this.#saving = this.#save().catch((error: unknown) => {
      log.debug('the copy of a small replica was not written', { replica: replica.number, error });
      this.#arm(retryMs);
    });
  }

  /** Packed and given to the store at once: what makes it untrue comes after it. */
  async #save(): Promise<void> {
    const { replica, store } = this.#options;
    const key = keys.copy(replica.number);
    const seq = replica.applied.load();
    const packed = this.#isUseful() ? packRows(replica.allSegments(), seq) : null;
    if (packed === null && this.#isUseful()) {
      // A change is on its way into memory.
      this.#arm(idleMs);
      return;
    }
    const before = [this.#seq, this.#changes] as const;
    this.#seq = packed === null ? null : seq;
    this.#changes = replica.changes;
    try {
      await store.commit([
        packed === null
          ? { kind: 'delete', key }
          : { kind: 'put', key, value: encodeHead(seq), tail: packed },
      ]);
    } catch (error) {
      // It was refused at once; what it made untrue meanwhile stays so.
      if (!this.#isForgotten) [this.#seq, this.#changes] = before;
      throw error;
    }
  }
}
