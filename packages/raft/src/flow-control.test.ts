// etcd's raft_flow_control_test.go, and the tests of sending and of progress in raft_test.go.
import { expect, test } from 'vitest';
import type { RaftCore } from './core.ts';
import { payloadsBytes } from './entry-size.ts';
import type { Message } from './message.ts';
import type { ProgressState } from './progress.ts';
import { appendEntries, releaseUncommitted, sendAppend } from './replication.ts';
import { step } from './step.ts';
import {
  elect,
  msg,
  normal,
  proposal,
  readMessages,
  settleAppends,
  testCore,
  testLeader,
  type CoreOptions,
} from './testing/core.ts';
import { at } from './testing/entries.ts';

const two = [1, 2];

/** A leader that replicates to node 2. */
function replicatingLeader(options: CoreOptions = {}): RaftCore {
  const core = testLeader(two, { electionTicks: 5, ...options });
  core.tracker.progress.get(2)!.becomeReplicate();
  return core;
}

function proposeAndRead(core: RaftCore): Message[] {
  step(core, proposal(1, 'somedata'));
  return readMessages(core);
}

function fillWindow(core: RaftCore): void {
  for (let i = 0; i < core.config.inflightCountMax; i += 1) proposeAndRead(core);
}

test('TestMsgAppFlowControlFull', () => {
  const core = replicatingLeader();
  const progress = core.tracker.progress.get(2)!;
  for (let i = 0; i < core.config.inflightCountMax; i += 1)
    expect(proposeAndRead(core).map(({ type }) => type)).toEqual(['MsgApp']);
  expect(progress.isPaused()).toBe(true);
  for (let i = 0; i < 10; i += 1) expect(proposeAndRead(core)).toEqual([]);
});

test('TestMsgAppFlowControlMoveForward', () => {
  const core = replicatingLeader();
  const progress = core.tracker.progress.get(2)!;
  fillWindow(core);
  // 1 is the empty entry, 2 the first proposal.
  for (let index = 2; index < core.config.inflightCountMax; index += 1) {
    step(core, msg('MsgAppResp', 2, 1, { index }));
    readMessages(core);
    expect(proposeAndRead(core).map(({ type }) => type)).toEqual(['MsgApp']);
    expect(progress.isPaused()).toBe(true);
    // What was acknowledged before frees nothing.
    for (let old = 0; old < index; old += 1) step(core, msg('MsgAppResp', 2, 1, { index: old }));
    expect(progress.isPaused()).toBe(true);
  }
});

test('TestMsgAppFlowControlRecvHeartbeat', () => {
  const core = replicatingLeader();
  const progress = core.tracker.progress.get(2)!;
  fillWindow(core);
  for (let round = 1; round < 5; round += 1) {
    for (let i = 0; i < round; i += 1) {
      expect(progress.isPaused()).toBe(true);
      // Each response lets one empty append through.
      step(core, msg('MsgHeartbeatResp', 2, 1));
      expect(readMessages(core).map(({ type, entries }) => [type, entries.length])).toEqual([['MsgApp', 0]]);
    }
    for (let i = 0; i < 10; i += 1) {
      expect(progress.isPaused()).toBe(true);
      expect(proposeAndRead(core)).toEqual([]);
    }
    step(core, msg('MsgHeartbeatResp', 2, 1));
    readMessages(core);
  }
});

test('TestProgressLeader', () => {
  const core = replicatingLeader();
  for (let i = 0; i < 5; i += 1) expect(step(core, proposal(1, 'foo'))).toBe('stepped');
  const own = core.tracker.progress.get(1)!;
  expect(own.match).toBe(0);
  expect(core.log.unstable.nextEntries().map(({ data }) => data.length)).toEqual([0, 3, 3, 3, 3, 3]);
  settleAppends(core);
  expect(core.tracker.progress.get(1)).toMatchObject({ match: 6, next: 7 });
});

test('TestProgressResumeByHeartbeatResp', () => {
  const core = testLeader(two, { electionTicks: 5 });
  const progress = core.tracker.progress.get(2)!;
  progress.isFlowPaused = true;
  step(core, msg('MsgBeat', 1, 1));
  expect(progress.isFlowPaused).toBe(true);
  progress.becomeReplicate();
  expect(progress.isFlowPaused).toBe(false);
  progress.isFlowPaused = true;
  step(core, msg('MsgHeartbeatResp', 2, 1));
  expect(progress.isFlowPaused).toBe(false);
});

test('TestProgressPaused', () => {
  const core = testLeader(two, { electionTicks: 5 });
  for (let i = 0; i < 3; i += 1) step(core, proposal(1, 'somedata'));
  expect(readMessages(core)).toHaveLength(1);
});

