// etcd's raft_test.go: pre-vote, alone and while it is being switched on node by node.
import { describe, expect, test } from 'vitest';
import type { RaftCore } from './core.ts';
import { msg, proposal, reconfigure, testCore } from './testing/core.ts';
import { becomeFollower } from './roles.ts';
import { Network } from './testing/network.ts';

/** Three followers of term 1. */
function followers(options: { preVote?: boolean; checkQuorum?: boolean }): [RaftCore, RaftCore, RaftCore] {
  return [1, 2, 3].map((id) => {
    const core = testCore(id, [1, 2, 3], options);
    becomeFollower(core, 1, 0);
    return core;
  }) as [RaftCore, RaftCore, RaftCore];
}

const rolesOf = (cores: readonly RaftCore[]): string[] => cores.map(({ role }) => role);
const termsOf = (cores: readonly RaftCore[]): number[] => cores.map(({ term }) => term);

test('TestNodeWithSmallerTermCanCompleteElection', () => {
  const cores = followers({ preVote: true });
  const network = new Network(cores);
  network.cut(1, 3);
  network.cut(2, 3);
  network.send(msg('MsgHup', 1, 1));
  expect(rolesOf(cores.slice(0, 2))).toEqual(['StateLeader', 'StateFollower']);
  network.send(msg('MsgHup', 3, 3));
  expect(cores[2].role).toBe('StatePreCandidate');
  network.send(msg('MsgHup', 2, 2));
  expect(termsOf(cores)).toEqual([3, 3, 1]);
  expect(rolesOf(cores)).toEqual(['StateFollower', 'StateLeader', 'StatePreCandidate']);
  // 3 comes back as the leader goes away.
  network.recover();
  network.cut(2, 1);
  network.cut(2, 3);
  network.send(msg('MsgHup', 3, 3));
  network.send(msg('MsgHup', 1, 1));
  expect([cores[0].role, cores[2].role]).toContain('StateLeader');
});

test('TestPreVoteWithSplitVote', () => {
  const cores = followers({ preVote: true });
  const network = new Network(cores);
  network.send(msg('MsgHup', 1, 1));
  network.isolate(1);
  network.send(msg('MsgHup', 2, 2), msg('MsgHup', 3, 3));
  expect(termsOf(cores.slice(1))).toEqual([3, 3]);
  expect(rolesOf(cores.slice(1))).toEqual(['StateCandidate', 'StateCandidate']);
  network.send(msg('MsgHup', 2, 2));
  expect(termsOf(cores.slice(1))).toEqual([4, 4]);
  expect(rolesOf(cores.slice(1))).toEqual(['StateLeader', 'StateFollower']);
});

test('TestPreVoteWithCheckQuorum', () => {
  const cores = followers({ preVote: true, checkQuorum: true });
  const network = new Network(cores);
  network.send(msg('MsgHup', 1, 1));
  network.isolate(1);
  expect(rolesOf(cores)).toEqual(['StateLeader', 'StateFollower', 'StateFollower']);
  // 2 still hears of a leader and ignores the first.
  network.send(msg('MsgHup', 3, 3));
  network.send(msg('MsgHup', 2, 2));
  expect(cores[1].role === 'StateLeader' || cores[2].role === 'StateFollower').toBe(true);
});

test('TestDisruptiveFollowerPreVote', () => {
  const cores = followers({ checkQuorum: true });
  const network = new Network(cores);
  network.send(msg('MsgHup', 1, 1));
  expect(rolesOf(cores)).toEqual(['StateLeader', 'StateFollower', 'StateFollower']);
  network.isolate(3);
  for (let i = 0; i < 3; i += 1) network.send(proposal(1, 'somedata'));
  for (const core of cores) reconfigure(core, { preVote: true });
  network.recover();
  network.send(msg('MsgHup', 3, 3));
  expect(rolesOf(cores)).toEqual(['StateLeader', 'StateFollower', 'StatePreCandidate']);
  expect(termsOf(cores)).toEqual([2, 2, 2]);
  // A delayed heartbeat does not make the leader step down.
  network.send(msg('MsgHeartbeat', 1, 3, { term: cores[0].term }));
  expect(cores[0].role).toBe('StateLeader');
});

describe('while pre-vote is switched on node by node', () => {
  /** 1 leads 2 at term 2; 3 was away, without pre-vote, and went ahead to term 4 with less log. */
  function migrating(): { cores: [RaftCore, RaftCore, RaftCore]; network: Network } {
    const cores = followers({ preVote: true });
    reconfigure(cores[2], { preVote: false });
    const network = new Network(cores);
    network.send(msg('MsgHup', 1, 1));
    network.isolate(3);
    network.send(proposal(1, 'some data'));
    network.send(msg('MsgHup', 3, 3));
    network.send(msg('MsgHup', 3, 3));
    expect(rolesOf(cores)).toEqual(['StateLeader', 'StateFollower', 'StateCandidate']);
    expect(termsOf(cores)).toEqual([2, 2, 4]);
    reconfigure(cores[2], { preVote: true });
    network.recover();
    return { cores, network };
  }

  test('TestPreVoteMigrationCanCompleteElection', () => {
    const { cores, network } = migrating();
    network.isolate(1);
    network.send(msg('MsgHup', 3, 3));
    network.send(msg('MsgHup', 2, 2));
    expect(rolesOf(cores.slice(1))).toEqual(['StateFollower', 'StatePreCandidate']);
    network.send(msg('MsgHup', 3, 3));
    network.send(msg('MsgHup', 2, 2));
    expect(cores[1].role === 'StateLeader' || cores[2].role === 'StateFollower').toBe(true);
  });

  test('TestPreVoteMigrationWithFreeStuckPreCandidate', () => {
    const { cores, network } = migrating();
    for (let i = 0; i < 2; i += 1) {
      network.send(msg('MsgHup', 3, 3));
      expect(rolesOf(cores)).toEqual(['StateLeader', 'StateFollower', 'StatePreCandidate']);
    }
    // The answer to a heartbeat makes the leader step down, which frees the stuck node.
    network.send(msg('MsgHeartbeat', 1, 3, { term: cores[0].term }));
    expect(cores[0].role).toBe('StateFollower');
    expect(cores[2].term).toBe(cores[0].term);
  });
});
