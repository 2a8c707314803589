/**
 * Before it leads for the first time since its process started, a replica compares the end of its order with the others in
 * sync: a disk may have lost the last of what it had confirmed and show no trace of it (the witness beside it, the tail
 * anchor of @quiver/storage, is up to a second old). Always: one that is behind another in sync copy gives the role to it
 * and follows; it leads when one in sync whose end is surely whole is not ahead, when all have answered and none is, or
 * when those that are silent have been waited for. (Positions are compared as Raft compares logs, §5.4.1.)
 */
import type { ReplicaCore } from './core.ts';
import { termAt } from './history.ts';
import type { TailMessage } from './message.ts';
import type { AllocId, ShardView } from './state.ts';

export type Tail = Extract<TailMessage, { kind: 'tail' }>;

export class TailCheck<Change, Key> {
  readonly #core: ReplicaCore<Change, Key>;
  /** Term whose beginning was waiting when the check ended; 0: there was none. */
  endedInTerm = 0;
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
    if (view.term !== this.#term) {
      this.#term = view.term;
      this.#answers.clear();
      this.#sentMs = -Infinity;
    }
    this.#sinceMs ??= nowMs;
    const others = view.isr.filter((member) => member !== core.allocId);
    const ahead = this.#furthest(others);
    if (ahead !== null) {
      if (nowMs - this.#proposedMs < limits.proposeEveryMs) return false;
      this.#proposedMs = nowMs;
      core.emit({ kind: 'propose_hand_over', term: view.term, to: ahead });
      return false;
    }
    const silent = others.filter((member) => !this.#answers.has(member));
    const isVouchedFor = others.some((member) => this.#answers.get(member)?.isWhole === true);
    if (isVouchedFor || silent.length === 0 || nowMs - this.#sinceMs >= limits.tailWaitMs) {
      core.isTailWhole = true;
      this.endedInTerm = view.term;
      return true;
    }
    if (nowMs - this.#sentMs < limits.resendAfterMs) return false;
    this.#sentMs = nowMs;
    for (const member of silent)
      core.send(member, { kind: 'tail_asked', term: view.term, nonce: core.startId });
    return false;
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
    core.send(from, { kind: 'tail', term, nonce, ...tailOf(core), isWhole: core.isTailWhole });
  }

  /** Of those that are ahead of this replica the one that is furthest; null: none is. */
  #furthest(members: readonly AllocId[]): AllocId | null {
    let [furthest, best] = [null as AllocId | null, tailOf(this.#core)];
    for (const member of members) {
      const tail = this.#answers.get(member);
      if (tail === undefined || !isAhead(tail, best)) continue;
      [furthest, best] = [member, tail];
    }
    return furthest;
  }
}

/** What is surely here: the newest operation, all before it too, and the newest term that began here with or without one. */
interface TailPosition {
  readonly lastTerm: number;
  readonly lastSeq: number;
}

function tailOf({
  state,
  durableSeq,
  history,
}: Pick<ReplicaCore<unknown, unknown>, 'state' | 'durableSeq' | 'history'>): TailPosition {
  if (state.mode === 'clean') return { lastTerm: history.at(-1)?.term ?? 0, lastSeq: durableSeq };
  return { lastTerm: termAt(history, state.cleanSeq), lastSeq: state.cleanSeq };
}

function isAhead(one: TailPosition, other: TailPosition): boolean {
  return one.lastTerm === other.lastTerm ? one.lastSeq > other.lastSeq : one.lastTerm > other.lastTerm;
}
