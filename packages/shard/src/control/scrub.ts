/**
 * Looks at everything a node has stored, in the background: the checksums of all records and of all parts of saved
 * segments. Always: a bounded page at a time, no faster than it may; what is damaged is named to its replica, which
 * mends it; nothing is held open between two pages.
 */
import type { Env } from '@quiver/env';
import { afterPrefix, StorageError, type BlobStore, type Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import { Bandwidth } from './bandwidth.ts';
import { keys } from './records.ts';
import type { ReplicaMending } from './replica-mending.ts';

export interface ScrubbedReplica {
  readonly number: number;
  readonly blobIds: readonly number[];
  readonly mending: Pick<ReplicaMending, 'mendRecord' | 'mendPart'>;
}

export interface ScrubOptions {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly replicas: () => readonly ScrubbedReplica[];
  /** 0: never. */
  readonly bytesPerSecond: number;
  readonly env: Env;
  readonly log: Log;
}

/** Since the start of the process. */
export interface ScrubCounts {
  passes: number;
  bytes: number;
  badRecords: number;
  mendedRecords: number;
  badParts: number;
  mendedParts: number;
}

const firstAfterMs = 60_000;
/** From the end of one pass to the next. */
const restMs = 3_600_000;
const pageEntries = 500;
/** More tables than LevelDB keeps open; a page has about as many bytes as a table. */
const coolingKeysMax = 192;

export class Scrub {
  readonly #options: ScrubOptions;
  readonly #pace: Bandwidth;
  readonly counts: ScrubCounts = {
    passes: 0,
    bytes: 0,
    badRecords: 0,
    mendedRecords: 0,
    badParts: 0,
    mendedParts: 0,
  };
  #cancelTimer: () => void = () => undefined;
  #isStopped = false;
  #isReading = false;
  #working: Promise<void> = Promise.resolve();

  constructor(options: ScrubOptions) {
    this.#options = options;
    this.#pace = new Bandwidth(options.env, options.bytesPerSecond);
    if (options.bytesPerSecond > 0) this.#schedule(firstAfterMs);
  }

  /** A pass is under way. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** @returns when nothing is read any more */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer();
    this.#pace.stop();
    return this.#working;
  }

  #schedule(delayMs: number): void {
    this.#cancelTimer = this.#options.env.after(delayMs, () => {
      this.#isReading = true;
      this.#working = this.#pass()
        .catch((error: unknown) => {
          if (!this.#isStopped) this.#options.log.warn('looking for damaged data broke off', { error });
        })
        .then(() => {
          this.#isReading = false;
          if (!this.#isStopped) this.#schedule(restMs);
        });
    });
  }

  async #pass(): Promise<void> {
    const { replicas, log, env } = this.#options;
    const before = { ...this.counts };
    const startedMs = env.now();
    const firstKeys: Uint8Array[] = [];
    for (const replica of replicas()) {
      await this.#records(replica, firstKeys);
      for (const blob of replica.blobIds) await this.#part(replica, blob);
      if (this.#isStopped) return;
    }
    await this.#coolDown(firstKeys);
    this.counts.passes += 1;
    const bad = this.counts.badRecords + this.counts.badParts - before.badRecords - before.badParts;
    log.info('all stored data were looked at', {
      bytes: this.counts.bytes - before.bytes,
      damaged: bad,
      took_ms: Math.round(env.now() - startedMs),
    });
  }

  /**
   * LevelDB maps the tables it reads, and pages that were read are memory of the process until their table is closed: a look at one key
   * in each of many others closes it.
   */
  async #coolDown(keysOfTables: readonly Uint8Array[]): Promise<void> {
    for (const key of keysOfTables) {
      if (this.#isStopped) return;
      await this.#options.store.get(key).catch(() => undefined);
    }
  }

  /** @param firstKeys - gets a key of each of the first pages of the pass */
  async #records(replica: ScrubbedReplica, firstKeys: Uint8Array[]): Promise<void> {
    const { store } = this.#options;
    let from: Uint8Array = keys.replica(replica.number);
    const to = afterPrefix(from);
    for (;;) {
      const { bytes, badKeys, lastKey } = await store.check({ from, to, limit: pageEntries });
      if (lastKey === null) return;
      for (const key of badKeys) {
        this.counts.badRecords += 1;
        if (await replica.mending.mendRecord(key)) this.counts.mendedRecords += 1;
      }
      if (firstKeys.length < coolingKeysMax) firstKeys.push(lastKey);
      from = Buffer.concat([lastKey, Buffer.of(0)]);
      await this.#read(bytes);
      if (this.#isStopped) return;
    }
  }

  async #part(replica: ScrubbedReplica, blob: number): Promise<void> {
    const { blobs } = this.#options;
    try {
      const bytes = await blobs.size(blob);
      // It was replaced by others meanwhile.
      if (bytes === undefined) return;
      for (let read = 0, chunk = 0; read < bytes && !this.#isStopped; chunk += 1) {
        const found = await blobs.readChunk(blob, chunk);
        if (found === undefined) return;
        read += found.length;
        await this.#read(found.length);
      }
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'corruption') throw error;
      this.counts.badParts += 1;
      if (replica.mending.mendPart(blob)) this.counts.mendedParts += 1;
    }
  }

  async #read(bytes: number): Promise<void> {
    this.counts.bytes += bytes;
    await this.#pace.take(bytes);
  }
}
