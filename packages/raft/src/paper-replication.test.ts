// etcd's raft_paper_test.go, replication: one test for each sentence of the Raft paper (extended version) that it tests.
import { describe, expect, test } from 'vitest';
import { type Entry, type NodeId } from './message.ts';
import { becomeFollower } from './roles.ts';
import { step } from './step.ts';
import {
  acknowledgementOf,
  allEntries,
  elect,
  idsTo,
  memoryOf,
  msg,
  nextEntries,
  proposal,
  readMessages,
  settleAppends,
  testCore,
  testLeader,
} from './testing/core.ts';
import { at, bytesOf } from './testing/entries.ts';
import { Network } from './testing/network.ts';
import type { RaftCore } from './core.ts';
import { broadcastAppend } from './replication.ts';

const three = [1, 2, 3];
const some = bytesOf('some data');
const entry = (term: number, index: number, data = some): Entry => ({
  term,
  index,
  type: 'EntryNormal',
  data,
});

/** The leader's empty entry committed and applied everywhere. */
function commitEmptyEntry(core: RaftCore): void {
  broadcastAppend(core);
  for (const append of readMessages(core)) step(core, acknowledgementOf(append));
  readMessages(core);
  nextEntries(core);
}

function leaderWithCommit(size: number): { core: RaftCore; last: number } {
  const core = testLeader(idsTo(size));
  commitEmptyEntry(core);
  return { core, last: core.log.lastIndex() };
}

describe('5.3: the leader appends a command to its log, then sends it to all, with the entry before it', () => {
  test('TestLeaderStartReplication', () => {
    const { core, last } = leaderWithCommit(3);
    step(core, proposal(1, 'some data'));
    expect(core.log.lastIndex()).toBe(last + 1);
    expect(core.log.committed).toBe(last);
    const entries = [entry(1, last + 1)];
    const append = { term: 1, index: last, logTerm: 1, entries, commit: last };
    expect(readMessages(core)).toEqual([2, 3].map((to) => msg('MsgApp', 1, to, append)));
    expect(core.log.unstable.nextEntries()).toEqual(entries);
  });
});

describe('5.3: a safely replicated entry is applied, and the commit index is in later appends', () => {
  test('TestLeaderCommitEntry', () => {
    const { core, last } = leaderWithCommit(3);
    step(core, proposal(1, 'some data'));
    for (const append of readMessages(core)) step(core, acknowledgementOf(append));
    expect(core.log.committed).toBe(last + 1);
    expect(core.log.nextCommitted(true)).toEqual([entry(1, last + 1)]);
    const told = readMessages(core).map(({ type, to, commit }) => ({ type, to, commit }));
    expect(told).toEqual([2, 3].map((to) => ({ type: 'MsgApp', to, commit: last + 1 })));
  });
});

describe('5.3: an entry is committed once a majority of the servers has it', () => {
  test.each<[size: number, acceptors: NodeId[], isCommitted: boolean]>([
    [1, [], true],
    [3, [], false],
    [3, [2], true],
    [3, [2, 3], true],
    [5, [], false],
    [5, [2], false],
    [5, [2, 3], true],
    [5, [2, 3, 4], true],
    [5, [2, 3, 4, 5], true],
  ])('TestLeaderAcknowledgeCommit: %i servers, accepted by %j', (size, acceptors, isCommitted) => {
    const { core, last } = leaderWithCommit(size);
    step(core, proposal(1, 'some data'));
    settleAppends(core);
    for (const append of [...core.messages])
      if (acceptors.includes(append.to)) step(core, acknowledgementOf(append));
    expect(core.log.committed > last).toBe(isCommitted);
  });
});

describe('5.3: this commits all preceding entries too, also those of earlier leaders', () => {
  test.each<[earlier: Entry[]]>([[[]], [at(1, 2)], [at(1, 1, 2)], [at(1, 1)]])(
    'TestLeaderCommitPrecedingEntries: %#',
    (earlier) => {
      const core = testCore(1, three, { entries: earlier });
      core.loadHardState({ term: 2, vote: 0, commit: 0 });
      elect(core);
      step(core, proposal(1, 'some data'));
      for (const append of readMessages(core)) step(core, acknowledgementOf(append));
      const next = earlier.length + 1;
      expect(core.log.nextCommitted(true)).toEqual([...earlier, ...at(next, 3), entry(3, next + 1)]);
    },
  );
});

