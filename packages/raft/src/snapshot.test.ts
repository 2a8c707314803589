// etcd's raft_snap_test.go, and the tests of snapshots in raft_test.go.
import { expect, test } from 'vitest';
import type { RaftCore } from './core.ts';
import { noBytes, type ConfState, type Snapshot } from './message.ts';
import { emptyConfState } from './message.ts';
import { restore } from './snapshot.ts';
import { appliedSnapshot, step } from './step.ts';
import {
  elect,
  memoryOf,
  msg,
  nextEntries,
  proposal,
  readMessages,
  testCore,
  tickTimes,
} from './testing/core.ts';
import { at, snapshotAt } from './testing/entries.ts';
import { Network } from './testing/network.ts';

function snapshotOf(confState: Partial<ConfState>, index = 11, term = 11): Snapshot {
  return { meta: { index, term, confState: { ...emptyConfState, ...confState } }, data: noBytes };
}

/** A leader whose log begins behind a snapshot at 11. */
function restoredLeader(voters: readonly number[]): RaftCore {
  const core = testCore(1, voters);
  restore(core, snapshotAt(11, 11, [1, 2]));
  elect(core);
  return core;
}

test('TestSendingSnapshotSetPendingSnapshot', () => {
  const core = restoredLeader([1]);
  const progress = core.tracker.progress.get(2)!;
  progress.next = core.log.firstIndex();
  step(core, msg('MsgAppResp', 2, 1, { index: progress.next - 1, reject: true }));
  expect(progress.pendingSnapshot).toBe(11);
});

test('TestPendingSnapshotPauseReplication', () => {
  const core = restoredLeader([1, 2]);
  core.tracker.progress.get(2)!.becomeSnapshot(11);
  step(core, proposal(1, 'somedata'));
  expect(readMessages(core)).toEqual([]);
});

test.each([
  { name: 'TestSnapshotFailure', reject: true, next: 1 },
  { name: 'TestSnapshotSucceed', reject: false, next: 12 },
])('$name', ({ reject, next }) => {
  const core = restoredLeader([1, 2]);
  const progress = core.tracker.progress.get(2)!;
  progress.next = 1;
  progress.becomeSnapshot(11);
  step(core, msg('MsgSnapStatus', 2, 1, { reject }));
  expect(progress).toMatchObject({ pendingSnapshot: 0, next, isFlowPaused: true });
});

test('TestSnapshotAbort', () => {
  const core = restoredLeader([1, 2]);
  const progress = core.tracker.progress.get(2)!;
  progress.next = 1;
  progress.becomeSnapshot(11);
  step(core, msg('MsgAppResp', 2, 1, { index: 11 }));
  expect(progress.pendingSnapshot).toBe(0);
  // Replicating at once: the empty entry at 12 is on its way.
  expect(progress.next).toBe(13);
  expect(progress.inflights.count).toBe(1);
});

test('TestRestore', () => {
  const core = testCore(1, [1, 2]);
  const snapshot = snapshotAt(11, 11, [1, 2, 3]);
  expect(restore(core, snapshot)).toBe(true);
  expect(core.log.lastIndex()).toBe(11);
  expect(core.log.term(11)).toBe(11);
  expect(core.tracker.voterIds()).toEqual([1, 2, 3]);
  expect(restore(core, snapshot)).toBe(false);
  // Not before the snapshot is applied.
  tickTimes(core, core.randomizedElectionTicks);
  expect(core.role).toBe('StateFollower');
});

test('TestRestoreWithLearner', () => {
  const core = testCore(3, [1, 2], { learners: [3], electionTicks: 8, heartbeatTicks: 2 });
  const snapshot = snapshotOf({ voters: [1, 2], learners: [3] });
  expect(restore(core, snapshot)).toBe(true);
  expect(core.log.lastIndex()).toBe(11);
  expect(core.log.term(11)).toBe(11);
  expect(core.tracker.voterIds()).toEqual([1, 2]);
  expect(core.tracker.membership.learners).toEqual([3]);
  expect([1, 2, 3].map((id) => core.tracker.progress.get(id)!.isLearner)).toEqual([false, false, true]);
  expect(restore(core, snapshot)).toBe(false);
});

