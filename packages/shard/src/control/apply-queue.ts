/**
 * Brings durable writes into the searchable state, in order. Always: nothing overtakes; while memory is opened anew the
 * queue waits, and what is recovered meanwhile is not applied twice (Replica.applyChange); without memory (in the middle
 * of a copy) writes only count in the digests.
 */
import type { Effect } from '@quiver/replication';
import type { PointId } from '@quiver/model';
import type { OrderedChange } from './change.ts';
import type { BucketDigests } from './digests.ts';
import type { ReplicaRecords } from './replica-records.ts';
import type { SearchState } from './search-state.ts';
import { markedConfiguration } from './slot-mark.ts';

type EffectOf<Kind> = Extract<Effect<OrderedChange, PointId>, { kind: Kind }>;
export type ApplyTask =
  EffectOf<'apply' | 'install' | 'publish' | 'take_digests'> | { readonly kind: 'discard' };

export interface ApplyQueueOptions {
  readonly search: SearchState;
  readonly records: ReplicaRecords;
  readonly digests: BucketDigests;
  /** Before memory is made from the records. */
  readonly beforeOpen: () => Promise<void>;
  readonly onPublished: (publish: number) => void;
  /** Memory was made anew. */
  readonly onOpened: () => void;
  readonly onDigests: (ask: number, buckets: Uint32Array) => void;
  /** Memory could not take what is durable: the replica can not go on. */
  readonly onFailure: (error: unknown) => void;
}

export class ApplyQueue {
  readonly #options: ApplyQueueOptions;
  #waiting: ApplyTask[] = [];
  #isOpening = false;
  #isStopped = false;

  constructor(options: ApplyQueueOptions) {
    this.#options = options;
  }

  /** Everything that was given is done. */
  get isIdle(): boolean {
    return !this.#isOpening;
  }

  stop(): void {
    this.#isStopped = true;
    this.#waiting = [];
  }

  push(task: ApplyTask): void {
    if (this.#isStopped) return;
    if (this.#isOpening) this.#waiting.push(task);
    else this.#do(task);
  }

  #do(task: ApplyTask): void {
    const { search, records, digests, onPublished, onFailure } = this.#options;
    try {
      switch (task.kind) {
        case 'apply': {
          const { changes, seq, receipt } = task.operation;
          const { replica } = search;
          const marked = markedConfiguration(receipt);
          if (marked !== null) search.raiseConfigurationMin(marked);
          replica?.expect(changes.length);
          if (replica !== null) for (const change of changes) replica.applyChange(change, seq);
          digests.apply(records.takeWritten(task.operation).digests);
          break;
        }
        case 'install': {
          const written = records.takeWritten(task.write);
          const { replica } = search;
          replica?.expect(written.records.length);
          if (replica !== null) {
            for (const { change, seq } of written.records) replica.install(change.id, change, seq);
            for (const id of written.absent) replica.install(id, null, 0);
          }
          digests.apply(written.digests);
          break;
        }
        case 'publish':
          if (search.replica === null) this.#open(task);
          else {
            search.replica.applied.publish(task.seq);
            search.optimizer!.noteWrite();
            onPublished(task.publish);
          }
          break;
        case 'take_digests':
          digests.take((buckets) => {
            if (!this.#isStopped) this.#options.onDigests(task.ask, buckets);
          });
          break;
        case 'discard':
          search.discard();
      }
    } catch (error) {
      this.stop();
      onFailure(error);
    }
  }

  /** Until the end, or until one task opens memory anew. */
  #go(): void {
    while (!this.#isOpening && !this.#isStopped) {
      const task = this.#waiting.shift();
      if (task === undefined) return;
      this.#do(task);
    }
  }

  /** The copy is whole now: memory is made from the records. */
  #open({ publish, seq }: EffectOf<'publish'>): void {
    const { search, records, beforeOpen, onPublished, onFailure } = this.#options;
    this.#isOpening = true;
    const opening = async (): Promise<void> => {
      await beforeOpen();
      if (!this.#isStopped) await search.open(seq, records.copySeq);
    };
    opening().then(
      () => {
        this.#isOpening = false;
        if (this.#isStopped) {
          search.discard();
          return;
        }
        onPublished(publish);
        this.#go();
        this.#options.onOpened();
      },
      (error: unknown) => {
        this.#isOpening = false;
        if (this.#isStopped) return;
        this.stop();
        onFailure(error);
      },
    );
  }
}