describe('5.3: a follower applies an entry, in log order, once it learns that it is committed', () => {
  const other = bytesOf('some data2');
  test.each<[entries: Entry[], commit: number]>([
    [[entry(1, 1)], 1],
    [[entry(1, 1), entry(1, 2, other)], 2],
    [[entry(1, 1, other), entry(1, 2)], 2],
    [[entry(1, 1), entry(1, 2, other)], 1],
  ])('TestFollowerCommitEntry: %#', (entries, commit) => {
    const core = testCore(1, three);
    becomeFollower(core, 1, 2);
    step(core, msg('MsgApp', 2, 1, { term: 1, entries, commit }));
    expect(core.log.committed).toBe(commit);
    expect(core.log.nextCommitted(true)).toEqual(entries.slice(0, commit));
  });
});

describe('5.3: a follower without the preceding entry refuses the new ones', () => {
  test.each([
    { logTerm: 0, index: 0, answer: { index: 1 } },
    { logTerm: 1, index: 1, answer: { index: 1 } },
    { logTerm: 2, index: 2, answer: { index: 2 } },
    { logTerm: 1, index: 2, answer: { index: 2, reject: true, rejectHint: 1, logTerm: 1 } },
    { logTerm: 3, index: 3, answer: { index: 3, reject: true, rejectHint: 2, logTerm: 2 } },
  ])('TestFollowerCheckMsgApp: behind $index of term $logTerm', ({ logTerm, index, answer }) => {
    const core = testCore(1, three, { entries: at(1, 1, 2) });
    core.loadHardState({ term: 0, vote: 0, commit: 1 });
    becomeFollower(core, 2, 2);
    step(core, msg('MsgApp', 2, 1, { term: 2, logTerm, index }));
    expect(readMessages(core)).toEqual([msg('MsgAppResp', 1, 2, { term: 2, ...answer })]);
  });
});

describe('5.3: conflicting entries and all that follow them are deleted, new ones appended', () => {
  test.each<[index: number, logTerm: number, sent: Entry[], log: Entry[], unstable: Entry[]]>([
    [2, 2, at(3, 3), at(1, 1, 2, 3), at(3, 3)],
    [1, 1, at(2, 3, 4), at(1, 1, 3, 4), at(2, 3, 4)],
    [0, 0, at(1, 1), at(1, 1, 2), []],
    [0, 0, at(1, 3), at(1, 3), at(1, 3)],
  ])('TestFollowerAppendEntries: %#', (index, logTerm, entries, log, unstable) => {
    const core = testCore(1, three, { entries: at(1, 1, 2) });
    becomeFollower(core, 2, 2);
    step(core, msg('MsgApp', 2, 1, { term: 2, logTerm, index, entries }));
    expect(allEntries(core)).toEqual(log);
    expect(core.log.unstable.nextEntries()).toEqual(unstable);
  });
});

describe('5.3, figure 7: the leader brings any follower log into consistency with its own', () => {
  test.each<[terms: number[]]>([
    [[1, 1, 1, 4, 4, 5, 5, 6, 6]],
    [[1, 1, 1, 4]],
    [[1, 1, 1, 4, 4]],
    [[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    [[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    [[1, 1, 1, 4, 4, 4, 4]],
    [[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ])('TestLeaderSyncFollowerLog: %j', (terms) => {
    const lead = testCore(1, three, { entries: at(1, 1, 1, 1, 4, 4, 5, 5, 6, 6, 6) });
    lead.loadHardState({ term: 8, vote: 0, commit: lead.log.lastIndex() });
    const follower = testCore(2, three, { entries: at(1, ...terms) });
    follower.loadHardState({ term: 7, vote: 0, commit: 0 });
    // The second may have the longer log: the third vote decides.
    const network = new Network([lead, follower, 'silent']);
    network.send(msg('MsgHup', 1, 1));
    network.send(msg('MsgVoteResp', 3, 1, { term: 9 }));
    network.send(proposal(1, ''));
    expect(lead.role).toBe('StateLeader');
    expect(allEntries(follower)).toEqual(allEntries(lead));
    expect(follower.log.committed).toBe(lead.log.committed);
  });
});

describe('5.4.2: only entries of the leader’s term are committed by counting replicas', () => {
  test.each([
    { index: 1, commit: 0 },
    { index: 2, commit: 0 },
    { index: 3, commit: 3 },
  ])('TestLeaderOnlyCommitsLogFromCurrentTerm: up to $index', ({ index, commit }) => {
    const core = testCore(1, [1, 2], { entries: at(1, 1, 2) });
    core.loadHardState({ term: 2, vote: 0, commit: 0 });
    elect(core);
    readMessages(core);
    step(core, proposal(1, ''));
    step(core, msg('MsgAppResp', 2, 1, { term: core.term, index }));
    settleAppends(core);
    expect(core.log.committed).toBe(commit);
    expect(memoryOf(core).lastIndex()).toBe(2);
  });
});
