/**
 * One copy of a shard as a deterministic state machine: inputs in, effects out; `effect.ts` is the contract. Always: one
 * role at a time, chosen by the newest view alone; no clock, randomness or I/O of its own.
 */
import { assert } from '@quiver/model';
import { ReplicaCore } from './core.ts';
import type { Effect, Role } from './effect.ts';
import { Follower } from './follower.ts';
import { historyUpTo, historyWith } from './history.ts';
import type { Input } from './input.ts';
import { assertInvariants } from './invariants.ts';
import type { Limits } from './limits.ts';
import type { FollowerMessage, Message } from './message.ts';
import { Primary } from './primary.ts';
import type { ReplicationRules } from './rules.ts';
import { TailCheck } from './tail-check.ts';
import type { AllocId, ChangeTraits, PersistedReplica, ShardView } from './state.ts';

export interface ReplicaConfig<Change> {
  readonly allocId: AllocId;
  /** Unique among all starts of all copies: sessions are named after it. */
  readonly startId: string;
  /** The disk is new to this copy, or was closed in order and has all that it had then. Default: its end may be missing. */
  readonly isTailWhole?: boolean;
  readonly traits: ChangeTraits<Change>;
  readonly limits?: Partial<Limits>;
  readonly rules?: ReplicationRules;
}

export interface Replica<Change, Key> {
  /** @throws Error on a broken invariant: the process must end */
  step(input: Input<Change, Key>): Effect<Change, Key>[];
  /** As in the status, which may be made anew each time. */
  readonly role: ReplicaStatus['role'];
  readonly status: ReplicaStatus;
}

/** For reads, reports and metrics; a snapshot. */
export interface ReplicaStatus {
  readonly role: Role;
  readonly term: number;
  /** Newest seq given out or received. */
  readonly lastSeq: number;
  readonly durableSeq: number;
  readonly appliedSeq: number;
  /** As far as known here. */
  readonly committedSeq: number;
  readonly tombstoneHorizon: number;
  readonly isDraining: boolean;
  /** Primary: in-sync set that must have an operation; else empty. */
  readonly effectiveIsr: readonly AllocId[];
  readonly admittedBytes: number;
  readonly followers: readonly FollowerStatus[];
}

export interface FollowerStatus {
  readonly allocId: AllocId;
  readonly phase: 'joining' | 'catching_up' | 'streaming';
  readonly durableSeq: number;
  readonly appliedSeq: number;
  readonly isInSync: boolean;
}

/** REQUIRES: what was persisted is applied and visible at the host already (when its mode is clean). */
export function createReplica<Change, Key>(
  config: ReplicaConfig<Change>,
  persisted: PersistedReplica<Key>,
): Replica<Change, Key> {
  const machine = new ReplicaMachine<Change, Key>(config, persisted);
  return {
    step: (input) => machine.step(input),
    get role() {
      return machine.role;
    },
    get status() {
      return machine.status;
    },
  };
}

const nobody: readonly AllocId[] = [];

class ReplicaMachine<Change, Key> {
  readonly #core: ReplicaCore<Change, Key>;
  readonly #follower: Follower<Change, Key>;
  readonly #tail: TailCheck<Change, Key>;
  #primary: Primary<Change, Key> | null = null;
  /** The term whose beginning is on its way to the disk. */
  #activatingTerm: number | null = null;
  #lastBumpMs = -Infinity;
  #lastRefreshMs = -Infinity;
  /** As it was last asked for. */
  #status: ReplicaStatus | null = null;

  constructor(config: ReplicaConfig<Change>, persisted: PersistedReplica<Key>) {
    this.#core = new ReplicaCore(config, persisted);
    this.#follower = new Follower(this.#core);
    this.#tail = new TailCheck(this.#core);
  }

