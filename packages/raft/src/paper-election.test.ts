// etcd's raft_paper_test.go, elections: one test for each sentence of the Raft paper (extended version) that it tests.
import { describe, expect, test } from 'vitest';
import type { Role } from './core.ts';
import { type Entry, type Message, type NodeId } from './message.ts';
import { step, tick } from './step.ts';
import {
  become,
  idsTo,
  msg,
  proposal,
  readMessages,
  settleAppends,
  testCore,
  testLeader,
  tickTimes,
} from './testing/core.ts';
import { at } from './testing/entries.ts';

const three = [1, 2, 3];

describe('5.1: a server whose term is out of date updates it, and a candidate or leader follows at once', () => {
  test.each<[name: string, role: Role]>([
    ['TestFollowerUpdateTermFromMessage', 'StateFollower'],
    ['TestCandidateUpdateTermFromMessage', 'StateCandidate'],
    ['TestLeaderUpdateTermFromMessage', 'StateLeader'],
  ])('%s', (_name, role) => {
    const core = testCore(1, three);
    become(core, role, 1, 2);
    step(core, msg('MsgApp', 0, 0, { term: 2 }));
    expect(core).toMatchObject({ term: 2, role: 'StateFollower' });
  });
});

describe('5.1: a request with an out-of-date term is rejected', () => {
  test('TestRejectStaleTermMessage: it is ignored', () => {
    const core = testCore(1, three);
    core.loadHardState({ term: 2, vote: 0, commit: 0 });
    core.electionElapsed = 5;
    step(core, msg('MsgApp', 2, 1, { term: 1, entries: at(1, 1) }));
    expect(core).toMatchObject({ term: 2, lead: 0, electionElapsed: 5 });
    expect(core.log.lastIndex()).toBe(0);
    expect(readMessages(core)).toEqual([]);
  });
});

describe('5.2: servers start as followers', () => {
  test('TestStartAsFollower', () => {
    expect(testCore(1, three).role).toBe('StateFollower');
  });
});

describe('5.2: leaders send periodic heartbeats that carry no log entries', () => {
  test('TestLeaderBcastBeat', () => {
    const core = testLeader(three);
    step(core, proposal(1, ...Array.from({ length: 10 }, () => '')));
    core.messages = [];
    tick(core);
    expect(readMessages(core)).toEqual(
      [2, 3].map((to) => msg('MsgHeartbeat', 1, to, { term: 1, commit: 0 })),
    );
  });
});

describe('5.2: without a word over the election timeout it increments its term, votes for itself and asks all', () => {
  test.each<[name: string, role: Role]>([
    ['TestFollowerStartElection', 'StateFollower'],
    ['TestCandidateStartNewElection', 'StateCandidate'],
  ])('%s', (_name, role) => {
    const core = testCore(1, three);
    become(core, role, 1, 2);
    tickTimes(core, 2 * 10 - 1);
    settleAppends(core);
    expect(core).toMatchObject({ term: 2, role: 'StateCandidate' });
    expect(core.tracker.votes.get(1)).toBe(true);
    expect(readMessages(core)).toEqual([2, 3].map((to) => msg('MsgVote', 1, to, { term: 2 })));
  });
});

describe('5.2: an election is won with a majority, lost, or open', () => {
  test.each<[size: number, votes: [NodeId, boolean][], role: Role]>([
    [1, [], 'StateLeader'],
    [
      3,
      [
        [2, true],
        [3, true],
      ],
      'StateLeader',
    ],
    [3, [[2, true]], 'StateLeader'],
    [
      5,
      [
        [2, true],
        [3, true],
        [4, true],
        [5, true],
      ],
      'StateLeader',
    ],
    [
      5,
      [
        [2, true],
        [3, true],
        [4, true],
      ],
      'StateLeader',
    ],
    [
      5,
      [
        [2, true],
        [3, true],
      ],
      'StateLeader',
    ],
    [
      3,
      [
        [2, false],
        [3, false],
      ],
      'StateFollower',
    ],
    [
      5,
      [
        [2, false],
        [3, false],
        [4, false],
        [5, false],
      ],
      'StateFollower',
    ],
    [
      5,
      [
        [2, true],
        [3, false],
        [4, false],
        [5, false],
      ],
      'StateFollower',
    ],
    [3, [], 'StateCandidate'],
    [5, [[2, true]], 'StateCandidate'],
    [
      5,
      [
        [2, false],
        [3, false],
      ],
      'StateCandidate',
    ],
    [5, [], 'StateCandidate'],
  ])('TestLeaderElectionInOneRoundRPC: %i servers, votes %j', (size, votes, role) => {
    const core = testCore(1, idsTo(size));
    step(core, msg('MsgHup', 1, 1));
    settleAppends(core);
    for (const [from, isGranted] of votes)
      step(core, msg('MsgVoteResp', from, 1, { term: core.term, reject: !isGranted }));
    expect(core).toMatchObject({ role, term: 1 });
  });
});

