/**
 * Removes tombstones that no copy needs any more, in the background. Always: paced, a bounded batch at a time; a
 * tombstone that a saved segment still needs waits.
 */
import type { Env } from '@quiver/env';
import type { PersistQueue } from './persist-queue.ts';
import type { ReplicaPages } from './replica-pages.ts';
import type { ReplicaRecords } from './replica-records.ts';

export interface TombstoneCollectorOptions {
  readonly env: Env;
  readonly pages: ReplicaPages;
  readonly records: ReplicaRecords;
  readonly persists: PersistQueue;
  /** Tombstones above it must stay for now. */
  readonly limitSeq: () => number;
  readonly onFailure: (error: unknown) => void;
}

const batchTombstones = 256;
const pauseMs = 20;
/** Until what kept tombstones may have changed. */
const waitMs = 60_000;

export class TombstoneCollector {
  readonly #options: TombstoneCollectorOptions;
  #upToSeq = 0;
  #cancelTimer: (() => void) | null = null;
  #isRunning = false;
  #isStopped = false;

  constructor(options: TombstoneCollectorOptions) {
    this.#options = options;
  }

  collect(upToSeq: number): void {
    this.#upToSeq = Math.max(this.#upToSeq, upToSeq);
    this.#schedule(0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped || this.#isRunning) return;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#options.env.after(delayMs, () => {
      this.#cancelTimer = null;
      this.#isRunning = true;
      this.#run().then(
        (delay) => {
          this.#isRunning = false;
          if (delay !== null) this.#schedule(delay);
        },
        (error: unknown) => {
          this.#isRunning = false;
          if (!this.#isStopped) this.#options.onFailure(error);
        },
      );
    });
  }

  /** @returns when to go on, null: all is done */
  async #run(): Promise<number | null> {
    const { pages, records, persists, limitSeq } = this.#options;
    const upToSeq = Math.min(this.#upToSeq, limitSeq());
    const found = await pages.tombstones(upToSeq, batchTombstones);
    if (this.#isStopped) return null;
    const batch = records.collect(found);
    if (batch !== null) {
      await persists.aside(batch.changes);
      records.collected(batch.persist);
    }
    if (found.length === batchTombstones) return pauseMs;
    return upToSeq < this.#upToSeq ? waitMs : null;
  }
}