test('TestRestoreWithVotersOutgoing', () => {
  const core = testCore(1, [1, 2]);
  const snapshot = snapshotOf({ voters: [2, 3, 4], votersOutgoing: [1, 2, 3] });
  expect(restore(core, snapshot)).toBe(true);
  expect(core.log.lastIndex()).toBe(11);
  expect(core.log.term(11)).toBe(11);
  expect(core.tracker.voterIds()).toEqual([1, 2, 3, 4]);
  expect(restore(core, snapshot)).toBe(false);
  tickTimes(core, core.randomizedElectionTicks);
  expect(core.role).toBe('StateFollower');
});

test('TestRestoreVoterToLearner', () => {
  const core = testCore(3, [1, 2, 3]);
  expect(core.isLearner).toBe(false);
  expect(restore(core, snapshotOf({ voters: [1, 2], learners: [3] }))).toBe(true);
  expect(core.isLearner).toBe(true);
});

test('TestRestoreLearnerPromotion', () => {
  const core = testCore(3, [1, 2], { learners: [3] });
  expect(core.isLearner).toBe(true);
  expect(restore(core, snapshotAt(11, 11, [1, 2, 3]))).toBe(true);
  expect(core.isLearner).toBe(false);
});

/** The host stored the snapshot. */
function storeSnapshot(core: RaftCore): void {
  const snapshot = core.log.unstable.nextSnapshot()!;
  memoryOf(core).applySnapshot(snapshot);
  appliedSnapshot(core, snapshot);
}

test('TestLearnerReceiveSnapshot', () => {
  const one = testCore(1, [1], { learners: [2] });
  const other = testCore(2, [1], { learners: [2] });
  restore(one, snapshotOf({ voters: [1], learners: [2] }));
  storeSnapshot(one);
  const network = new Network([one, other]);
  one.randomizedElectionTicks = 10;
  tickTimes(one, 10);
  network.send(msg('MsgBeat', 1, 1));
  expect(other.log.committed).toBe(one.log.committed);
  expect(other.log.committed).toBeGreaterThanOrEqual(11);
});

test('TestRestoreIgnoreSnapshot', () => {
  const core = testCore(1, [1, 2]);
  core.log.append(at(1, 1, 1, 1));
  core.log.commitTo(1);
  expect(restore(core, snapshotAt(1, 1, [1, 2]))).toBe(false);
  expect(core.log.committed).toBe(1);
  // We have its last entry: only the commit index moves.
  expect(restore(core, snapshotAt(2, 1, [1, 2]))).toBe(false);
  expect(core.log.committed).toBe(2);
});

test('TestProvideSnap', () => {
  const core = restoredLeader([1]);
  const progress = core.tracker.progress.get(2)!;
  progress.next = core.log.firstIndex();
  step(core, msg('MsgAppResp', 2, 1, { index: progress.next - 1, reject: true }));
  expect(readMessages(core).map(({ type }) => type)).toEqual(['MsgSnap']);
});

test('TestIgnoreProvidingSnap', () => {
  const core = restoredLeader([1]);
  Object.assign(core.tracker.progress.get(2)!, { next: core.log.firstIndex() - 1, recentActive: false });
  step(core, proposal(1, 'somedata'));
  expect(readMessages(core)).toEqual([]);
});

test('TestRestoreFromSnapMsg', () => {
  const core = testCore(2, [1, 2]);
  const snapshot = snapshotAt(11, 11, [1, 2]);
  step(core, msg('MsgSnap', 1, 2, { term: 2, snapshot }));
  expect(core.lead).toBe(1);
  expect(readMessages(core)).toEqual([msg('MsgAppResp', 2, 1, { term: 2, index: 11 })]);
});

test('TestSlowNodeRestore', () => {
  const network = new Network(['new', 'new', 'new']);
  network.send(msg('MsgHup', 1, 1));
  network.isolate(3);
  for (let i = 0; i <= 100; i += 1) network.send(proposal(1, ''));
  const lead = network.get(1);
  nextEntries(lead);
  memoryOf(lead).createSnapshot(lead.log.applied, lead.tracker.confState(), noBytes);
  memoryOf(lead).compact(lead.log.applied);

  network.recover();
  network.send(msg('MsgBeat', 1, 1));
  expect(lead.tracker.progress.get(3)!.recentActive).toBe(true);
  network.send(proposal(1, ''));
  network.send(proposal(1, ''));
  expect(network.get(3).log.committed).toBe(lead.log.committed);
  expect(network.get(3).log.hasSnapshot()).toBe(true);
});
