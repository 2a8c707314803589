// etcd's raft_test.go: elections and roles. Pre-vote and quorum checks are in pre-vote.test.ts and check-quorum.test.ts.
import { describe, expect, test } from 'vitest';
import type { Role } from './core.ts';
import { voteResponseType, type NodeId } from './message.ts';
import { appendEntries } from './replication.ts';
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './roles.ts';
import { step } from './step.ts';
import {
  allEntries,
  become,
  deliver,
  msg,
  normal,
  proposal,
  readMessages,
  settleAppends,
  takeAfterAppend,
  testCore,
  tickTimes,
} from './testing/core.ts';
import { at } from './testing/entries.ts';
import { Network, votedIn, withTerms, type Peer } from './testing/network.ts';

const three = [1, 2, 3];
const modes = (plain: string, preVote: string): { name: string; preVote: boolean }[] => [
  { name: plain, preVote: false },
  { name: preVote, preVote: true },
];

describe.each(modes('TestLeaderElection', 'TestLeaderElectionPreVote'))('$name', ({ preVote }) => {
  const open: Role = preVote ? 'StatePreCandidate' : 'StateCandidate';
  // A pre-vote that is not answered leaves the term alone.
  const openTerm = preVote ? 0 : 1;
  test.each<[peers: Peer[], role: Role, term: number]>([
    [['new', 'new', 'new'], 'StateLeader', 1],
    [['new', 'new', 'silent'], 'StateLeader', 1],
    [['new', 'silent', 'silent'], open, openTerm],
    [['new', 'silent', 'silent', 'new'], open, openTerm],
    [['new', 'silent', 'silent', 'new', 'new'], 'StateLeader', 1],
  ])('%j', (peers, role, term) => {
    const network = new Network(peers, { preVote });
    network.send(msg('MsgHup', 1, 1));
    expect(network.get(1)).toMatchObject({ role, term });
  });
  test('three logs go further, in the same term', () => {
    const peers: Peer[] = ['new', withTerms(1), withTerms(1), withTerms(1, 1), 'new'];
    const network = new Network(peers, { preVote });
    network.send(msg('MsgHup', 1, 1));
    expect(network.get(1)).toMatchObject({ role: 'StateFollower', term: 1 });
  });
});

test.each(modes('TestLeaderCycle', 'TestLeaderCyclePreVote'))('$name', ({ preVote }) => {
  const network = new Network(['new', 'new', 'new'], { preVote });
  for (const id of three) {
    network.send(msg('MsgHup', id, id));
    const roles = three.map((each) => network.get(each).role);
    expect(roles).toEqual(three.map((each) => (each === id ? 'StateLeader' : 'StateFollower')));
  }
});

test.each(modes('TestLeaderElectionOverwriteNewerLogs', 'TestLeaderElectionOverwriteNewerLogsPreVote'))(
  '$name',
  ({ preVote }) => {
    // 1 won term 1 and reached 2; 3 won term 2 with the votes of 4 and 5, and reached nobody.
    const peers = [withTerms(1), withTerms(1), withTerms(2), votedIn(2, 3), votedIn(2, 3)];
    const network = new Network(peers);
    for (const core of network.cores.values()) Object.assign(core.config, { preVote });
    const first = network.get(1);
    // A quorum knows of term 2.
    network.send(msg('MsgHup', 1, 1));
    expect(first).toMatchObject({ role: 'StateFollower', term: 2 });
    network.send(msg('MsgHup', 1, 1));
    expect(first).toMatchObject({ role: 'StateLeader', term: 3 });
    for (const core of network.cores.values())
      expect(allEntries(core).map(({ term }) => term)).toEqual([1, 3]);
  },
);

