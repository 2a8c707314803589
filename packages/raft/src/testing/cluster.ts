/**
 * A cluster under a random schedule: messages are lost, doubled and reordered, nodes crash at any point and come back
 * with what was durable, logs are compacted, members change. After every action the invariants are checked.
 * Always: the same seed gives the same run.
 */
import { decodeConfChange } from '../conf-change-codec.ts';
import { confChangeTypes } from '../conf-change.ts';
import type { Config } from '../config.ts';
import { RaftError } from '../error.ts';
import { MemoryStorage } from '../memory-storage.ts';
import {
  appendThread,
  applyThread,
  emptyConfState,
  isEmptyHardState,
  noBytes,
  type ConfState,
  type Entry,
  type Message,
  type NodeId,
  type Snapshot,
} from '../message.ts';
import { RawNode } from '../raft-node.ts';
import type { Ready } from '../ready.ts';
import { ClusterInvariants, foldEntry } from './cluster-invariants.ts';
import { idsTo, seededRandomBelow, testConfig } from './core.ts';
import { bytesOf, textOf } from './entries.ts';

/** What a leader offers is the state as it is now; what a restart finds is the last one stored. */
class MemberStorage extends MemoryStorage {
  current: () => Snapshot | null = () => null;

  override snapshot(): Snapshot {
    return this.current() ?? this.stored();
  }

  stored(): Snapshot {
    return super.snapshot();
  }
}

export interface ClusterMember {
  readonly id: NodeId;
  readonly storage: MemberStorage;
  /** Null while crashed. */
  node: RawNode | null;
  /** With async storage writes: what its storage threads have still to do; lost in a crash. */
  appendWork: Message[];
  applyWork: Message[];
  isPaused: boolean;
  appliedIndex: number;
  /** Fold of everything applied: equal states have equal folds. */
  fold: number;
  confState: ConfState;
}

export interface ClusterOptions {
  readonly seed: number;
  readonly voters: number;
  /** Blank nodes beside the voters, to be added. */
  readonly spares?: number;
  readonly config?: Partial<Config>;
  /** Of 100 messages. */
  readonly lostPercent?: number;
  readonly doubledPercent?: number;
}