describe('5.2: each server votes for at most one candidate in a term, first come first served', () => {
  test.each([
    { vote: 0, candidate: 2, reject: false },
    { vote: 0, candidate: 3, reject: false },
    { vote: 2, candidate: 2, reject: false },
    { vote: 3, candidate: 3, reject: false },
    { vote: 2, candidate: 3, reject: true },
    { vote: 3, candidate: 2, reject: true },
  ])('TestFollowerVote: voted for $vote, asked by $candidate', ({ vote, candidate, reject }) => {
    const core = testCore(1, three);
    core.loadHardState({ term: 1, vote, commit: 0 });
    step(core, msg('MsgVote', candidate, 1, { term: 1 }));
    expect(core.messagesAfterAppend).toEqual([msg('MsgVoteResp', 1, candidate, { term: 1, reject })]);
  });
});

describe('5.2: a candidate follows a leader whose term is at least its own', () => {
  test.each([1, 2])('TestCandidateFallback: of term %i', (term) => {
    const core = testCore(1, three);
    step(core, msg('MsgHup', 1, 1));
    expect(core.role).toBe('StateCandidate');
    step(core, msg('MsgApp', 2, 1, { term }));
    expect(core).toMatchObject({ role: 'StateFollower', term });
  });
});

describe('5.2: election timeouts are chosen at random from an interval', () => {
  test.each<[name: string, role: Role]>([
    ['TestFollowerElectionTimeoutRandomized', 'StateFollower'],
    ['TestCandidateElectionTimeoutRandomized', 'StateCandidate'],
  ])('%s', (_name, role) => {
    const core = testCore(1, three);
    const seen = new Set<number>();
    for (let round = 0; round < 500; round += 1) {
      become(core, role, core.term + 1, 2);
      let ticks = 0;
      while (readMessages(core).length === 0) {
        tick(core);
        ticks += 1;
      }
      seen.add(ticks);
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });
});

describe('5.2: so that in most cases only a single server will time out', () => {
  test.each<[name: string, role: Role]>([
    ['TestFollowersElectionTimeoutNonconflict', 'StateFollower'],
    ['TestCandidatesElectionTimeoutNonconflict', 'StateCandidate'],
  ])('%s', (_name, role) => {
    const cores = idsTo(5).map((id) => testCore(id, idsTo(5)));
    let conflicts = 0;
    for (let round = 0; round < 1000; round += 1) {
      for (const core of cores) become(core, role, core.term + 1);
      let timedOut = 0;
      while (timedOut === 0)
        for (const core of cores) {
          tick(core);
          if (readMessages(core).length > 0) timedOut += 1;
        }
      if (timedOut > 1) conflicts += 1;
    }
    expect(conflicts / 1000).toBeLessThanOrEqual(0.3);
  });
});

describe('5.4.1: the request for a vote tells about the candidate’s log', () => {
  test.each<[entries: Entry[], term: number]>([
    [at(1, 1), 2],
    [at(1, 1, 2), 3],
  ])('TestVoteRequest: %#', (entries, term) => {
    const core = testCore(1, three);
    step(core, msg('MsgApp', 2, 1, { term: term - 1, entries }));
    readMessages(core);
    tickTimes(core, 2 * 10 - 1);
    const { index, term: logTerm } = entries.at(-1)!;
    expect(readMessages(core)).toEqual([2, 3].map((to) => msg('MsgVote', 1, to, { term, index, logTerm })));
  });
});

describe('5.4.1: a voter denies its vote if its own log is more up to date', () => {
  test.each<[entries: Entry[], logTerm: number, index: number, reject: boolean]>([
    [at(1, 1), 1, 1, false],
    [at(1, 1), 1, 2, false],
    [at(1, 1, 1), 1, 1, true],
    [at(1, 1), 2, 1, false],
    [at(1, 1), 2, 2, false],
    [at(1, 1, 1), 2, 1, false],
    [at(1, 2), 1, 1, true],
    [at(1, 2), 1, 2, true],
    [at(1, 2, 2), 1, 1, true],
    [at(1, 1, 1), 1, 1, true],
  ])('TestVoter: %#', (entries, logTerm, index, reject) => {
    const core = testCore(1, [1, 2], { entries });
    step(core, msg('MsgVote', 2, 1, { term: 3, logTerm, index }));
    const answers: Message[] = readMessages(core);
    expect(answers).toHaveLength(1);
    expect(answers[0]).toMatchObject({ type: 'MsgVoteResp', reject });
  });
});
