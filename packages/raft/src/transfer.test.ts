// etcd's raft_test.go: handing leadership over.
import { expect, test } from 'vitest';
import type { RaftCore, Role } from './core.ts';
import { applyConfChange } from './membership.ts';
import { leaveJointChange } from './conf-change.ts';
import { noBytes, type Message } from './message.ts';
import { appliedSnapshot, step } from './step.ts';
import { memoryOf, msg, nextEntries, proposal, testCore, tickTimes } from './testing/core.ts';
import { Network } from './testing/network.ts';

/** Three nodes, led by 1. */
function led(options = {}): { network: Network; lead: RaftCore } {
  const network = new Network(['new', 'new', 'new'], options);
  network.send(msg('MsgHup', 1, 1));
  expect(network.get(1)).toMatchObject({ role: 'StateLeader', lead: 1 });
  return { network, lead: network.get(1) };
}

/** To node 3, which does not answer. */
function pendingTransfer(): { network: Network; lead: RaftCore } {
  const made = led();
  made.network.isolate(3);
  made.network.send(msg('MsgTransferLeader', 3, 1));
  expect(made.lead.leadTransferee).toBe(3);
  return made;
}

function expectTransferred(core: RaftCore, role: Role, lead: number): void {
  expect(core).toMatchObject({ role, lead, leadTransferee: 0 });
}

test.each([
  { name: 'TestLeaderTransferToUpToDateNode', askLeader: true },
  { name: 'TestLeaderTransferToUpToDateNodeFromFollower', askLeader: false },
])('$name', ({ askLeader }) => {
  const { network, lead } = led();
  network.send(msg('MsgTransferLeader', 2, askLeader ? 1 : 2));
  expectTransferred(lead, 'StateFollower', 2);
  network.send(proposal(1, ''));
  network.send(msg('MsgTransferLeader', 1, askLeader ? 2 : 1));
  expectTransferred(lead, 'StateLeader', 1);
});

test('TestLeaderTransferWithCheckQuorum', () => {
  const network = new Network(['new', 'new', 'new'], { checkQuorum: true });
  for (const id of [1, 2, 3]) network.get(id).randomizedElectionTicks = 10 + id;
  tickTimes(network.get(2), 10);
  network.send(msg('MsgHup', 1, 1));
  const lead = network.get(1);
  expect(lead.role).toBe('StateLeader');
  network.send(msg('MsgTransferLeader', 2, 1));
  expectTransferred(lead, 'StateFollower', 2);
  network.send(proposal(1, ''));
  network.send(msg('MsgTransferLeader', 1, 2));
  expectTransferred(lead, 'StateLeader', 1);
});

test('TestLeaderTransferToSlowFollower', () => {
  const { network, lead } = led();
  network.isolate(3);
  network.send(proposal(1, ''));
  network.recover();
  expect(lead.tracker.progress.get(3)!.match).toBe(1);
  network.send(msg('MsgTransferLeader', 3, 1));
  expectTransferred(lead, 'StateFollower', 3);
});

test('TestLeaderTransferAfterSnapshot', () => {
  const { network, lead } = led();
  network.isolate(3);
  network.send(proposal(1, ''));
  nextEntries(lead);
  memoryOf(lead).createSnapshot(lead.log.applied, lead.tracker.confState(), noBytes);
  memoryOf(lead).compact(lead.log.applied);
  network.recover();
  expect(lead.tracker.progress.get(3)!.match).toBe(1);
  // The acknowledgement waits until the snapshot is stored.
  const held: Message[] = [];
  network.hook = (message) => {
    if (message.type !== 'MsgAppResp' || message.from !== 3 || message.reject) return true;
    held.push(message);
    return false;
  };
  network.send(msg('MsgTransferLeader', 3, 1));
  expect(lead.role).toBe('StateLeader');
  expect(held).not.toEqual([]);
  const follower = network.get(3);
  const snapshot = follower.log.unstable.nextSnapshot()!;
  memoryOf(follower).applySnapshot(snapshot);
  appliedSnapshot(follower, snapshot);
  network.hook = null;
  network.send(held.at(-1)!);
  expectTransferred(lead, 'StateFollower', 3);
});

test.each([
  { name: 'TestLeaderTransferToSelf', to: 1 },
  { name: 'TestLeaderTransferToNonExistingNode', to: 4 },
])('$name', ({ to }) => {
  const { network, lead } = led();
  network.send(msg('MsgTransferLeader', to, 1));
  expectTransferred(lead, 'StateLeader', 1);
});

test('TestLeaderTransferTimeout', () => {
  const { lead } = pendingTransfer();
  tickTimes(lead, 1);
  expect(lead.leadTransferee).toBe(3);
  tickTimes(lead, 9);
  expectTransferred(lead, 'StateLeader', 1);
});

test('TestLeaderTransferIgnoreProposal', () => {
  const { network, lead } = led();
  network.isolate(3);
  nextEntries(lead);
  network.send(msg('MsgTransferLeader', 3, 1));
  expect(lead.leadTransferee).toBe(3);
  network.send(proposal(1, ''));
  expect(step(lead, proposal(1, ''))).toBe('proposal_dropped');
  expect(lead.tracker.progress.get(1)!.match).toBe(1);
});

test('TestLeaderTransferReceiveHigherTermVote', () => {
  const { network, lead } = pendingTransfer();
  network.send(msg('MsgHup', 2, 2, { index: 1, term: 2 }));
  expectTransferred(lead, 'StateFollower', 2);
});

test('TestLeaderTransferRemoveNode', () => {
  const { network, lead } = led();
  network.ignore('MsgTimeoutNow');
  network.send(msg('MsgTransferLeader', 3, 1));
  expect(lead.leadTransferee).toBe(3);
  applyConfChange(lead, { type: 'ConfChangeRemoveNode', nodeId: 3 });
  expectTransferred(lead, 'StateLeader', 1);
});

test('TestLeaderTransferDemoteNode', () => {
  const { network, lead } = led();
  network.ignore('MsgTimeoutNow');
  network.send(msg('MsgTransferLeader', 3, 1));
  expect(lead.leadTransferee).toBe(3);
  applyConfChange(lead, {
    ...leaveJointChange,
    changes: [
      { type: 'ConfChangeRemoveNode', nodeId: 3 },
      { type: 'ConfChangeAddLearnerNode', nodeId: 3 },
    ],
  });
  applyConfChange(lead, leaveJointChange);
  expectTransferred(lead, 'StateLeader', 1);
});

test('TestLeaderTransferBack', () => {
  const { network, lead } = pendingTransfer();
  network.send(msg('MsgTransferLeader', 1, 1));
  expectTransferred(lead, 'StateLeader', 1);
});

test('TestLeaderTransferSecondTransferToAnotherNode', () => {
  const { network, lead } = pendingTransfer();
  network.send(msg('MsgTransferLeader', 2, 1));
  expectTransferred(lead, 'StateFollower', 2);
});

test('TestLeaderTransferSecondTransferToSameNode', () => {
  const { network, lead } = pendingTransfer();
  tickTimes(lead, 1);
  // Does not start the time anew.
  network.send(msg('MsgTransferLeader', 3, 1));
  tickTimes(lead, 9);
  expectTransferred(lead, 'StateLeader', 1);
});

test('TestTransferNonMember', () => {
  const core = testCore(1, [2, 3, 4], { electionTicks: 5 });
  step(core, msg('MsgTimeoutNow', 2, 1));
  for (const from of [2, 3]) step(core, msg('MsgVoteResp', from, 1));
  expect(core.role).toBe('StateFollower');
});
