/**
 * Runs a raft node: its clock, its disk and its messages.
 *
 * One turn, and its order is the contract: take what is ready; a leader's appends and heartbeats go out at once, beside
 * the write; one synced batch with hard state and entries; only then answers and votes; apply what is committed; advance.
 * Always: nothing that promises something about this disk is sent before the disk has it; entries are applied in order,
 * each once per start. A failed write ends the host for good (`onFailure`): its outcome is unknown until the next start.
 */
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';
import {
  decodeConfChange,
  RaftError,
  RawNode,
  type ConfChangeV2,
  type ConfState,
  type Entry,
  type HardState,
  type Message,
  type Ready,
  type SnapshotMeta,
  type SoftState,
  type Status,
} from '@quiver/raft';
import { StorageError } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import { PendingReads } from './pending-reads.ts';
import type { RaftStorage } from './raft-storage.ts';

export interface RaftSettings {
  /** Default 50. */
  readonly tickMs: number;
  /** Entry bytes since the last snapshot from which the next is taken; half as many are kept before it. Default 4 MiB. */
  readonly snapshotAfterBytes: number;
}

export const heartbeatTicks = 2;
export const electionTicks = 20;
/**
 * A process that is late by more was not there to hear its leader, or to be heard: that time does not count. Where all are
 * late, elections then become as slow as they are, instead of being called before an answer can have come; and a leader
 * that is late does not send at once all the heartbeats that it missed.
 */
const ticksAtOnceMax = heartbeatTicks;
const retryWriteMs = 200;
const triesPerLine = 50;
/** Answers to more messages than these are not kept until the volume takes writes again: they count as lost. */
const stepsWhileStuckMax = 1_024;
const closedText = 'the metadata store is closed';
const stuckText = 'the metadata volume of this member takes no writes';

export interface RaftHostOptions {
  readonly memberId: number;
  readonly storage: RaftStorage;
  readonly settings: RaftSettings;
  readonly env: Env;
  readonly log: Log;
  /** May lose it. */
  readonly send: (message: Message) => void;
  /** State bytes of a snapshot that was announced. */
  readonly fetchSnapshot: (message: Message) => Promise<Uint8Array>;
  readonly apply: (entry: Entry) => void;
  readonly snapshot: () => Uint8Array;
  readonly restore: (state: Uint8Array) => void;
  /** Leader or role changed; called between turns. */
  readonly onRole: () => void;
  /** After every turn. */
  readonly onTurn: () => void;
  /** The disk is full: nothing more is applied here, others go on and one of them leads; or it takes writes again. */
  readonly onStuck: (isStuck: boolean) => void;
  readonly onFailure: (error: unknown) => void;
}

export interface RaftHost {
  /** @throws ClusterError unavailable: this node does not lead, or takes no more now */
  propose(data: Uint8Array): void;
  /** @throws ClusterError unavailable */
  proposeConfChange(change: ConfChangeV2): void;
  step(message: Message): void;
  /** Resolves when everything that was committed anywhere before the call is applied here. @throws ClusterError deadline_exceeded */
  readIndex(deadlineMs: number): Promise<void>;
  campaign(): void;
  transferLeader(to: number): void;
  reportUnreachable(memberId: number): void;
  reportSnapshot(memberId: number, outcome: 'finished' | 'failed'): void;
  status(): Status;
  readonly confState: ConfState;
  readonly applied: number;
  /** As of the last turn; `status` copies much more. */
  readonly softState: SoftState;
  readonly term: number;
  /** This node leads and has applied an entry of its own term: its state is the newest there is. */
  readonly isSettledLeader: boolean;
  close(): Promise<void>;
}

