/**
 * Whether memory, and what is saved of it, is what the records of a replica say, while catch-ups and repairs replace records. Always: a
 * batch that makes saved segments untrue takes them away (that it does so to the copy of a small replica: replica-records.ts); memory that
 * a catch-up makes untrue is frozen before the batch and given up when it is durable.
 */
import type { Change } from '@quiver/storage';
import { isPlan, mixesRecords, type Persist, type ReplicaRecords } from './replica-records.ts';
import type { SearchState } from './search-state.ts';

export interface MemoryTruthOptions {
  readonly search: SearchState;
  readonly records: ReplicaRecords;
  /** No catch-up was under way when the replica was opened. */
  readonly isClean: boolean;
  /** Segments were fetched and wait for the records. */
  readonly hasSegments: () => boolean;
}

export class MemoryTruth {
  readonly #options: Omit<MemoryTruthOptions, 'isClean'>;
  /** Persist effect that ends the catch-up under way; 0: none is under way. */
  #cleanAfter: number;
  /** Persist effect up to which everything is durable and given to memory. */
  #durable = 0;
  /** The last one that `mixesRecords`. */
  #mixed = 0;
  /** Plans (persist ids) after whose durability memory is given up. */
  #discards: number[] = [];

  constructor({ isClean, ...options }: MemoryTruthOptions) {
    this.#options = options;
    this.#cleanAfter = isClean ? 0 : Infinity;
  }

  /** Every operation up to here is here, and nothing else. A catch-up that begins shows at once, its end when it is durable. */
  get isClean(): boolean {
    return this.#cleanAfter === 0;
  }

  /** Nothing but operations is on its way into memory. */
  get isWhole(): boolean {
    return this.isClean && this.#mixed <= this.#durable;
  }

  /** Before the batch of an effect is made. @returns whether a catch-up begins or ends with it */
  note(effect: Persist): boolean {
    const { search, records, hasSegments } = this.#options;
    const before = records.state;
    if (mixesRecords(effect)) this.#mixed = effect.persist;
    if (isPlan(effect)) {
      const isBlank = before.lastSeq === 0;
      const isFork = effect.state.copiedSeq < before.lastSeq;
      // Records above the fork are replaced by older ones: what was made of them must be made anew. A blank one is
      // filled as it is, unless there are segments to make it from.
      const isMadeAnew = !isBlank || hasSegments();
      if (isFork || (effect.state.rangeCopy !== null && isMadeAnew)) {
        search.freeze();
        this.#discards.push(effect.persist);
      }
    }
    if (before.mode === effect.state.mode) return false;
    this.#cleanAfter = effect.state.mode === 'clean' ? effect.persist : Infinity;
    return true;
  }

  /** Saved segments that the batch makes untrue go with it. REQUIRES: the batch was made */
  beside(effect: Persist): { readonly changes: readonly Change[]; readonly onDurable: () => void } | null {
    const { search, records } = this.#options;
    const { write, state } = effect;
    const isUntrue =
      write === null
        ? isPlan(effect) && (state.rangeCopy !== null || (search.manifest()?.asOf ?? 0) > state.copiedSeq)
        : write.kind !== 'operation' && records.removes(write);
    return isUntrue ? search.forgetManifest() : null;
  }

  /** Everything up to this effect is durable. @returns how often memory is to be given up for it */
  takeDiscards(persist: number): number {
    const count = this.#discards.filter((plan) => plan <= persist).length;
    this.#discards.splice(0, count);
    return count;
  }

  /** Everything up to this effect is durable and given to memory. @returns whether a catch-up has ended with it */
  durable(persist: number): boolean {
    this.#durable = persist;
    if (this.#cleanAfter === 0 || persist < this.#cleanAfter) return false;
    this.#cleanAfter = 0;
    return true;
  }
}
