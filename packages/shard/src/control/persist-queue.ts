/**
 * Makes the writes of one replica durable, in order, through the node's one commit loop. Always: batches are made and
 * submitted in the order of their effects; a batch that must see what earlier ones left waits for them, and later ones
 * wait behind it; writes that become durable together are reported together.
 */
import type { Change, Store } from '@quiver/storage';
import type { Persist, ReplicaRecords } from './replica-records.ts';

export interface PersistQueueOptions {
  readonly store: Store;
  readonly records: ReplicaRecords;
  /** What must be in the batch beside the records, and what to do once it is durable. */
  readonly withBatch: (effect: Persist) => { readonly changes: readonly Change[]; onDurable(): void } | null;
  /** Everything up to this effect is durable. */
  readonly onDurable: (persist: number) => void;
  readonly onFailure: (error: unknown) => void;
}

export class PersistQueue {
  readonly #options: PersistQueueOptions;
  #waiting: Persist[] = [];
  #isWaiting = false;
  #inFlight = 0;
  #durable = 0;
  #reported = 0;
  #isReportDue = false;
  #isStopped = false;
  #onQuiet: (() => void)[] = [];

  constructor(options: PersistQueueOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight + this.#waiting.length;
  }

  push(effect: Persist): void {
    if (this.#isStopped) return;
    if (this.#isWaiting || this.#options.records.needsQuiet(effect)) {
      this.#waiting.push(effect);
      if (!this.#isWaiting) void this.#drain();
      return;
    }
    this.#submit(effect, this.#options.records.batchOf(effect));
  }

  /** Commits a batch that is no effect of the machine, in order with them. @throws StorageError */
  async aside(changes: readonly Change[], { essential = true } = {}): Promise<void> {
    this.#inFlight += 1;
    try {
      await this.#options.store.commit(changes, { essential });
    } finally {
      this.#landed();
    }
  }

  /** Resolves when nothing is on its way any more. */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#waiting = [];
    return this.#quiet();
  }

  #quiet(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onQuiet.push(resolve));
  }

  async #drain(): Promise<void> {
    const { records } = this.#options;
    this.#isWaiting = true;
    try {
      for (let effect = this.#waiting.shift(); effect !== undefined; effect = this.#waiting.shift()) {
        if (records.needsQuiet(effect)) await this.#quiet();
        const changes = records.needsQuiet(effect)
          ? await records.quietBatchOf(effect)
          : records.batchOf(effect);
        if (!this.#isStopped) this.#submit(effect, changes);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isWaiting = false;
    }
  }

  #submit(effect: Persist, changes: Change[]): void {
    const { store, withBatch } = this.#options;
    const beside = withBatch(effect);
    if (beside !== null) changes.push(...beside.changes);
    this.#inFlight += 1;
    store.commit(changes, { essential: true }).then(
      () => {
        beside?.onDurable();
        this.#durable = effect.persist;
        this.#landed();
        this.#reportSoon();
      },
      (error: unknown) => {
        this.#landed();
        this.#fail(error);
      },
    );
  }

  /** All requests of a commit group settle in one turn of the microtask queue: they are reported as one. */
  #reportSoon(): void {
    if (this.#isReportDue) return;
    this.#isReportDue = true;
    queueMicrotask(() => {
      this.#isReportDue = false;
      if (this.#isStopped || this.#reported === this.#durable) return;
      this.#reported = this.#durable;
      this.#options.onDurable(this.#durable);
    });
  }

  #landed(): void {
    this.#inFlight -= 1;
    if (this.#inFlight > 0) return;
    for (const done of this.#onQuiet.splice(0)) done();
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    void this.stop();
    this.#options.onFailure(error);
  }
}
