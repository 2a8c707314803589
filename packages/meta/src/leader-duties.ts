/**
 * What the leader of the metadata does besides taking proposals: it judges who is alive, gives votes, runs the
 * controller, compares states. Always: one pass at a time, each on the state of a settled leader; all of it is forgotten
 * with the leadership, and a new leader gives everybody a fresh time to live.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type NodeId } from '@quiver/model';
import { type PeerCaller, PeerUnreachable, encodePlain, peerPaths } from '@quiver/rpc';
import type { Log } from '@quiver/telemetry';
import type { Consensus } from './consensus.ts';
import { planOrders } from './controller.ts';
import type { ControllerSettings } from './controller-view.ts';
import { HashVotes } from './hash-check.ts';
import { planMembership, successorOf, type MemberView } from './membership.ts';
import type { Heartbeat } from './node-report.ts';
import { SessionTable, type ProbeFailure, type SessionSettings } from './session-table.ts';
import type { StateCommand } from './state-command.ts';
import type { StateMachine } from './state-machine.ts';

export interface DutiesOptions {
  readonly consensus: Consensus;
  readonly machine: StateMachine;
  readonly memberId: number;
  readonly caller: Pick<PeerCaller, 'call'>;
  readonly env: Env;
  readonly log: Log;
  readonly sessions: SessionSettings;
  readonly controller: ControllerSettings;
  /** Silence after which a voter's vote is given to a learner. */
  readonly voterLostMs: number;
  /** Through a session of its own. */
  readonly append: (command: StateCommand, deadlineMs: number) => Promise<unknown>;
}

export interface Duties {
  /** false: this member does not lead. */
  takeHeartbeat(heartbeat: Heartbeat): boolean;
  /** null: this member does not lead. */
  readonly sessions: SessionTable | null;
  stop(): void;
}

const passMs = 250;
const probeTimeoutMs = 500;
const proposeTimeoutMs = 5_000;
/** Twice the election timeout, whose end resets what raft says. */
const activeMs = 2_000;
/** Entries behind the leader's commit within which a learner may vote. */
const caughtUpEntries = 1_000;

interface Term {
  readonly term: number;
  readonly sessions: SessionTable;
  readonly votes: HashVotes;
  readonly lastActiveMs: Map<number, number>;
}

export function startDuties(options: DutiesOptions): Duties {
  const { consensus, machine, env, log, caller } = options;
  const { host } = consensus;
  let isStopped = false;
  let current: Term | null = null;
  let isReconciling = false;
  const probing = new Set<NodeId>();

  /** What is known in this term of leadership; null while another leads. */
  function ownTerm(): Term | null {
    const { term } = host;
    if (!host.isSettledLeader) return (current = null);
    if (current?.term === term) return current;
    const sessions = new SessionTable(options.sessions, env.now());
    sessions.sweep(machine.state.nodes.keys(), env.now());
    return (current = { term, sessions, votes: new HashVotes(), lastActiveMs: new Map() });
  }

  function pass(): void {
    if (isStopped) return;
    env.after(passMs, pass);
    const own = ownTerm();
    if (own === null) return;
    own.sessions.sweep(machine.state.nodes.keys(), env.now());
    probeSuspects(own.sessions);
    giveVotes(own);
    checkHashes(own);
    reconcile(own.sessions);
  }

  function probeSuspects(sessions: SessionTable): void {
    for (const id of sessions.suspects()) {
      const { addresses } = machine.state.nodes.get(id) ?? {};
      const address = addresses?.shard ?? addresses?.meta ?? null;
      if (address === null || probing.has(id)) continue;
      probing.add(id);
      const askedAtMs = env.now();
      void caller
        .call(address, peerPaths.meta.status, encodePlain({ kind: 'status' }), {
          deadlineMs: askedAtMs + probeTimeoutMs,
        })
        .then(
          () => null,
          (error: unknown) => probeFailure(error),
        )
        .then((failure) => {
          if (failure === null) sessions.probeAnswered(id);
          else sessions.probeFailed(id, failure, askedAtMs);
        })
        .finally(() => probing.delete(id));
    }
  }

  function giveVotes(own: Term): void {
    const { progress, hardState } = host.status();
    const nowMs = env.now();
    const views: MemberView[] = [...progress].map(([memberId, one]) => {
      if (one.recentActive || memberId === options.memberId || !own.lastActiveMs.has(memberId))
        own.lastActiveMs.set(memberId, nowMs);
      const silentMs = nowMs - own.lastActiveMs.get(memberId)!;
      return {
        memberId,
        isWanted: machine.state.members.has(memberId),
        isActive: silentMs < activeMs,
        isCaughtUp: one.state === 'StateReplicate' && one.match + caughtUpEntries >= hardState.commit,
        isLost: silentMs >= options.voterLostMs,
      };
    });
    const successor = successorOf(options.memberId, host.confState, views);
    if (successor !== null) {
      log.info('the leader was removed and hands over', { to: successor });
      host.transferLeader(successor);
      return;
    }
    const changes = planMembership(options.memberId, host.confState, views);
    if (changes.length === 0) return;
    log.info('the membership of the metadata store changes', { changes });
    try {
      host.proposeConfChange({ transition: 'ConfChangeTransitionAuto', changes, context: new Uint8Array(0) });
    } catch (error) {
      log.debug('the change was not taken', { error });
    }
  }

  function checkHashes({ votes }: Term): void {
    votes.note(options.memberId, consensus.hashes.entries());
    const agreed = votes.agreed(host.confState.voters);
    if (agreed !== null) order({ kind: 'hash_check', ...agreed });
  }

  function reconcile(sessions: SessionTable): void {
    if (isReconciling) return;
    const nowMs = env.now();
    const orders = planOrders({
      state: machine.state,
      nowMs: env.wallNow(),
      isAlive: (id) => sessions.isAlive(id, nowMs),
      bootIdOf: (id) => sessions.bootIdOf(id),
      reportOf: (id) => sessions.reportOf(id),
      settings: options.controller,
    });
    if (orders.length === 0) return;
    log.info('the controller orders', { orders });
    isReconciling = true;
    order({ kind: 'reconcile', orders }, () => (isReconciling = false));
  }

  function order(command: StateCommand, done: () => void = () => undefined): void {
    options
      .append(command, env.now() + proposeTimeoutMs)
      .catch((error: unknown) => log.debug('an order was not confirmed', { kind: command.kind, error }))
      .finally(done);
  }

  env.after(passMs, pass);
  return {
    takeHeartbeat({ nodeId, bootId, report, hashes }) {
      const own = ownTerm();
      if (own === null) return false;
      own.sessions.note(nodeId, bootId, report, env.now());
      if (report.broken.length > 0) probeSuspects(own.sessions);
      if (hashes !== null) own.votes.note(hashes.memberId, hashes.byIndex);
      return true;
    },
    get sessions() {
      return ownTerm()?.sessions ?? null;
    },
    stop() {
      isStopped = true;
    },
  };
}

/** null: the node answered; also an error of the handler comes from a process that lives. */
function probeFailure(error: unknown): ProbeFailure | null {
  if (error instanceof PeerUnreachable) return error.isRefused ? 'refused' : 'silent';
  return error instanceof ClusterError && error.code === 'deadline_exceeded' ? 'silent' : null;
}
