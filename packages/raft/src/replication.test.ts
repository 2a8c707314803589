// etcd's raft_test.go: log replication, commit, and how followers and leaders answer each other.
import { describe, expect, test } from 'vitest';
import type { Role } from './core.ts';
import type { Entry, Message, MessageFields, NodeId } from './message.ts';
import { applyConfChange } from './membership.ts';
import { appendEntries, handleAppend, handleHeartbeat, maybeCommit, sendAppend } from './replication.ts';
import { becomeFollower } from './roles.ts';
import { startCore } from './start.ts';
import { step } from './step.ts';
import {
  allEntries,
  blankStorage,
  elect,
  memoryOf,
  msg,
  nextEntries,
  normal,
  proposal,
  readMessages,
  settleAppends,
  testConfig,
  testCore,
  testLeader,
} from './testing/core.ts';
import { at, snapshotAt, textOf } from './testing/entries.ts';
import { Network, type Peer } from './testing/network.ts';

const three = [1, 2, 3];
const withData = (term: number, index: number, text: string): Entry => ({ ...normal(text), term, index });
const some = withData(1, 2, 'somedata');

describe('TestLogReplication', () => {
  test.each<[messages: Message[], committed: number]>([
    [[proposal(1, 'one')], 2],
    [[proposal(1, 'one'), msg('MsgHup', 1, 2), { ...proposal(2, 'two'), from: 1 }], 4],
  ])('%#', (messages, committed) => {
    const network = new Network(['new', 'new', 'new']);
    network.send(msg('MsgHup', 1, 1));
    for (const message of messages) network.send(message);
    const wanted = messages.flatMap(({ entries }) => entries.map(({ data }) => textOf(data)));
    for (const core of network.cores.values()) {
      expect(core.log.committed).toBe(committed);
      const applied = nextEntries(core).map(({ data }) => textOf(data));
      expect(applied.filter((text) => text !== '')).toEqual(wanted);
    }
  });
});

test('TestSingleNodeCommit', () => {
  const network = new Network(['new']);
  network.send(msg('MsgHup', 1, 1));
  for (let i = 0; i < 2; i += 1) network.send(proposal(1, 'some data'));
  expect(network.get(1).log.committed).toBe(3);
});

/** 1 leads five, and has two entries that only 2 got. */
function halfReplicated(): Network {
  const network = new Network(['new', 'new', 'new', 'new', 'new']);
  network.send(msg('MsgHup', 1, 1));
  for (const id of [3, 4, 5]) network.cut(1, id);
  for (let i = 0; i < 2; i += 1) network.send(proposal(1, 'some data'));
  expect(network.get(1).log.committed).toBe(1);
  network.recover();
  return network;
}

test('TestCannotCommitWithoutNewTermEntry', () => {
  const network = halfReplicated();
  network.ignore('MsgApp');
  network.send(msg('MsgHup', 2, 2));
  expect(network.get(2).log.committed).toBe(1);
  network.recover();
  network.send(msg('MsgBeat', 2, 2));
  network.send(proposal(2, 'some data'));
  expect(network.get(2).log.committed).toBe(5);
});

test('TestCommitWithoutNewTermEntry', () => {
  const network = halfReplicated();
  network.send(msg('MsgHup', 2, 2));
  expect(network.get(1).log.committed).toBe(4);
});

test('TestOldMessages', () => {
  const network = new Network(['new', 'new', 'new']);
  for (const id of [1, 2, 1]) network.send(msg('MsgHup', id, id));
  // From the leader of term 2, which is over.
  network.send(msg('MsgApp', 2, 1, { term: 2, entries: at(3, 2) }));
  network.send(proposal(1, 'somedata'));
  const wanted = [...at(1, 1, 2, 3), withData(3, 4, 'somedata')];
  for (const core of network.cores.values()) expect(allEntries(core)).toEqual(wanted);
});

test.each<[peers: Peer[], isCommitted: boolean]>([
  [['new', 'new', 'new'], true],
  [['new', 'new', 'silent'], true],
  [['new', 'silent', 'silent'], false],
  [['new', 'silent', 'silent', 'new'], false],
  [['new', 'silent', 'silent', 'new', 'new'], true],
])('TestProposal: %j', (peers, isCommitted) => {
  const network = new Network(peers);
  network.send(msg('MsgHup', 1, 1));
  network.send(proposal(1, 'somedata'));
  for (const core of network.cores.values())
    expect(allEntries(core)).toEqual(isCommitted ? [...at(1, 1), some] : []);
  expect(network.get(1).term).toBe(1);
});