export class Cluster {
  readonly members: ClusterMember[];
  readonly random: (max: number) => number;
  readonly invariants = new ClusterInvariants();
  lostPercent: number;
  doubledPercent: number;
  #mail: Message[] = [];
  #proposals = 0;
  readonly #options: ClusterOptions;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.random = seededRandomBelow(options.seed);
    this.lostPercent = options.lostPercent ?? 0;
    this.doubledPercent = options.doubledPercent ?? 0;
    const voters = idsTo(options.voters);
    this.members = idsTo(options.voters + (options.spares ?? 0)).map((id) => {
      const storage = new MemberStorage();
      const isFounder = id <= options.voters;
      const confState = isFounder ? { ...emptyConfState, voters } : emptyConfState;
      if (isFounder) storage.applySnapshot({ meta: { index: 1, term: 0, confState }, data: bytesOf('0') });
      const member: ClusterMember = {
        id,
        storage,
        node: null,
        appendWork: [],
        applyWork: [],
        isPaused: false,
        appliedIndex: 0,
        fold: 0,
        confState,
      };
      storage.current = () => currentState(member);
      return member;
    });
    for (const member of this.members) this.start(member);
  }

  leader(): ClusterMember | undefined {
    const leaders = this.members.filter(({ node }) => node?.core.role === 'StateLeader');
    return leaders.sort((a, b) => b.node!.core.term - a.node!.core.term)[0];
  }

  start(member: ClusterMember): void {
    this.#takeState(member, member.storage.stored());
    const config = testConfig(member.id, member.storage, {
      randomBelow: this.random,
      checkQuorum: true,
      preVote: true,
      stepDownOnRemoval: true,
      votesTellCommit: true,
      disableProposalForwarding: true,
      ...this.#options.config,
    });
    member.node = new RawNode(config);
  }

  /** What was not durable is gone, and so are the messages it had not sent. */
  crash(member: ClusterMember): void {
    member.node = null;
    member.appendWork = [];
    member.applyWork = [];
  }

  propose(member: ClusterMember, text = `p${this.#proposals}`): boolean {
    this.#proposals += 1;
    return refusedAs('proposal_dropped', () => member.node?.propose(bytesOf(text)));
  }

  /** Of one or two members. As a host should, it never asks a leader to remove or demote itself (see `Config`). */
  proposeRandomChange(member: ClusterMember): void {
    const changes = Array.from({ length: 1 + this.random(2) }, () => ({
      type: confChangeTypes[this.random(confChangeTypes.length)]!,
      nodeId: 1 + this.random(this.members.length),
    })).filter(({ type, nodeId }) => type === 'ConfChangeAddNode' || nodeId !== member.id);
    const change = { transition: 'ConfChangeTransitionAuto' as const, changes, context: noBytes };
    refusedAs('proposal_dropped', () => member.node?.proposeConfChange(change));
  }

  /** A read whose answer must not be older than what is committed anywhere now. */
  read(member: ClusterMember): void {
    member.node?.readIndex(bytesOf(String(this.invariants.committedIndex)));
  }

  compact(member: ClusterMember): void {
    const { storage, appliedIndex } = member;
    if (appliedIndex < storage.firstIndex() || appliedIndex <= storage.stored().meta.index) return;
    storage.createSnapshot(appliedIndex, member.confState, bytesOf(String(member.fold)));
    storage.compact(appliedIndex);
  }

  tick(member: ClusterMember): void {
    member.node?.tick();
  }

  /** Does the work of one `Ready`; a crash may come before or after it is durable. */
  work(member: ClusterMember, crash: 'no' | 'before' | 'after' = 'no'): void {
    const { node } = member;
    if (node?.hasReady() !== true) return;
    const ready = node.ready();
    if (crash === 'before') {
      this.crash(member);
      return;
    }
    const isAsync = node.core.config.asyncStorageWrites;
    if (!isAsync) {
      this.#store(member, ready);
      this.invariants.stored(member.id, ready);
      if (crash === 'after') {
        this.crash(member);
        return;
      }
    }
    for (const message of ready.messages) {
      if (message.to === appendThread) member.appendWork.push(message);
      else if (message.to === applyThread) member.applyWork.push(message);
      else this.#post(message);
    }
    for (const { index, context } of ready.readStates)
      this.invariants.require(
        index >= Number(textOf(context)),
        `node ${member.id} read at ${index}, committed was ${textOf(context)}`,
      );
    if (!isAsync) {
      this.#apply(member, ready.committedEntries);
      node.advance();
    }
    this.invariants.check(this.members);
  }

  /** One piece of work of a storage thread: of either, by chance. @returns false when there is none */
  storageWork(member: ClusterMember): boolean {
    const isAppend = member.applyWork.length === 0 || (member.appendWork.length > 0 && this.random(2) === 0);
    const message = (isAppend ? member.appendWork : member.applyWork).shift();
    if (message === undefined) return false;
    if (isAppend) {
      const { term, vote, commit, entries, snapshot } = message;
      const state = { term, vote, commit };
      const ready = { hardState: isEmptyHardState(state) ? null : state, entries, snapshot };
      this.#store(member, ready);
      this.invariants.stored(member.id, ready);
    } else {
      this.#apply(member, message.entries);
    }
    for (const response of message.responses) {
      if (response.to === member.id) member.node?.step(response);
      else this.#post(response);
    }
    this.invariants.check(this.members);
    return true;
  }

  #post(message: Message): void {
    this.invariants.sent(message);
    this.#mail.push(message);
  }

  /** Delivers one message, by chance not the oldest. @returns false when there is none */
  deliverOne(isFair = false): boolean {
    const at = isFair ? 0 : this.random(Math.min(this.#mail.length, 8));
    const [message] = this.#mail.splice(at, 1);
    if (message === undefined) return false;
    const to = this.members[message.to - 1]!;
    const isLost = this.random(100) < this.lostPercent || to.node === null || to.isPaused;
    if (this.random(100) < this.doubledPercent) this.#mail.push(message);
    if (!isLost) to.node!.step(message);
    const sender = this.members[message.from - 1]!.node;
    if (message.type === 'MsgSnap') sender?.reportSnapshot(message.to, isLost ? 'failed' : 'finished');
    else if (isLost && this.random(4) === 0) sender?.reportUnreachable(message.to);
    this.invariants.check(this.members);
    return true;
  }

  /** Everybody up, no loss: time goes on and everything due is done. */
  settle(rounds: number): void {
    this.lostPercent = 0;
    this.doubledPercent = 0;
    for (const member of this.members) {
      member.isPaused = false;
      if (member.node === null) this.start(member);
    }
    for (let round = 0; round < rounds; round += 1) this.round();
  }

  /** One tick for everybody that runs, and all work and mail that follow. */
  round(): void {
    for (const member of this.members) if (!member.isPaused) this.tick(member);
    for (let steps = 0; steps < 2_000; steps += 1) {
      const busy = this.members.filter(({ node, isPaused }) => !isPaused && node?.hasReady() === true);
      for (const member of busy) this.work(member);
      const writing = this.members.filter((member) => !member.isPaused && this.storageWork(member));
      if (!this.deliverOne(true) && busy.length === 0 && writing.length === 0) return;
    }
  }

  #store(member: ClusterMember, ready: Pick<Ready, 'hardState' | 'entries' | 'snapshot'>): void {
    if (ready.hardState !== null) member.storage.setHardState(ready.hardState);
    if (ready.snapshot !== null) {
      member.storage.applySnapshot(ready.snapshot);
      this.#takeState(member, ready.snapshot);
    }
    member.storage.append(ready.entries);
  }

  #takeState(member: ClusterMember, { meta, data }: Snapshot): void {
    member.appliedIndex = meta.index;
    member.fold = data.length === 0 ? 0 : Number(textOf(data));
    member.confState = meta.confState;
    if (meta.index > 0) this.invariants.applied(member.id, meta.index, member.fold);
  }

  #apply(member: ClusterMember, entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.invariants.require(
        entry.index === member.appliedIndex + 1,
        `node ${member.id} applies ${entry.index} after ${member.appliedIndex}`,
      );
      member.appliedIndex = entry.index;
      member.fold = foldEntry(member.fold, entry);
      this.invariants.applied(member.id, entry.index, member.fold);
      if (entry.type === 'EntryNormal') continue;
      // Every member refuses alike what cannot be applied, and goes on with the membership it has.
      refusedAs('invalid_conf_change', () => {
        member.confState = member.node!.applyConfChange(decodeConfChange(entry));
      });
    }
  }
}

function currentState({ storage, appliedIndex, fold, confState }: ClusterMember): Snapshot | null {
  const term = storage.term(appliedIndex);
  if (typeof term !== 'number' || appliedIndex === 0) return null;
  return { meta: { index: appliedIndex, term, confState }, data: bytesOf(String(fold)) };
}

/** @returns whether it went through; a refusal with this code is ordinary */
function refusedAs(code: RaftError['code'], act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof RaftError && error.code === code) return false;
    throw error;
  }
}
