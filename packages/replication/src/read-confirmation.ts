/**
 * Linearizable reads: one round of questions confirms, for all reads that were evaluated before it, that no other
 * in-sync replica knows a newer primary; alone, meta is asked. Always: one round at a time, reads that come meanwhile
 * take the next one; a confirmed read still waits until what it saw is committed.
 */
import type { ReplicaCore } from './core.ts';
import type { AllocId } from './state.ts';

interface Read {
  readonly call: number;
  readonly seq: number;
  readonly deadlineMs: number;
}

interface Round {
  readonly number: number;
  readonly waitingFor: Set<AllocId>;
  readonly asksMeta: boolean;
  readonly reads: readonly Read[];
  sentMs: number;
}

export class ReadConfirmation<Change, Key> {
  readonly #core: ReplicaCore<Change, Key>;
  readonly #nonceOf: (member: AllocId) => string;
  readonly #members: () => readonly AllocId[];
  #next: Read[] = [];
  #round: Round | null = null;
  #roundCount = 0;
  #confirmed: Read[] = [];

  /** @param members - the effective in-sync set */
  constructor(
    core: ReplicaCore<Change, Key>,
    nonceOf: (member: AllocId) => string,
    members: () => readonly AllocId[],
  ) {
    this.#core = core;
    this.#nonceOf = nonceOf;
    this.#members = members;
  }

  get count(): number {
    return this.#next.length + (this.#round?.reads.length ?? 0) + this.#confirmed.length;
  }

  add(read: Read): void {
    this.#next.push(read);
    if (this.#round === null) this.#begin();
  }

  confirmed(from: AllocId, round: number): boolean {
    if (this.#round?.number !== round) return false;
    this.#round.waitingFor.delete(from);
    return this.#round.waitingFor.size === 0 && !this.#round.asksMeta;
  }

  end(): void {
    if (this.#round === null) return;
    this.#confirmed.push(...this.#round.reads);
    this.#round = null;
    if (this.#next.length > 0) this.#begin();
    this.answer();
  }

  /** Who is in sync no more need not be asked: the view that says so is of our own term. */
  keepOnly(members: readonly AllocId[]): boolean {
    const round = this.#round;
    if (round === null || round.asksMeta) return false;
    for (const member of [...round.waitingFor])
      if (!members.includes(member)) round.waitingFor.delete(member);
    return round.waitingFor.size === 0;
  }

  answer(): void {
    if (this.#confirmed.length === 0) return;
    const { committedSeq } = this.#core;
    const left = this.#confirmed.filter((read) => read.seq > committedSeq);
    if (left.length === this.#confirmed.length) return;
    for (const { call, seq } of this.#confirmed)
      if (seq <= committedSeq) this.#core.emit({ kind: 'read_confirmed', call });
    this.#confirmed = left;
  }

  tick(): void {
    const { nowMs, limits } = this.#core;
    const isOver = (read: Read): boolean => read.deadlineMs <= nowMs;
    for (const read of [...this.#next, ...(this.#round?.reads ?? []), ...this.#confirmed].filter(isOver))
      this.#core.refuse(read.call, 'deadline_exceeded', false, 'the read was not confirmed in time');
    this.#next = this.#next.filter((read) => !isOver(read));
    this.#confirmed = this.#confirmed.filter((read) => !isOver(read));
    const round = this.#round;
    if (round === null) return;
    this.#round = { ...round, reads: round.reads.filter((read) => !isOver(read)) };
    if (nowMs - round.sentMs >= limits.resendAfterMs) this.#ask(this.#round);
  }

  refuseAll(): void {
    for (const { call } of [...this.#next, ...(this.#round?.reads ?? []), ...this.#confirmed])
      this.#core.refuse(call, 'stale_route', false, 'another replica is the primary now');
    this.#next = [];
    this.#round = null;
    this.#confirmed = [];
  }

  #begin(): void {
    const others = this.#members().filter((member) => member !== this.#core.allocId);
    this.#roundCount += 1;
    this.#round = {
      number: this.#roundCount,
      waitingFor: new Set(others),
      asksMeta: others.length === 0,
      reads: this.#next,
      sentMs: 0,
    };
    this.#next = [];
    this.#ask(this.#round);
  }

  #ask(round: Round): void {
    round.sentMs = this.#core.nowMs;
    if (round.asksMeta)
      this.#core.ask({ kind: 'confirm_with_meta' }, ({ view }) => {
        // The view was taken before: we are the primary of this term still, or this is not called.
        if (this.#round?.number === round.number && view.term === this.#core.state.term) this.end();
      });
    for (const member of round.waitingFor)
      this.#core.send(member, {
        kind: 'confirm',
        term: this.#core.state.term,
        nonce: this.#nonceOf(member),
        round: round.number,
      });
  }
}