test.each<[peers: Peer[]]>([[['new', 'new', 'new']], [['new', 'new', 'silent']]])(
  'TestProposalByProxy: %j',
  (peers) => {
    const network = new Network(peers);
    network.send(msg('MsgHup', 1, 1));
    network.send(proposal(2, 'somedata'));
    for (const core of network.cores.values()) expect(allEntries(core)).toEqual([...at(1, 1), some]);
    expect(network.get(1).term).toBe(1);
  },
);

test.each<[matches: number[], entries: Entry[], term: number, committed: number]>([
  [[1], at(1, 1), 1, 1],
  [[1], at(1, 1), 2, 0],
  [[2], at(1, 1, 2), 2, 2],
  [[1], at(1, 2), 2, 1],
  [[2, 1, 1], at(1, 1, 2), 1, 1],
  [[2, 1, 1], at(1, 1, 1), 2, 0],
  [[2, 1, 2], at(1, 1, 2), 2, 2],
  [[2, 1, 2], at(1, 1, 1), 2, 0],
  [[2, 1, 1, 1], at(1, 1, 2), 1, 1],
  [[2, 1, 1, 1], at(1, 1, 1), 2, 0],
  [[2, 1, 1, 2], at(1, 1, 2), 1, 1],
  [[2, 1, 1, 2], at(1, 1, 1), 2, 0],
  [[2, 1, 2, 2], at(1, 1, 2), 2, 2],
  [[2, 1, 2, 2], at(1, 1, 1), 2, 0],
])('TestCommit: %#', (matches, entries, term, committed) => {
  const core = testCore(1, [1], { entries });
  core.term = term;
  for (const [i, match] of matches.entries()) {
    if (i > 0) applyConfChange(core, { type: 'ConfChangeAddNode', nodeId: i + 1 });
    Object.assign(core.tracker.progress.get(i + 1)!, { match, next: match + 1 });
  }
  maybeCommit(core);
  expect(core.log.committed).toBe(committed);
});

describe('TestHandleMsgApp', () => {
  test.each<[fields: MessageFields, last: number, committed: number, reject: boolean]>([
    // The entry before differs, or is not there.
    [{ term: 2, logTerm: 3, index: 2, commit: 3 }, 2, 0, true],
    [{ term: 2, logTerm: 3, index: 3, commit: 3 }, 2, 0, true],
    // A conflict is replaced with all that follows it.
    [{ term: 2, logTerm: 1, index: 1, commit: 1 }, 2, 1, false],
    [{ term: 2, commit: 1, entries: at(1, 2) }, 1, 1, false],
    [{ term: 2, logTerm: 2, index: 2, commit: 3, entries: at(3, 2, 2) }, 4, 3, false],
    [{ term: 2, logTerm: 2, index: 2, commit: 4, entries: at(3, 2) }, 3, 3, false],
    [{ term: 2, logTerm: 1, index: 1, commit: 4, entries: at(2, 2) }, 2, 2, false],
    // Committed up to what was sent, not beyond.
    [{ term: 1, logTerm: 1, index: 1, commit: 3 }, 2, 1, false],
    [{ term: 1, logTerm: 1, index: 1, commit: 3, entries: at(2, 2) }, 2, 2, false],
    [{ term: 2, logTerm: 2, index: 2, commit: 3 }, 2, 2, false],
    [{ term: 2, logTerm: 2, index: 2, commit: 4 }, 2, 2, false],
  ])('%#', (fields, last, committed, reject) => {
    const core = testCore(1, [1], { entries: at(1, 1, 2) });
    becomeFollower(core, 2, 0);
    handleAppend(core, msg('MsgApp', 0, 0, fields));
    expect(core.log.lastIndex()).toBe(last);
    expect(core.log.committed).toBe(committed);
    expect(core.messagesAfterAppend.map((answer) => answer.reject)).toEqual([reject]);
  });
});