describe.each([
  { name: 'TestVoteFromAnyState', type: 'MsgVote' as const },
  { name: 'TestPreVoteFromAnyState', type: 'MsgPreVote' as const },
])('$name', ({ type }) => {
  test.each<[role: Role]>([['StateFollower'], ['StatePreCandidate'], ['StateCandidate'], ['StateLeader']])(
    '%s',
    (role) => {
      const core = testCore(1, three);
      core.term = 1;
      become(core, role, 1, 3);
      const before = core.term;
      const term = before + 1;
      expect(step(core, msg(type, 2, 1, { term, logTerm: term, index: 42 }))).toBe('stepped');
      const answers = readMessages(core);
      expect(answers).toHaveLength(1);
      expect(answers[0]).toMatchObject({ type: voteResponseType(type), reject: false });
      if (type === 'MsgVote') {
        expect(core).toMatchObject({ role: 'StateFollower', term, vote: 2 });
      } else {
        expect(core).toMatchObject({ role, term: before });
        expect([0, 1]).toContain(core.vote);
      }
    },
  );
});

test.each<[last: string, dueling: boolean]>([
  ['TestDuelingCandidates', false],
  ['TestDuelingPreCandidates', true],
])('%s', (_name, preVote) => {
  const network = new Network(['new', 'new', 'new'], { preVote });
  network.cut(1, 3);
  network.send(msg('MsgHup', 1, 1));
  network.send(msg('MsgHup', 3, 3));
  expect(network.get(1).role).toBe('StateLeader');
  // One vote for it, one against; a pre-vote is given up at the rejection.
  expect(network.get(3).role).toBe(preVote ? 'StateFollower' : 'StateCandidate');
  network.recover();
  // Its log is too short to win, but a later term disturbs the leader.
  network.send(msg('MsgHup', 3, 3));
  expect(network.get(3).role).toBe('StateFollower');
  const term = preVote ? 1 : 2;
  expect(network.get(1)).toMatchObject({ role: preVote ? 'StateLeader' : 'StateFollower', term });
  expect(network.get(2)).toMatchObject({ role: 'StateFollower', term });
  expect(network.get(3)).toMatchObject({ role: 'StateFollower', term });
  expect(three.map((id) => network.get(id).log.lastIndex())).toEqual([1, 1, 0]);
});

test('TestCandidateConcede', () => {
  const network = new Network(['new', 'new', 'new']);
  network.isolate(1);
  network.send(msg('MsgHup', 1, 1));
  network.send(msg('MsgHup', 3, 3));
  network.recover();
  network.send(msg('MsgBeat', 3, 3));
  network.send(proposal(3, 'force follower'));
  network.send(msg('MsgBeat', 3, 3));
  expect(network.get(1)).toMatchObject({ role: 'StateFollower', term: 1 });
  const wanted = [...at(1, 1), { ...normal('force follower'), term: 1, index: 2 }];
  for (const core of network.cores.values()) {
    expect(allEntries(core)).toEqual(wanted);
    expect(core.log).toMatchObject({ committed: 2, applied: 0, applying: 0 });
  }
});

test.each([
  { name: 'TestSingleNodeCandidate', preVote: false },
  { name: 'TestSingleNodePreCandidate', preVote: true },
])('$name', ({ preVote }) => {
  const network = new Network(['new'], { preVote });
  network.send(msg('MsgHup', 1, 1));
  expect(network.get(1).role).toBe('StateLeader');
});

test('TestPastElectionTimeout', () => {
  const core = testCore(1, [1]);
  const shares = [5, 10, 13, 15, 18, 20].map((elapsed) => {
    core.electionElapsed = elapsed;
    let past = 0;
    for (let i = 0; i < 10_000; i += 1) {
      core.drawElectionTimeout();
      if (core.isPastElectionTimeout()) past += 1;
    }
    return Math.round(past / 1000) / 10;
  });
  expect(shares).toEqual([0, 0.1, 0.4, 0.6, 0.9, 1]);
});

test('TestStepIgnoreOldTermMsg', () => {
  const core = testCore(1, [1]);
  core.term = 2;
  step(core, msg('MsgApp', 2, 1, { term: 1, entries: at(1, 1) }));
  expect(core.lead).toBe(0);
  expect(core.log.lastIndex()).toBe(0);
  expect(readMessages(core)).toEqual([]);
});

