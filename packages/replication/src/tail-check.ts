/**
 * Before it leads for the first time since its process started, a replica compares the end of its order with the others in
 * sync: a disk may have lost the last of what it had confirmed and show no trace of it (the witness beside it, the tail
 * anchor of @quiver/storage, is up to a second old). Always: one that is behind another in sync copy gives the role to it
 * and follows; it leads when one in sync whose end is surely whole is not ahead, when all have answered and none is, or
 * when those that are silent have been waited for. Only what is durable is told and compared. What it knows of the in-sync
 * set may be older than its end: a check counts for a set whose members it compared with, and not for another.
 */
import type { ReplicaCore } from './core.ts';
import type { TailMessage } from './message.ts';
import type { AllocId, ShardView } from './state.ts';
import { isAhead } from './tail-position.ts';

export type Tail = Extract<TailMessage, { kind: 'tail' }>;

export class TailCheck<Change, Key> {
  readonly #core: ReplicaCore<Change, Key>;
  /** Term whose beginning was waiting when the check ended; 0: there was none. */
  endedInTerm = 0;
  /** Not ahead, or silent for long. */
  #compared: ReadonlySet<AllocId> = new Set();
  /** Those of them that surely have all. */
  #vouching: ReadonlySet<AllocId> = new Set();
  /** That the answers are of. */
  #term = 0;
  #answers = new Map<AllocId, Tail>();
  /** When others were asked first. */
  #sinceMs: number | null = null;
  #sentMs = -Infinity;
  #proposedMs = -Infinity;

  constructor(core: ReplicaCore<Change, Key>) {
    this.#core = core;
  }

  /** Asks, or gives the role away, when it is time to. REQUIRES: `view` names this replica. @returns whether it may lead */
  mayLead(view: ShardView): boolean {
    const core = this.#core;
    const { nowMs, limits } = core;
    if (core.isTailWhole || !core.rules.comparesTails) return true;
    const others = view.isr.filter((member) => member !== core.allocId);
    if (this.#isDoneFor(others)) return true;
    if (view.term !== this.#term) {
      this.#term = view.term;
      this.#answers.clear();
      this.#sentMs = -Infinity;
    }
    this.#sinceMs ??= nowMs;
    const ahead = this.#furthest(others);
    if (ahead !== null) {
      if (nowMs - this.#proposedMs < limits.proposeEveryMs) return false;
      this.#proposedMs = nowMs;
      core.emit({ kind: 'propose_hand_over', term: view.term, to: ahead });
      return false;
    }
    const silent = others.filter((member) => !this.#answers.has(member));
    const vouching = others.filter((member) => this.#answers.get(member)?.isWhole === true);
    const isOver = nowMs - this.#sinceMs >= limits.tailWaitMs;
    if (vouching.length > 0 || silent.length === 0 || isOver) {
      this.#compared = new Set(others.filter((member) => isOver || this.#answers.has(member)));
      this.#vouching = new Set(vouching);
      this.#sinceMs = null;
      this.endedInTerm = view.term;
      return true;
    }
    if (nowMs - this.#sentMs < limits.resendAfterMs) return false;
    this.#sentMs = nowMs;
    for (const member of silent)
      core.send(member, { kind: 'tail_asked', term: view.term, nonce: core.startId });
    return false;
  }

  #isDoneFor(others: readonly AllocId[]): boolean {
    if (this.endedInTerm === 0) return false;
    return (
      others.some((member) => this.#vouching.has(member)) ||
      others.every((member) => this.#compared.has(member))
    );
  }

  receive(from: AllocId, message: TailMessage): void {
    const core = this.#core;
    const { kind, term, nonce } = message;
    if (kind === 'tail') {
      if (term === this.#term && nonce === core.startId) this.#answers.set(from, message);
      return;
    }
    // Whoever asks in an older term will not lead in it.
    if (term < core.knownTerm) return;
    core.send(from, { kind: 'tail', term, nonce, ...core.durableTail, isWhole: core.isTailWhole });
  }

  /** Of those that are ahead of this replica the one that is furthest; null: none is. */
  #furthest(members: readonly AllocId[]): AllocId | null {
    let [furthest, best] = [null as AllocId | null, this.#core.durableTail];
    for (const member of members) {
      const tail = this.#answers.get(member);
      if (tail === undefined || !isAhead(tail, best)) continue;
      [furthest, best] = [member, tail];
    }
    return furthest;
  }
}
