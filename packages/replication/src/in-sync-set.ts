/**
 * The in-sync set as its primary knows it. Always: the effective set holds meta's set as last seen and, until meta is
 * *known* to have decided, the proposed one too; one proposal at a time, repeated until a newer view shows how it ended.
 */
import { assert } from '@quiver/model';
import type { ReplicaCore } from './core.ts';
import type { AllocId, ShardView } from './state.ts';

interface Proposal {
  readonly cfgVersion: number;
  readonly isr: readonly AllocId[];
  sentMs: number;
}

/** A member's standing, from its session. */
export interface Standing {
  readonly lastHeardMs: number;
  /** When its connection broke, while nothing was heard since. */
  readonly brokenMs: number | null;
  readonly lastProgressMs: number;
  /** It spoke in this term. */
  readonly hasJoined: boolean;
  readonly isStreaming: boolean;
  readonly durableSeq: number;
  /** It has something applied: its memory is made. */
  readonly isSearchable: boolean;
}

export class InSyncSet<Change, Key> {
  readonly #core: ReplicaCore<Change, Key>;
  #view: ShardView;
  #proposal: Proposal | null = null;
  effective: readonly AllocId[];

  constructor(core: ReplicaCore<Change, Key>, view: ShardView) {
    this.#core = core;
    this.#view = view;
    this.effective = view.isr;
  }

  get known(): readonly AllocId[] {
    return this.#view.isr;
  }

  /** Members that are in sync whichever way the proposal ends. */
  get surelyCount(): number {
    const { isr } = this.#view;
    return Math.min(isr.length, this.#proposal?.isr.length ?? isr.length);
  }

  take(view: ShardView): void {
    this.#view = view;
    // Compare-and-set on an older version can not succeed any more: the proposal is in this view, or never will be.
    if (this.#proposal !== null && view.cfgVersion > this.#proposal.cfgVersion) this.#proposal = null;
    this.#combine();
  }

  tick(standingOf: (member: AllocId) => Standing | null, followers: readonly AllocId[]): void {
    const { nowMs, limits } = this.#core;
    if (this.#proposal !== null) {
      if (nowMs - this.#proposal.sentMs >= limits.proposeEveryMs) this.#send(this.#proposal);
      return;
    }
    const { isr, replicas } = this.#view;
    const kept = isr.filter((member) => !this.#mustLeave(member, standingOf(member)));
    if (kept.length < isr.length) this.#propose(kept);
    else {
      const added = followers.filter(
        (follower) =>
          !isr.includes(follower) && replicas.includes(follower) && this.#mayEnter(standingOf(follower)),
      );
      // The same set says that every suspect is back.
      if (added.length > 0 || this.#areSuspectsBack(standingOf)) this.#propose([...isr, ...added]);
    }
  }

  #mustLeave(member: AllocId, standing: Standing | null): boolean {
    const { allocId, nowMs, limits, state } = this.#core;
    if (member === allocId || standing === null) return false;
    const isSuspect = !standing.hasJoined && this.#view.suspects?.includes(member) === true;
    const patienceMs = isSuspect ? limits.suspectMs : limits.silentMs;
    if (nowMs - standing.lastHeardMs >= patienceMs) return true;
    if (standing.brokenMs !== null && nowMs - standing.brokenMs >= limits.brokenMs) return true;
    const hasAll = standing.isStreaming && standing.durableSeq >= state.lastSeq;
    return !hasAll && nowMs - standing.lastProgressMs >= limits.stuckMs;
  }

  #areSuspectsBack(standingOf: (member: AllocId) => Standing | null): boolean {
    const suspects = this.#view.suspects ?? [];
    return suspects.length > 0 && suspects.every((member) => this.#mayEnter(standingOf(member)));
  }

  #mayEnter(standing: Standing | null): boolean {
    const { nowMs, limits, committedSeq, rules } = this.#core;
    if (standing === null) return false;
    if (!rules.expandsOnlyWithCommitted) return true;
    // Heard just now: who enters and falls silent would hold up every write until it is evicted again.
    const isHeard = standing.brokenMs === null && nowMs - standing.lastHeardMs < limits.silentMs / 2;
    // Writes wait until they are searchable on every member: who still makes its memory would hold them up.
    const isReady = standing.isSearchable || committedSeq === 0;
    return isHeard && isReady && standing.isStreaming && standing.durableSeq >= committedSeq;
  }

  #propose(isr: readonly AllocId[]): void {
    assert(isr.includes(this.#core.allocId), `primary ${this.#core.allocId} proposes a set without itself`);
    this.#proposal = { cfgVersion: this.#view.cfgVersion, isr, sentMs: 0 };
    this.#send(this.#proposal);
    this.#combine();
  }

  #send(proposal: Proposal): void {
    proposal.sentMs = this.#core.nowMs;
    const { cfgVersion, isr } = proposal;
    this.#core.emit({ kind: 'alter_isr', term: this.#core.state.term, cfgVersion, isr });
  }

  #combine(): void {
    const proposed = this.#proposal?.isr;
    if (proposed === undefined) this.effective = this.#view.isr;
    else if (this.#core.rules.countsBothInSyncSets)
      this.effective = [...new Set([...this.#view.isr, ...proposed])];
    else this.effective = proposed;
  }
}