test.each([
  { commit: 3, wanted: 3 },
  { commit: 1, wanted: 2 },
])('TestHandleHeartbeat: commit $commit', ({ commit, wanted }) => {
  const core = testCore(1, [1, 2], { entries: at(1, 1, 2, 3) });
  becomeFollower(core, 2, 2);
  core.log.commitTo(2);
  handleHeartbeat(core, msg('MsgHeartbeat', 2, 1, { term: 2, commit }));
  expect(core.log.committed).toBe(wanted);
  expect(readMessages(core).map(({ type }) => type)).toEqual(['MsgHeartbeatResp']);
});

test('TestHandleHeartbeatResp', () => {
  const core = testCore(1, [1, 2], { entries: at(1, 1, 2, 3) });
  elect(core);
  core.log.commitTo(core.log.lastIndex());
  const answered = (): Message[] => {
    step(core, msg('MsgHeartbeatResp', 2, 0));
    return readMessages(core);
  };
  // Behind: each response brings an append, until one is acknowledged.
  expect(answered().map(({ type }) => type)).toEqual(['MsgApp']);
  const [append] = answered();
  expect(append!.type).toBe('MsgApp');
  step(core, msg('MsgAppResp', 2, 0, { index: append!.index + append!.entries.length }));
  readMessages(core);
  expect(answered()).toEqual([]);
});

test('TestMsgAppRespWaitReset', () => {
  const core = testLeader(three, { electionTicks: 5 });
  nextEntries(core);
  step(core, msg('MsgAppResp', 2, 0, { index: 1 }));
  expect(core.log.committed).toBe(1);
  readMessages(core);
  step(core, { ...proposal(1, ''), to: 0 });
  const sent = (): [string, NodeId, number[]][] =>
    readMessages(core).map(({ type, to, entries }) => [type, to, entries.map(({ index }) => index)]);
  // 2 has answered the first, 3 is waited for.
  expect(sent()).toEqual([['MsgApp', 2, [2]]]);
  step(core, msg('MsgAppResp', 3, 0, { index: 1 }));
  expect(sent()).toEqual([['MsgApp', 3, [2]]]);
});

describe('TestLeaderAppResp', () => {
  test.each([
    // Before: match 0, next 3.
    { index: 3, reject: true, match: 0, next: 3, count: 0, sent: 0, commit: 0 },
    { index: 2, reject: true, match: 0, next: 2, count: 1, sent: 1, commit: 0 },
    { index: 2, reject: false, match: 2, next: 4, count: 2, sent: 2, commit: 2 },
    // What is known already ends probing: everything is sent.
    { index: 0, reject: false, match: 0, next: 4, count: 1, sent: 0, commit: 0 },
  ])('$index, reject $reject', ({ index, reject, match, next, count, sent, commit }) => {
    const core = testCore(1, three, { entries: at(1, 1, 1) });
    elect(core);
    readMessages(core);
    step(core, msg('MsgAppResp', 2, 0, { index, term: core.term, reject, rejectHint: index }));
    expect(core.tracker.progress.get(2)).toMatchObject({ match, next });
    const wanted = Array.from({ length: count }, () => ({ index: sent, commit }));
    expect(readMessages(core)).toMatchObject(wanted);
  });
});

test('TestBcastBeat', () => {
  const storage = blankStorage([]);
  storage.applySnapshot(snapshotAt(1000, 1, three));
  const core = startCore(testConfig(1, storage));
  core.term = 1;
  elect(core);
  for (let i = 0; i < 10; i += 1) appendEntries(core, [normal()]);
  settleAppends(core);
  const last = core.log.lastIndex();
  Object.assign(core.tracker.progress.get(2)!, { match: 5, next: 6 });
  Object.assign(core.tracker.progress.get(3)!, { match: last, next: last + 1 });
  step(core, msg('MsgBeat', 0, 0));
  const heartbeat = { type: 'MsgHeartbeat', index: 0, logTerm: 0, entries: [] };
  expect(readMessages(core)).toMatchObject([
    { ...heartbeat, to: 2, commit: Math.min(core.log.committed, 5) },
    { ...heartbeat, to: 3, commit: Math.min(core.log.committed, last) },
  ]);
});

test.each<[role: Role, count: number]>([
  ['StateLeader', 2],
  ['StateCandidate', 0],
  ['StateFollower', 0],
])('TestRecvMsgBeat: %s', (role, count) => {
  const core = testCore(1, three, { entries: at(1, 1, 1) });
  core.term = 1;
  core.role = role;
  step(core, msg('MsgBeat', 1, 1));
  const types = readMessages(core).map(({ type }) => type);
  expect(types).toEqual(Array.from({ length: count }, () => 'MsgHeartbeat'));
});

