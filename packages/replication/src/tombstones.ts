/**
 * How far tombstones may be collected. Always: not above what every placed copy has (one that is away holds all up), not
 * above what is committed, and not younger than the age limit, counted from when this primary ordered them.
 */
import type { ReplicaCore } from './core.ts';

export class TombstoneHorizon<Change, Key> {
  readonly #core: ReplicaCore<Change, Key>;
  /** When `seq` was the last one; ascending. */
  #marks: readonly { readonly seq: number; readonly ms: number }[] = [];

  constructor(core: ReplicaCore<Change, Key>) {
    this.#core = core;
  }

  /** @param lowestSeq - position of the copy that is furthest behind */
  tick(lowestSeq: number): void {
    const { nowMs, limits, state, committedSeq } = this.#core;
    const newest = this.#marks.at(-1);
    if (newest === undefined || nowMs - newest.ms >= limits.tombstoneMarkEveryMs)
      // Anew: an array that is pushed to has room for seventeen, and there is one for each of thousands of replicas.
      this.#marks = [...this.#marks, { seq: state.lastSeq, ms: nowMs }];
    let oldEnoughSeq = 0;
    while (this.#marks.length > 1 && nowMs - this.#marks[1]!.ms >= limits.tombstoneAgeMs)
      this.#marks = this.#marks.slice(1);
    if (nowMs - this.#marks[0]!.ms >= limits.tombstoneAgeMs) oldEnoughSeq = this.#marks[0]!.seq;
    this.#core.raiseTombstoneHorizon(Math.min(oldEnoughSeq, lowestSeq, committedSeq));
  }
}
