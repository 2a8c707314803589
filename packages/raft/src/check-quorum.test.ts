// etcd's raft_test.go: leaders that lose their quorum, and votes refused while a leader is heard.
import { expect, test } from 'vitest';
import { applyConfChange } from './membership.ts';
import type { RaftCore } from './core.ts';
import { becomeFollower } from './roles.ts';
import { step, tick } from './step.ts';
import { deliver, msg, proposal, takeAfterAppend, testCore, testLeader, tickTimes } from './testing/core.ts';
import { Network } from './testing/network.ts';

const three = [1, 2, 3];
type Trio = [RaftCore, RaftCore, RaftCore];

function joined(term = 0): { cores: Trio; network: Network } {
  const cores = three.map((id) => {
    const core = testCore(id, three, { checkQuorum: true });
    if (term > 0) becomeFollower(core, term, 0);
    return core;
  }) as Trio;
  return { cores, network: new Network(cores) };
}

test('TestLeaderStepdownWhenQuorumActive', () => {
  const core = testLeader(three, { electionTicks: 5, checkQuorum: true });
  for (let i = 0; i < 6; i += 1) {
    step(core, msg('MsgHeartbeatResp', 2, 1, { term: core.term }));
    tick(core);
  }
  expect(core.role).toBe('StateLeader');
});

test('TestLeaderStepdownWhenQuorumLost', () => {
  const core = testLeader(three, { electionTicks: 5, checkQuorum: true });
  tickTimes(core, 6);
  expect(core.role).toBe('StateFollower');
});

test('TestLeaderMsgAppSelfAckAfterTermChange', () => {
  const core = testLeader(three, { electionTicks: 5 });
  step(core, proposal(1, 'somedata'));
  const ownAcknowledgement = takeAfterAppend(core);
  step(core, msg('MsgHeartbeat', 2, 1, { term: core.term + 1 }));
  expect(core.role).toBe('StateFollower');
  // Of an earlier term by now.
  deliver(core, ownAcknowledgement);
  expect(core.role).toBe('StateFollower');
  expect(core.log.committed).toBe(0);
});

test('TestLeaderSupersedingWithCheckQuorum', () => {
  const { cores, network } = joined();
  const [a, b, c] = cores;
  b.randomizedElectionTicks = 11;
  tickTimes(b, 10);
  network.send(msg('MsgHup', 1, 1));
  expect([a.role, c.role]).toEqual(['StateLeader', 'StateFollower']);
  // b heard the leader less than an election timeout ago.
  network.send(msg('MsgHup', 3, 3));
  expect(c.role).toBe('StateCandidate');
  tickTimes(b, 10);
  network.send(msg('MsgHup', 3, 3));
  expect(c.role).toBe('StateLeader');
});

test('TestLeaderElectionWithCheckQuorum', () => {
  const { cores, network } = joined();
  const [a, b, c] = cores;
  const setTimeouts = (): void => {
    a.randomizedElectionTicks = 11;
    b.randomizedElectionTicks = 12;
  };
  setTimeouts();
  // Just started, nobody has heard a leader.
  network.send(msg('MsgHup', 1, 1));
  expect([a.role, c.role]).toEqual(['StateLeader', 'StateFollower']);
  setTimeouts();
  tickTimes(a, 10);
  tickTimes(b, 10);
  network.send(msg('MsgHup', 3, 3));
  expect([a.role, c.role]).toEqual(['StateFollower', 'StateLeader']);
});

test('TestFreeStuckCandidateWithCheckQuorum', () => {
  const { cores, network } = joined();
  const [a, b, c] = cores;
  b.randomizedElectionTicks = 11;
  tickTimes(b, 10);
  network.send(msg('MsgHup', 1, 1));
  network.isolate(1);
  for (let round = 1; round <= 2; round += 1) {
    network.send(msg('MsgHup', 3, 3));
    expect([b.role, c.role]).toEqual(['StateFollower', 'StateCandidate']);
    expect(c.term).toBe(b.term + round);
  }
  network.recover();
  // The leader's lease is still on; the answer of a later term ends it.
  network.send(msg('MsgHeartbeat', 1, 3, { term: a.term }));
  expect(a.role).toBe('StateFollower');
  expect(c.term).toBe(a.term);
  network.send(msg('MsgHup', 3, 3));
  expect(c.role).toBe('StateLeader');
});

test('TestNonPromotableVoterWithCheckQuorum', () => {
  const a = testCore(1, [1, 2], { checkQuorum: true });
  const b = testCore(2, [1], { checkQuorum: true });
  const network = new Network([a, b]);
  b.randomizedElectionTicks = 11;
  // The network made it a voter.
  applyConfChange(b, { type: 'ConfChangeRemoveNode', nodeId: 2 });
  expect(b.isPromotable()).toBe(false);
  tickTimes(b, 10);
  network.send(msg('MsgHup', 1, 1));
  expect(a.role).toBe('StateLeader');
  expect(b).toMatchObject({ role: 'StateFollower', lead: 1 });
});

test('TestDisruptiveFollower', () => {
  const { cores, network } = joined(1);
  const [one, two, slow] = cores;
  network.send(msg('MsgHup', 1, 1));
  expect(cores.map(({ role }) => role)).toEqual(['StateLeader', 'StateFollower', 'StateFollower']);
  slow.randomizedElectionTicks = 12;
  tickTimes(slow, 12);
  expect(cores.map(({ role }) => role)).toEqual(['StateLeader', 'StateFollower', 'StateCandidate']);
  expect(cores.map(({ term }) => term)).toEqual([2, 2, 3]);
  // A heartbeat that was late: the candidate's answer disrupts the leader.
  network.send(msg('MsgHeartbeat', 1, 3, { term: one.term }));
  expect(cores.map(({ role }) => role)).toEqual(['StateFollower', 'StateFollower', 'StateCandidate']);
  expect([one.term, two.term, slow.term]).toEqual([3, 2, 3]);
});

test('TestAddNodeCheckQuorum', () => {
  const core = testLeader([1], { checkQuorum: true });
  tickTimes(core, 9);
  applyConfChange(core, { type: 'ConfChangeAddNode', nodeId: 2 });
  // The check comes with this tick: the newcomer counts as heard.
  tick(core);
  expect(core.role).toBe('StateLeader');
  tickTimes(core, 10);
  expect(core.role).toBe('StateFollower');
});