/** REQUIRES: `restore` was called with the stored snapshot. */
export function startRaftHost(options: RaftHostOptions): RaftHost {
  const { storage, env, log, memberId, settings } = options;
  let applied = storage.snapshotMeta.index;
  let appliedTerm = storage.snapshotMeta.term;
  let confState = storage.snapshotMeta.confState;
  const node = new RawNode({
    id: memberId,
    storage: storage.log,
    applied,
    electionTicks,
    heartbeatTicks,
    randomBelow: (max) => Math.floor(env.random() * max),
    logger: {
      debug: () => undefined,
      info: (text) => log.debug(`raft: ${text}`),
      warn: (text) => log.debug(`raft: ${text}`),
      error: (text) => log.warn(`raft: ${text}`),
    },
  });
  /** Commit moved alone: it goes to disk with the next write. */
  let unsaved: HardState | null = null;
  const reads = new PendingReads(env, (context) => node.readIndex(context));
  let lastTickAtMs = env.now();
  let running: Promise<void> | null = null;
  let isOver = false;
  const hasEnded = (): boolean => isOver;
  let { softState } = node.status();
  let { term } = node.status().hardState;
  let wantsSnapshot = false;
  const received = new Map<number, Uint8Array>();
  const fetching = new Set<number>();
  let arrived: { readonly message: Message; readonly state: Uint8Array } | null = null;
  /** What `ready` gave is not done yet. */
  let isWorking = false;
  let isStuck = false;
  let stepsWhileStuck = 0;
  let cancelTick = env.after(settings.tickMs, onTimer);

  function onTimer(): void {
    if (isOver) return;
    cancelTick = env.after(settings.tickMs, onTimer);
    // What has arrived goes first: after a stall it may be the leader's heartbeat.
    env.soon(() => {
      if (isOver) return;
      const due = Math.floor((env.now() - lastTickAtMs) / settings.tickMs);
      if (due <= 0) return;
      lastTickAtMs = due > ticksAtOnceMax ? env.now() : lastTickAtMs + due * settings.tickMs;
      // Nothing that it would say could be sent.
      for (let i = isStuck ? 0 : Math.min(due, ticksAtOnceMax); i > 0; i -= 1) {
        reads.tick();
        node.tick();
      }
      reads.askAgain();
      turn();
    });
  }

  function turn(): void {
    if (running !== null || isOver || !node.hasReady()) return;
    running = work().then(
      () => (running = null),
      (error: unknown) => {
        running = null;
        fail(error);
      },
    ) as Promise<void>;
  }

  async function work(): Promise<void> {
    while (!isOver && node.hasReady()) {
      const ready = node.ready();
      isWorking = true;
      if (ready.softState !== null) ({ softState } = ready);
      if (ready.hardState !== null) ({ term } = ready.hardState);
      // Whoever hears that a membership change is committed acts on it. A leader that did not remember it after a crash
      // could need the vote of a member that left, and has a longer log: nobody would lead any more.
      const isChanging = ready.committedEntries.some(({ type }) => type !== 'EntryNormal');
      const isLeading = softState.role === 'StateLeader' && !isChanging;
      const isEarly = (message: Message): boolean =>
        isLeading && (message.type === 'MsgApp' || message.type === 'MsgHeartbeat');
      for (const message of ready.messages) if (isEarly(message)) options.send(message);
      await write(ready, isChanging);
      if (hasEnded()) return;
      for (const message of ready.messages) if (!isEarly(message)) options.send(message);
      for (const entry of ready.committedEntries) applyEntry(entry);
      for (const { context, index } of ready.readStates) reads.confirm(context, index);
      node.advance();
      isWorking = false;
      stepSnapshot();
      reads.applied(applied);
      if (ready.softState !== null) options.onRole();
      options.onTurn();
      await snapshotIfDue();
    }
  }

  async function write(ready: Ready, isChanging: boolean): Promise<void> {
    if (ready.hardState !== null) unsaved = ready.hardState;
    const { snapshot } = ready;
    if (snapshot !== null) {
      const { meta } = snapshot;
      const state = received.get(meta.index);
      received.clear();
      if (state === undefined) throw new ClusterError('internal', `snapshot ${meta.index} was not received`);
      // A commit index that counts entries behind it goes to disk with them: alone, no start would accept it.
      const hardState = { ...(unsaved ?? storage.log.initialState().hardState), commit: meta.index };
      await insist(() => storage.install(meta, state, hardState));
      options.restore(state);
      applied = meta.index;
      appliedTerm = meta.term;
      ({ confState } = meta);
      log.info('metadata snapshot installed', { index: meta.index, bytes: state.length });
      // What the leader sent behind it may be in the same turn.
      if (ready.entries.length === 0) return;
    }
    if (!ready.mustSync && !isChanging) return;
    const hardState = unsaved;
    await insist(() => storage.save(hardState, ready.entries));
    unsaved = null;
  }

  /** A volume that refused (full, busy) applied nothing: the same again later. Anything else ends the host. */
  async function insist(act: () => Promise<void>): Promise<void> {
    for (let tries = 0; ; tries += 1)
      try {
        await act();
        if (isStuck) setStuck(false);
        return;
      } catch (error) {
        const isRefusal =
          error instanceof StorageError && (error.code === 'insufficient_storage' || error.code === 'busy');
        if (!isRefusal || isOver) throw error;
        if (error.code === 'insufficient_storage' && !isStuck) setStuck(true);
        // The log may lie on the disk that is full.
        if (tries % triesPerLine === 0) log.error('the metadata volume takes no writes', { error });
        await new Promise<void>((resolve) => env.after(retryWriteMs, resolve));
      }
  }

  function setStuck(now: boolean): void {
    // Alone it can only wait for its disk.
    if (now && confState.voters.length === 1) return;
    isStuck = now;
    stepsWhileStuck = 0;
    if (now) reads.rejectAll(unavailable(stuckText));
    options.onStuck(now);
  }

  function applyEntry(entry: Entry): void {
    if (entry.type === 'EntryNormal') {
      if (entry.data.length > 0) options.apply(entry);
    } else {
      try {
        confState = node.applyConfChange(decodeConfChange(entry));
        // A new member is brought in by a snapshot, which has to name it.
        wantsSnapshot = true;
      } catch (error) {
        if (!(error instanceof RaftError)) throw error;
        log.error('a change of the membership could not be applied; every member skips it', { error });
      }
    }
    applied = entry.index;
    appliedTerm = entry.term;
  }

  async function snapshotIfDue(): Promise<void> {
    const isDue = wantsSnapshot || storage.bytesSinceSnapshot >= settings.snapshotAfterBytes;
    if (!isDue || applied <= storage.snapshotMeta.index) return;
    const meta: SnapshotMeta = { index: applied, term: appliedTerm, confState };
    try {
      const hardState = unsaved ?? storage.log.initialState().hardState;
      await storage.compact(meta, options.snapshot(), hardState, settings.snapshotAfterBytes / 2);
      unsaved = null;
      wantsSnapshot = false;
    } catch (error) {
      // A full disk: the log grows on, and the next turn tries again.
      if (!(error instanceof StorageError) || error.code !== 'insufficient_storage') throw error;
    }
  }

  function fail(error: unknown): void {
    if (isOver) return;
    end();
    options.onFailure(error);
  }

  function end(): void {
    isOver = true;
    cancelTick();
    reads.rejectAll(unavailable(closedText));
  }

  /** The state comes first, by a call of its own; raft sees the announcement when it is here. */
  function takeSnapshot(message: Message): void {
    const { index } = message.snapshot!.meta;
    if (fetching.size > 0) return;
    fetching.add(index);
    options.fetchSnapshot(message).then(
      (state) => {
        fetching.delete(index);
        if (isOver) return;
        arrived = { message, state };
        stepSnapshot();
        turn();
      },
      (error: unknown) => {
        fetching.delete(index);
        log.warn('a metadata snapshot did not arrive; the leader sends it again', { index, error });
      },
    );
  }

  /**
   * Between turns: raft takes the snapshot's membership at once, and what a turn has still to apply would be applied to
   * that one.
   */
  function stepSnapshot(): void {
    if (arrived === null || isWorking) return;
    const { message, state } = arrived;
    arrived = null;
    received.clear();
    received.set(message.snapshot!.meta.index, state);
    node.step(message);
  }

  function guarded(act: () => void): void {
    if (isOver) throw unavailable(closedText);
    try {
      act();
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
      throw new ClusterError('unavailable', `the metadata store takes no proposal now: ${error.message}`, {
        cause: error,
        retryAfterSeconds: 1,
      });
    }
    turn();
  }

  turn();
  return {
    propose: (data) => guarded(() => node.propose(data)),
    proposeConfChange: (change) => guarded(() => node.proposeConfChange(change)),
    step(message) {
      if (isOver || message.to !== memberId) return;
      if (isStuck && (stepsWhileStuck += 1) > stepsWhileStuckMax) return;
      if (message.type === 'MsgSnap' && message.snapshot !== null && message.snapshot.meta.index > applied) {
        takeSnapshot(message);
        return;
      }
      node.step(message);
      turn();
    },
    readIndex(deadlineMs) {
      if (isOver || isStuck) return Promise.reject(isOver ? unavailable(closedText) : unavailable(stuckText));
      const read = reads.begin(deadlineMs);
      turn();
      return read;
    },
    campaign() {
      node.campaign();
      turn();
    },
    transferLeader(to) {
      node.transferLeader(to);
      turn();
    },
    reportUnreachable(id) {
      if (isOver) return;
      node.reportUnreachable(id);
      turn();
    },
    reportSnapshot(id, outcome) {
      if (isOver) return;
      node.reportSnapshot(id, outcome);
      turn();
    },
    status: () => node.status(),
    get confState() {
      return confState;
    },
    get applied() {
      return applied;
    },
    get softState() {
      return softState;
    },
    get term() {
      return term;
    },
    get isSettledLeader() {
      return softState.role === 'StateLeader' && appliedTerm === term && !isStuck;
    },
    async close() {
      end();
      await running;
    },
  };
}

function unavailable(text: string): ClusterError {
  return new ClusterError('unavailable', text, { retryAfterSeconds: 1 });
}
