/**
 * A planned move of the primary's role. Always: while it is under way nothing is admitted; meta is asked only when all is
 * committed and the target has all, so the move undoes nothing and makes nobody wait for a catch-up.
 */
import type { ReplicaCore } from './core.ts';
import type { AllocId, ShardView } from './state.ts';

export class HandOver<Change, Key> {
  readonly #core: ReplicaCore<Change, Key>;
  readonly to: AllocId;
  readonly #deadlineMs: number;
  #proposedMs: number | null = null;

  constructor(core: ReplicaCore<Change, Key>, to: AllocId, deadlineMs: number) {
    this.#core = core;
    this.to = to;
    this.#deadlineMs = deadlineMs;
  }

  /** @param targetSeq - what the target has, durable; -1 when it does not stream or is not in sync */
  advance(targetSeq: number): void {
    const { nowMs, state, committedSeq, rules, limits } = this.#core;
    const isDrained = committedSeq === state.lastSeq && targetSeq === state.lastSeq;
    if (!isDrained && rules.drainsBeforeHandOver) return;
    if (this.#proposedMs !== null && nowMs - this.#proposedMs < limits.proposeEveryMs) return;
    this.#proposedMs = nowMs;
    this.#core.emit({ kind: 'propose_hand_over', term: state.term, to: this.to });
  }

  /** @returns whether it is given up */
  isOver(): boolean {
    if (this.#core.nowMs < this.#deadlineMs) return false;
    this.#core.emit({ kind: 'hand_over_ended', isDone: false });
    return true;
  }

  ended(view: ShardView): void {
    this.#core.emit({ kind: 'hand_over_ended', isDone: view.primary === this.to });
  }
}