  step(input: Input<Change, Key>): Effect<Change, Key>[] {
    const core = this.#core;
    if (core.role === 'removed') return this.#stepRemoved(input);
    core.nowMs = Math.max(core.nowMs, input.nowMs);
    this.#dispatch(input);
    this.#follower.acknowledge();
    assertInvariants(core, this.#primary);
    return core.takeEffects();
  }

  #dispatch(input: Input<Change, Key>): void {
    const core = this.#core;
    switch (input.kind) {
      case 'tick':
        this.#tick();
        break;
      case 'view':
        this.#takeView(input.view);
        break;
      case 'receive':
        this.#receive(input.from, input.message);
        break;
      case 'disconnected':
        this.#primary?.sessions.disconnected(input.from);
        break;
      case 'propose':
        if (this.#primary !== null) this.#primary.propose(input);
        else core.refuse(input.call, 'stale_route', false, this.#whoLeads());
        break;
      case 'persisted':
        core.persisted(input.persist);
        break;
      case 'applied':
        core.applied(input.publish);
        if (this.#primary !== null) this.#primary.advance();
        else this.#follower.noteApplied();
        break;
      case 'confirm_read':
        if (this.#primary !== null) this.#primary.confirmRead(input);
        else core.refuse(input.call, 'stale_route', false, this.#whoLeads());
        break;
      case 'meta_confirmed':
        this.#takeView(input.view);
        core.answered(input);
        break;
      case 'dirty_listed':
      case 'page':
      case 'digests_taken':
      case 'bucket_listed':
      case 'repair_planned':
        core.answered(input);
        break;
      case 'hand_over':
        if (this.#primary !== null) this.#primary.handOver(input);
        else core.emit({ kind: 'hand_over_ended', isDone: false });
        break;
      case 'fence':
      case 'unfence':
        this.#primary?.fence(input);
        break;
      case 'check_digests':
        this.#primary?.checkDigests();
        break;
    }
  }

  /** Calls are still answered; nothing else happens any more. */
  #stepRemoved(input: Input<Change, Key>): Effect<Change, Key>[] {
    if (input.kind === 'propose' || input.kind === 'confirm_read')
      this.#core.refuse(input.call, 'stale_route', false, `${this.#core.allocId} is removed`);
    return this.#core.takeEffects();
  }

  #whoLeads(): string {
    const { view, allocId } = this.#core;
    if (view === null) return `${allocId} has not heard from meta yet`;
    return view.primary === allocId
      ? `${allocId} is becoming the primary`
      : `the primary is ${view.primary ?? 'missing'}`;
  }

  #tick(): void {
    if (this.#primary !== null) this.#primary.tick();
    else if (this.#isNamed()) this.#begin();
    else this.#follower.tick();
  }

  /** Meta names this replica as primary. */
  #isNamed(): boolean {
    return this.#core.view?.primary === this.#core.allocId;
  }

  #takeView(view: ShardView): void {
    const core = this.#core;
    if (core.view !== null && view.cfgVersion <= core.view.cfgVersion) return;
    assert(view.term >= (core.view?.term ?? 0), `view of term ${view.term} after ${core.view?.term ?? 0}`);
    const before = core.view;
    core.view = view;
    if (this.#primary !== null && view.term === core.state.term && this.#isNamed()) {
      this.#primary.takeView(view);
      return;
    }
    if (this.#primary !== null) {
      this.#primary.stepDown(view);
      this.#primary = null;
      core.forgetAsks();
    }
    if (!view.replicas.includes(core.allocId)) {
      core.emit({ kind: 'removed' });
      core.setRole('removed');
      return;
    }
    if (this.#activatingTerm !== null && view.term !== this.#activatingTerm) this.#activatingTerm = null;
    if (this.#isNamed()) this.#begin();
    else {
      if (before === null || before.term !== view.term || before.primary !== view.primary)
        this.#follower.leave();
      if (view.primary === null || core.role === 'primary') core.setRole('idle');
      this.#follower.tick();
    }
  }

  #begin(): void {
    const core = this.#core;
    const view = core.view!;
    if (this.#activatingTerm === view.term || core.state.term > view.term) return;
    if (!this.#tail.mayLead(view)) return;
    // It may have led this term before its start, and its disk may have lost that too.
    if (core.state.term < view.term && this.#tail.endedInTerm < view.term) this.#activate(view.term);
    else if (!core.rules.takesNewTermAfterRestart) this.#lead();
    else if (core.nowMs - this.#lastBumpMs >= core.limits.proposeEveryMs) {
      // It led this term in an earlier life: what it sent then and lost since must not meet other operations of the
      // same term.
      this.#lastBumpMs = core.nowMs;
      core.emit({ kind: 'bump_term', term: view.term });
    }
  }

  #activate(term: number): void {
    const core = this.#core;
    this.#follower.leave();
    core.setRole('idle');
    this.#activatingTerm = term;
    const { mode, cleanSeq, lastSeq } = core.state;
    const isMixture = mode === 'catch_up';
    // Above the clean seq lie records of two orders: all of it becomes the new term's own, so that whoever joins
    // copies it from here.
    const startSeq = isMixture && core.rules.restampsMixture ? cleanSeq + 1 : lastSeq + 1;
    const entries = isMixture ? core.operations.tearFrom(startSeq, lastSeq, term) : [];
    const history = historyWith(
      historyUpTo(core.history, startSeq - 1),
      { term, startSeq },
      core.limits.historyMax,
    );
    if (isMixture)
      core.alarm(
        'unclean_promotion',
        `promoted at seq ${lastSeq} in the middle of a catch-up from seq ${cleanSeq}`,
      );
    const state = {
      term,
      mode: 'clean',
      cleanSeq: lastSeq,
      copiedSeq: lastSeq,
      sourceSeq: lastSeq,
      rangeCopy: null,
    } as const;
    core.persist({ state, history, entries }, () => {
      core.durableSeq = lastSeq;
      if (isMixture) {
        core.beginGeneration();
        core.publish(lastSeq);
      }
      if (this.#activatingTerm === term) this.#lead();
    });
  }

  #lead(): void {
    const core = this.#core;
    this.#activatingTerm = null;
    core.isTailWhole = true;
    core.forgetAsks();
    core.setRole('primary');
    this.#primary = new Primary(core, core.view!);
  }

  #receive(from: AllocId, message: Message<Change, Key>): void {
    const core = this.#core;
    if (message.term > core.knownTerm) this.#refreshView();
    if (message.kind === 'tail_asked' || message.kind === 'tail') {
      // A term that is about to begin here is not durable yet: whoever asks asks again.
      if (this.#activatingTerm === null) this.#tail.receive(from, message);
      if (this.#primary === null && this.#isNamed()) this.#begin();
      return;
    }
    if (!isOfFollower(message)) {
      // A primary takes nothing from another one; that it asks for confirmation in an older term is refused by silence.
      if (this.#primary === null && this.#activatingTerm === null) this.#follower.receive(from, message);
      return;
    }
    if (this.#primary !== null && message.term === core.state.term) this.#primary.receive(from, message);
    else if (message.kind === 'join') {
      const { term, nonce } = message;
      core.send(from, { kind: 'reject', term, nonce, reason: 'not_primary' });
    }
  }

  #refreshView(): void {
    const { nowMs, limits } = this.#core;
    if (nowMs - this.#lastRefreshMs < limits.proposeEveryMs) return;
    this.#lastRefreshMs = nowMs;
    this.#core.emit({ kind: 'refresh_view' });
  }

  get role(): ReplicaStatus['role'] {
    return this.#core.role;
  }

  get status(): ReplicaStatus {
    if (this.#status !== null && this.#isStill(this.#status)) return this.#status;
    const { role, state, durableSeq, appliedSeq, committedSeq } = this.#core;
    const effectiveIsr = this.#primary?.effectiveIsr ?? nobody;
    this.#status = {
      role,
      term: state.term,
      lastSeq: state.lastSeq,
      durableSeq,
      appliedSeq,
      committedSeq,
      tombstoneHorizon: state.tombstoneHorizon,
      isDraining: this.#primary?.isDraining ?? false,
      effectiveIsr,
      admittedBytes: this.#primary?.admittedBytes ?? 0,
      followers: this.#primary?.sessions.status(effectiveIsr) ?? [],
    };
    return this.#status;
  }

  /** Of thousands of replicas that nobody follows and that stand still one status each is made, not one at every look. */
  #isStill(last: ReplicaStatus): boolean {
    const { role, state, durableSeq, appliedSeq, committedSeq } = this.#core;
    const primary = this.#primary;
    return (
      last.role === role &&
      last.term === state.term &&
      last.lastSeq === state.lastSeq &&
      last.durableSeq === durableSeq &&
      last.appliedSeq === appliedSeq &&
      last.committedSeq === committedSeq &&
      last.tombstoneHorizon === state.tombstoneHorizon &&
      last.isDraining === (primary?.isDraining ?? false) &&
      last.effectiveIsr === (primary?.effectiveIsr ?? nobody) &&
      last.admittedBytes === (primary?.admittedBytes ?? 0) &&
      last.followers.length === 0 &&
      primary?.sessions.isEmpty !== false
    );
  }
}

const followerKinds: ReadonlySet<string> = new Set<FollowerMessage<never>['kind']>([
  'join',
  'need',
  'chunk_ack',
  'ack',
  'confirmed',
  'digests',
  'bucket_listed',
]);

function isOfFollower<Change, Key>(message: Message<Change, Key>): message is FollowerMessage<Key> {
  return followerKinds.has(message.kind);
}