test('TestLogReplicationWithReorderedMessage', () => {
  const lead = testLeader([1, 2]);
  readMessages(lead);
  const progress = lead.tracker.progress.get(2)!;
  progress.becomeReplicate();
  const follower = testCore(2, [1, 2]);
  const only = (messages: Message[]): Message => {
    expect(messages).toHaveLength(1);
    return messages[0]!;
  };
  const sendOne = (): Message => {
    appendEntries(lead, [normal('somedata')]);
    sendAppend(lead, 2);
    return only(readMessages(lead));
  };
  const first = sendOne();
  const second = sendOne();
  // The second arrives first.
  step(follower, second);
  const late = only(readMessages(follower));
  expect(late).toMatchObject({ reject: true, rejectHint: 0, index: 2 });
  step(follower, first);
  const taken = only(readMessages(follower));
  expect(taken).toMatchObject({ reject: false, index: 2 });
  step(lead, taken);
  only(readMessages(lead));
  expect(progress.match).toBe(2);
  step(lead, msg('MsgUnreachable', 2, 1));
  expect(progress.state).toBe('StateProbe');
  // The late rejection does not take it back behind what was acknowledged.
  step(lead, late);
  expect(only(readMessages(lead)).index).toBe(progress.match);
});

describe('TestFastLogRejection', () => {
  interface Case {
    readonly leader: number[];
    readonly follower: number[];
    readonly compacted?: number;
    /** Term and index in the rejection, then of the next append. */
    readonly hint: [number, number];
    readonly next: [number, number];
  }
  test.each<Case>([
    // Found by the leader.
    {
      leader: [1, 2, 2, 4, 4, 4, 4],
      follower: [1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3],
      hint: [3, 7],
      next: [2, 3],
    },
    {
      leader: [1, 2, 2, 3, 4, 4, 4, 5],
      follower: [1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3],
      hint: [3, 8],
      next: [3, 4],
    },
    // Found by the follower.
    { leader: [1, 1, 1, 1], follower: [1, 2, 2, 4], hint: [1, 1], next: [1, 1] },
    { leader: [1, 1, 1, 1, 1, 1], follower: [1, 2, 2, 4], hint: [1, 1], next: [1, 1] },
    { leader: [1, 1, 1, 1], follower: [1, 2, 2, 4, 4, 4], hint: [1, 1], next: [1, 1] },
    // No conflict, only shorter.
    { leader: [1, 1, 1, 4, 5], follower: [1, 1, 1, 4], hint: [4, 4], next: [4, 4] },
    { leader: [2, 5, 5, 5, 5, 5, 5, 5, 5], follower: [2, 4, 4, 4, 4, 4], hint: [4, 6], next: [2, 1] },
    { leader: [2, 2, 2, 2, 2], follower: [2, 4, 4, 4, 4, 4, 4, 4], hint: [2, 1], next: [2, 1] },
    // A stale append to where the follower has compacted: the term there is unknown.
    { leader: [1, 1, 3], follower: [1, 1, 3, 3, 3], compacted: 5, hint: [0, 3], next: [1, 2] },
  ])('leader $leader, follower $follower', ({ leader, follower, compacted, hint, next }) => {
    const term = leader.at(-1)!;
    const lead = testCore(1, three, { entries: at(1, ...leader) });
    lead.loadHardState({ term: term - 1, vote: 0, commit: leader.length });
    elect(lead);
    const other = testCore(2, three, { entries: at(1, ...follower) });
    other.loadHardState({ term, vote: 1, commit: 0 });
    if (compacted !== undefined) memoryOf(other).compact(compacted);

    const exchange = (core: typeof lead, message: Message): Message => {
      expect(step(core, message)).toBe('stepped');
      return readMessages(core)[0]!;
    };
    const heard = exchange(other, msg('MsgHeartbeat', 1, 2));
    expect(heard.type).toBe('MsgHeartbeatResp');
    const append = exchange(lead, heard);
    expect(append.type).toBe('MsgApp');
    const rejection = exchange(other, append);
    expect(rejection).toMatchObject({
      type: 'MsgAppResp',
      reject: true,
      logTerm: hint[0],
      rejectHint: hint[1],
    });
    expect(exchange(lead, rejection)).toMatchObject({ logTerm: next[0], index: next[1] });
  });
});
