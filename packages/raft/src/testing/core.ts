/** Nodes for tests of single steps: the plain protocol without limits, and moves that a host would make. */
import { completeConfig, type Config } from '../config.ts';
import type { RaftCore } from '../core.ts';
import { MemoryStorage } from '../memory-storage.ts';
import {
  createMessage,
  emptyConfState,
  noBytes,
  noLimit,
  type Entry,
  type Message,
  type MessageFields,
  type MessageType,
  type NodeId,
  type Proposal,
} from '../message.ts';
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from '../roles.ts';
import type { Role } from '../core.ts';
import { startCore } from '../start.ts';
import { step, tick } from '../step.ts';
import { bytesOf } from './entries.ts';

/** Mulberry32 from a fixed seed: every run of a test draws the same timeouts. */
export function seededRandomBelow(seed: number): (max: number) => number {
  let state = seed;
  return (max) => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) % max;
  };
}

export type CoreOptions = Partial<Omit<Config, 'id' | 'storage'>> & {
  readonly learners?: readonly NodeId[];
  /** Already in storage. */
  readonly entries?: readonly Entry[];
};

export function blankStorage(voters: readonly NodeId[], learners: readonly NodeId[] = []): MemoryStorage {
  const storage = new MemoryStorage();
  const confState = { ...emptyConfState, voters, learners };
  storage.applySnapshot({ meta: { index: 0, term: 0, confState }, data: noBytes });
  return storage;
}

export function testConfig(id: NodeId, storage: MemoryStorage, options: Partial<Config> = {}): Config {
  return {
    id,
    electionTicks: 10,
    heartbeatTicks: 1,
    randomBelow: seededRandomBelow(id),
    messageBytesMax: noLimit,
    inflightCountMax: 256,
    inflightBytesMax: noLimit,
    uncommittedBytesMax: noLimit,
    checkQuorum: false,
    preVote: false,
    stepDownOnRemoval: false,
    votesTellCommit: false,
    disableProposalForwarding: false,
    ...options,
    storage,
  };
}

export function testCore(id: NodeId, voters: readonly NodeId[], options: CoreOptions = {}): RaftCore {
  const { learners, entries, ...config } = options;
  const storage = blankStorage(voters, learners);
  if (entries !== undefined) storage.append(entries);
  return startCore(testConfig(id, storage, config));
}

/** A leader of term 1, its empty entry appended. */
export function testLeader(voters: readonly NodeId[], options: CoreOptions = {}): RaftCore {
  const core = testCore(1, voters, options);
  elect(core);
  return core;
}

export function elect(core: RaftCore): void {
  becomeCandidate(core);
  becomeLeader(core);
}

/** By the shortest way the protocol has. */
export function become(core: RaftCore, role: Role, term = 1, lead: NodeId = 0): void {
  if (role === 'StateFollower') becomeFollower(core, term, lead);
  else if (role === 'StatePreCandidate') becomePreCandidate(core);
  else if (role === 'StateCandidate') becomeCandidate(core);
  else elect(core);
}

/** Changes settings of a running node, as a rolling restart would. */
export function reconfigure(core: RaftCore, changed: Partial<Config>): void {
  const merged = { ...core.config, ...changed };
  Object.assign(core.config, completeConfig(merged));
}

export function memoryOf(core: RaftCore): MemoryStorage {
  if (!(core.config.storage instanceof MemoryStorage)) throw new Error('not a memory storage');
  return core.config.storage;
}

export function msg(type: MessageType, from: NodeId, to: NodeId, fields: MessageFields = {}): Message {
  return createMessage(type, { ...fields, from, to });
}

export function normal(text = ''): Entry {
  return { term: 0, index: 0, type: 'EntryNormal', data: text === '' ? noBytes : bytesOf(text) };
}

/** A proposal made on `id` itself. */
export function proposal(id: NodeId, ...entries: readonly (Proposal | string)[]): Message {
  const given = entries.map((entry) =>
    typeof entry === 'string' ? normal(entry) : { term: 0, index: 0, ...entry },
  );
  return msg('MsgProp', id, id, { entries: given });
}

export function tickTimes(core: RaftCore, count: number): void {
  for (let i = 0; i < count; i += 1) tick(core);
}

/** Everything unstable is durable now: what waited for it is delivered to the node itself or may be sent. */
export function settleAppends(core: RaftCore): void {
  while (core.messagesAfterAppend.length > 0) deliver(core, takeAfterAppend(core));
}

export function takeAfterAppend(core: RaftCore): Message[] {
  const waiting = core.messagesAfterAppend;
  core.messagesAfterAppend = [];
  return waiting;
}

export function deliver(core: RaftCore, messages: readonly Message[]): void {
  for (const message of messages) {
    if (message.to === core.id) step(core, message);
    else core.messages.push(message);
  }
}

/** What the node sends now, all writes being instant. */
export function readMessages(core: RaftCore): Message[] {
  settleAppends(core);
  const messages = core.messages;
  core.messages = [];
  return messages;
}

/** Makes everything durable, and applies and returns what is committed. */
export function nextEntries(core: RaftCore): Entry[] {
  const { log } = core;
  memoryOf(core).append(log.unstable.nextEntries());
  log.unstable.stableTo(log.lastEntryId());
  settleAppends(core);
  const entries = log.nextCommitted(true);
  log.appliedTo(log.committed, 0);
  return entries;
}

export function allEntries(core: RaftCore): Entry[] {
  const entries = core.log.entriesFrom(core.log.firstIndex(), noLimit);
  if (!Array.isArray(entries)) throw new Error(`entries are ${entries}`);
  return entries;
}

/** The answer of a follower that took an append. */
export function acknowledgementOf(append: Message): Message {
  const { from, to, term, index, entries } = append;
  return msg('MsgAppResp', to, from, { term, index: index + entries.length });
}

export const idsTo = (size: number): NodeId[] => Array.from({ length: size }, (_, i) => i + 1);