describe.each([
  { name: 'TestRecvMsgVote', type: 'MsgVote' as const },
  { name: 'TestRecvMsgPreVote', type: 'MsgPreVote' as const },
])('$name', ({ type }) => {
  // Our log ends at index 2 in term 2.
  const byLog = [0, 1, 2, 3].flatMap((index) =>
    [0, 1, 2, 3].map((logTerm): [Role, number, number, NodeId, boolean] => [
      'StateFollower',
      index,
      logTerm,
      0,
      logTerm < 2 || (logTerm === 2 && index < 2),
    ]),
  );
  test.each<[role: Role, index: number, logTerm: number, vote: NodeId, reject: boolean]>([
    ...byLog,
    ['StateFollower', 3, 2, 2, false],
    ['StateFollower', 3, 2, 1, true],
    ['StateLeader', 3, 3, 1, true],
    ['StatePreCandidate', 3, 3, 1, true],
    ['StateCandidate', 3, 3, 1, true],
  ])('%s, log to %i of term %i, voted for %i', (role, index, logTerm, vote, reject) => {
    const core = testCore(1, [1], { entries: at(1, 2, 2) });
    core.role = role;
    core.vote = vote;
    core.term = Math.max(2, logTerm);
    step(core, msg(type, 2, 1, { term: core.term, index, logTerm }));
    const answers = readMessages(core);
    expect(answers).toHaveLength(1);
    expect(answers[0]).toMatchObject({ type: voteResponseType(type), reject });
  });
});

describe('TestStateTransition', () => {
  const allowed: [from: Role, to: Role, term: number, lead: NodeId][] = [
    ['StateFollower', 'StateFollower', 1, 0],
    ['StateFollower', 'StatePreCandidate', 0, 0],
    ['StateFollower', 'StateCandidate', 1, 0],
    ['StatePreCandidate', 'StateFollower', 0, 0],
    ['StatePreCandidate', 'StatePreCandidate', 0, 0],
    ['StatePreCandidate', 'StateCandidate', 1, 0],
    ['StatePreCandidate', 'StateLeader', 0, 1],
    ['StateCandidate', 'StateFollower', 0, 0],
    ['StateCandidate', 'StatePreCandidate', 0, 0],
    ['StateCandidate', 'StateCandidate', 1, 0],
    ['StateCandidate', 'StateLeader', 0, 1],
    ['StateLeader', 'StateFollower', 1, 0],
    ['StateLeader', 'StateLeader', 0, 1],
  ];
  const turn = (from: Role, to: Role, term: number) => {
    const core = testCore(1, [1]);
    core.role = from;
    if (to === 'StateFollower') becomeFollower(core, term, 0);
    else if (to === 'StatePreCandidate') becomePreCandidate(core);
    else if (to === 'StateCandidate') becomeCandidate(core);
    else becomeLeader(core);
    return core;
  };
  test.each(allowed)('%s to %s', (from, to, term, lead) => {
    expect(turn(from, to, term)).toMatchObject({ role: to, term, lead });
  });
  test.each<[from: Role, to: Role]>([
    ['StateFollower', 'StateLeader'],
    ['StateLeader', 'StatePreCandidate'],
    ['StateLeader', 'StateCandidate'],
  ])('%s to %s stops the process', (from, to) => {
    expect(() => turn(from, to, 0)).toThrow(/invalid transition/);
  });
});

test.each<[role: Role, last: number]>([
  ['StateFollower', 0],
  ['StatePreCandidate', 0],
  ['StateCandidate', 0],
  ['StateLeader', 1],
])('TestAllServerStepdown: %s', (role, last) => {
  const core = testCore(1, three);
  become(core, role);
  for (const type of ['MsgVote', 'MsgApp'] as const) {
    step(core, msg(type, 2, 1, { term: 3, logTerm: 3 }));
    expect(core).toMatchObject({ role: 'StateFollower', term: 3, lead: type === 'MsgVote' ? 0 : 2 });
    expect(allEntries(core)).toHaveLength(last);
  }
});