test('TestProgressFlowControl', () => {
  const core = testLeader(two, {
    electionTicks: 5,
    inflightCountMax: 3,
    messageBytesMax: 2048,
    // A little over count times size.
    inflightBytesMax: 9000,
  });
  readMessages(core);
  core.tracker.progress.get(2)!.becomeProbe();
  const small = 'a'.repeat(1000);
  const large = 'b'.repeat(5000);
  for (let i = 0; i < 22; i += 1) step(core, proposal(1, i >= 10 && i < 16 ? large : small));

  // Probing, so one message: the empty entry and as many proposals as fit.
  const first = readMessages(core);
  expect(first.map(({ entries }) => entries.map(({ data }) => data.length))).toEqual([[0, 1000]]);

  const acknowledge = (index: number, counts: readonly number[]): number => {
    step(core, msg('MsgAppResp', 2, 1, { index }));
    const sent = readMessages(core);
    expect(sent.map(({ type, entries }) => [type, entries.length])).toEqual(
      counts.map((count) => ['MsgApp', count]),
    );
    return sent.at(-1)!.entries.at(-1)?.index ?? index;
  };
  let index = acknowledge(first[0]!.entries[1]!.index, [2, 2, 2]);
  // The third carries one large entry; after that two messages are more bytes than the window takes.
  index = acknowledge(index, [2, 1, 1]);
  index = acknowledge(index, [1, 1]);
  index = acknowledge(index, [1, 1]);
  index = acknowledge(index, [1, 2, 2]);
  acknowledge(index, [2]);
});

test('TestUncommittedEntryLimit', () => {
  const count = 1024;
  const entry = normal('testdata');
  const core = testLeader([1, 2, 3], {
    electionTicks: 5,
    uncommittedBytesMax: count * entry.data.length,
    inflightCountMax: 2 * count,
  });
  expect(core.uncommittedBytes).toBe(0);
  for (const id of [2, 3]) core.tracker.progress.get(id)!.becomeReplicate();
  for (let i = 0; i < count; i += 1) expect(step(core, proposal(1, entry))).toBe('stepped');
  expect(step(core, proposal(1, entry))).toBe('proposal_dropped');
  expect(readMessages(core)).toHaveLength(2 * count);
  const some = Array.from({ length: count }, () => entry);
  releaseUncommitted(core, some);
  expect(core.uncommittedBytes).toBe(0);

  // With nothing uncommitted even twice the limit is taken, and then nothing but empty entries.
  const many = [...some, ...some];
  expect(step(core, proposal(1, ...many))).toBe('stepped');
  expect(step(core, proposal(1, entry))).toBe('proposal_dropped');
  expect(step(core, proposal(1, ''))).toBe('stepped');
  expect(readMessages(core)).toHaveLength(2 * 2);
  releaseUncommitted(core, many);
  expect(core.uncommittedBytes).toBe(0);
  expect(payloadsBytes(many)).toBe(2 * count * entry.data.length);
});

test.each<[state: ProgressState, next: number]>([
  // Three entries, the empty one and the proposal.
  ['StateReplicate', 3 + 1 + 1 + 1],
  ['StateProbe', 2],
])('TestLeaderIncreaseNext: %s', (state, next) => {
  const core = testCore(1, two);
  core.log.append(at(1, 1, 2, 3));
  elect(core);
  Object.assign(core.tracker.progress.get(2)!, { state, next: 2 });
  step(core, proposal(1, 'somedata'));
  expect(core.tracker.progress.get(2)!.next).toBe(next);
});

/** Appends an entry and offers it to node 2. */
function appendAndSend(core: RaftCore): Message[] {
  appendEntries(core, [normal('somedata')]);
  sendAppend(core, 2);
  return readMessages(core);
}

test('TestSendAppendForProgressProbe', () => {
  const core = testLeader(two);
  readMessages(core);
  const progress = core.tracker.progress.get(2)!;
  progress.becomeProbe();
  // One append, then none until a heartbeat is answered.
  expect(appendAndSend(core).map(({ index }) => index)).toEqual([0]);
  for (let round = 0; round < 3; round += 1) {
    expect(progress.isFlowPaused).toBe(true);
    for (let i = 0; i < 10; i += 1) expect(appendAndSend(core)).toEqual([]);
    step(core, msg('MsgBeat', 1, 1));
    expect(progress.isFlowPaused).toBe(true);
    expect(readMessages(core).map(({ type }) => type)).toEqual(['MsgHeartbeat']);
  }
  step(core, msg('MsgHeartbeatResp', 2, 1));
  expect(readMessages(core).map(({ index }) => index)).toEqual([0]);
  expect(progress.isFlowPaused).toBe(true);
});

test('TestSendAppendForProgressReplicate', () => {
  const core = testLeader(two);
  readMessages(core);
  core.tracker.progress.get(2)!.becomeReplicate();
  for (let i = 0; i < 10; i += 1) expect(appendAndSend(core)).toHaveLength(1);
});

test('TestSendAppendForProgressSnapshot', () => {
  const core = testLeader(two);
  readMessages(core);
  core.tracker.progress.get(2)!.becomeSnapshot(10);
  for (let i = 0; i < 10; i += 1) expect(appendAndSend(core)).toEqual([]);
});

test('TestRecvMsgUnreachable', () => {
  const core = testCore(1, two, { entries: at(1, 1, 2, 3) });
  elect(core);
  readMessages(core);
  const progress = core.tracker.progress.get(2)!;
  progress.match = 3;
  progress.becomeReplicate();
  progress.next = 6;
  step(core, msg('MsgUnreachable', 2, 1));
  expect(progress).toMatchObject({ state: 'StateProbe', next: 4 });
});

test('an entry larger than a message gets through, alone', () => {
  const core = replicatingLeader({ messageBytesMax: 0 });
  step(core, proposal(1, 'a', 'b'));
  const [append, ...more] = readMessages(core);
  expect([append!.entries.length, more]).toEqual([1, []]);
  step(core, msg('MsgAppResp', 2, 1, { index: append!.index + 1 }));
  expect(readMessages(core).map(({ entries }) => entries.length)).toEqual([1, 1]);
});