test.each([
  { name: 'TestCandidateResetTermMsgHeartbeat', type: 'MsgHeartbeat' as const },
  { name: 'TestCandidateResetTermMsgApp', type: 'MsgApp' as const },
])('$name', ({ type }) => {
  const network = new Network(['new', 'new', 'new']);
  const [a, b, c] = [network.get(1), network.get(2), network.get(3)];
  network.send(msg('MsgHup', 1, 1));
  expect([a.role, b.role, c.role]).toEqual(['StateLeader', 'StateFollower', 'StateFollower']);
  network.isolate(3);
  network.send(msg('MsgHup', 2, 2));
  network.send(msg('MsgHup', 1, 1));
  expect([a.role, b.role]).toEqual(['StateLeader', 'StateFollower']);
  c.drawElectionTimeout();
  tickTimes(c, c.randomizedElectionTicks);
  settleAppends(c);
  expect(c.role).toBe('StateCandidate');
  network.recover();
  network.send(msg(type, 1, 3, { term: a.term }));
  expect(c).toMatchObject({ role: 'StateFollower', term: a.term });
});

test.each(modes('TestCandidateSelfVoteAfterLostElection', 'TestCandidateSelfVoteAfterLostElectionPreVote'))(
  '$name',
  ({ preVote }) => {
    const core = testCore(1, three, { electionTicks: 5, preVote });
    step(core, msg('MsgHup', 1, 1));
    const ownVote = takeAfterAppend(core);
    // Another won before the own vote was durable.
    step(core, msg('MsgHeartbeat', 2, 1, { term: core.term }));
    expect(core.role).toBe('StateFollower');
    deliver(core, ownVote);
    expect(core.role).toBe('StateFollower');
    expect(core.tracker.tallyVotes().granted).toBe(0);
  },
);

test('TestCandidateDeliversPreCandidateSelfVoteAfterBecomingCandidate', () => {
  const core = testCore(1, three, { electionTicks: 5, preVote: true });
  step(core, msg('MsgHup', 1, 1));
  expect(core.role).toBe('StatePreCandidate');
  const ownPreVote = takeAfterAppend(core);
  for (const from of [2, 3]) step(core, msg('MsgPreVoteResp', from, 1, { term: core.term + 1 }));
  expect(core.role).toBe('StateCandidate');
  deliver(core, ownPreVote);
  expect(core.role).toBe('StateCandidate');
  const ownVote = takeAfterAppend(core);
  expect(core.tracker.tallyVotes().granted).toBe(0);
  // One vote is no majority of three; with the own one it is.
  step(core, msg('MsgVoteResp', 2, 1, { term: core.term }));
  expect(core.role).toBe('StateCandidate');
  deliver(core, ownVote);
  expect(core.role).toBe('StateLeader');
});

test.each([
  { name: 'TestCampaignWhileLeader', preVote: false },
  { name: 'TestPreCampaignWhileLeader', preVote: true },
])('$name', ({ preVote }) => {
  const core = testCore(1, [1], { electionTicks: 5, preVote });
  expect(core.role).toBe('StateFollower');
  step(core, msg('MsgHup', 1, 1));
  settleAppends(core);
  expect(core.role).toBe('StateLeader');
  const { term } = core;
  step(core, msg('MsgHup', 1, 1));
  settleAppends(core);
  expect(core).toMatchObject({ role: 'StateLeader', term });
});

test.each<[voters: NodeId[], wanted: boolean]>([
  [[1], true],
  [[1, 2, 3], true],
  [[], false],
  [[2, 3], false],
])('TestPromotable: voters %j', (voters, wanted) => {
  expect(testCore(1, voters, { electionTicks: 5 }).isPromotable()).toBe(wanted);
});

test.each([[[1, 2, 3]], [[3, 2, 1]]])('TestRaftNodes: %j', (voters) => {
  expect(testCore(1, voters).tracker.voterIds()).toEqual([1, 2, 3]);
});

test.each([
  { before: 0, pending: 0 },
  { before: 1, pending: 1 },
])('TestNewLeaderPendingConfig: $before entries before', ({ before, pending }) => {
  const core = testCore(1, [1, 2]);
  if (before > 0) appendEntries(core, [normal()]);
  become(core, 'StateLeader');
  expect(core.pendingConfIndex).toBe(pending);
});
