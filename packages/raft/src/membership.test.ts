// etcd's raft_test.go: learners and changes of membership.
import { describe, expect, test } from 'vitest';
import { encodeConfChange } from './conf-change-codec.ts';
import { asV2, type ConfChangeV1 } from './conf-change.ts';
import { applyConfChange } from './membership.ts';
import { becomeFollower } from './roles.ts';
import { step } from './step.ts';
import {
  msg,
  nextEntries,
  proposal,
  readMessages,
  settleAppends,
  testCore,
  testLeader,
  tickTimes,
} from './testing/core.ts';
import { noBytes } from './message.ts';
import { textOf } from './testing/entries.ts';
import { Network } from './testing/network.ts';

const addNode = (nodeId: number): ConfChangeV1 => ({ type: 'ConfChangeAddNode', nodeId });
const addLearner = (nodeId: number): ConfChangeV1 => ({ type: 'ConfChangeAddLearnerNode', nodeId });
const removeNode = (nodeId: number): ConfChangeV1 => ({ type: 'ConfChangeRemoveNode', nodeId });

/** Voter 1 and learner 2, followers of term 1. */
const pair = () =>
  [1, 2].map((id) => {
    const core = testCore(id, [1], { learners: [2] });
    becomeFollower(core, 1, 0);
    return core;
  });

test('TestLearnerElectionTimeout', () => {
  const learner = pair()[1]!;
  learner.randomizedElectionTicks = 10;
  tickTimes(learner, 10);
  expect(learner.role).toBe('StateFollower');
});

test('TestLearnerPromotion', () => {
  const [voter, learner] = pair();
  const network = new Network([voter!, learner!]);
  const timeOut = (core: typeof voter): void => {
    core!.randomizedElectionTicks = 10;
    tickTimes(core!, 10);
    settleAppends(core!);
  };
  timeOut(voter);
  expect([voter!.role, learner!.role]).toEqual(['StateLeader', 'StateFollower']);
  network.send(msg('MsgBeat', 1, 1));
  for (const core of [voter!, learner!]) applyConfChange(core, addNode(2));
  expect(learner!.isLearner).toBe(false);
  timeOut(learner);
  network.send(msg('MsgBeat', 2, 2));
  expect([voter!.role, learner!.role]).toEqual(['StateFollower', 'StateLeader']);
});

test('TestLearnerCanVote', () => {
  const learner = pair()[1]!;
  step(learner, msg('MsgVote', 1, 2, { term: 2, logTerm: 11, index: 11 }));
  expect(readMessages(learner)).toEqual([msg('MsgVoteResp', 2, 1, { term: 2 })]);
});

test('TestLearnerLogReplication', () => {
  const [voter, learner] = pair();
  const network = new Network([voter!, learner!]);
  voter!.randomizedElectionTicks = 10;
  tickTimes(voter!, 10);
  settleAppends(voter!);
  network.send(msg('MsgBeat', 1, 1));
  expect(voter!.role).toBe('StateLeader');
  expect(learner!.isLearner).toBe(true);
  network.send(proposal(1, 'somedata'));
  expect([voter!.log.committed, learner!.log.committed]).toEqual([2, 2]);
  expect(voter!.tracker.progress.get(2)!.match).toBe(2);
});

test('TestLearnerCampaign', () => {
  const cores = [1, 2].map((id) => {
    const core = testCore(id, [1]);
    applyConfChange(core, addLearner(2));
    return core;
  });
  const network = new Network(cores);
  network.send(msg('MsgHup', 2, 2));
  expect(cores[1]).toMatchObject({ isLearner: true, role: 'StateFollower' });
  network.send(msg('MsgHup', 1, 1));
  expect(cores[0]).toMatchObject({ role: 'StateLeader', lead: 1 });
  // It may have become a learner while this was under way.
  network.send(msg('MsgTimeoutNow', 1, 2));
  expect(cores[1]!.role).toBe('StateFollower');
});

test('TestStepConfig', () => {
  const core = testLeader([1, 2]);
  const last = core.log.lastIndex();
  step(core, proposal(1, encodeConfChange(addNode(0))));
  expect(core.log.lastIndex()).toBe(last + 1);
  expect(core.pendingConfIndex).toBe(last + 1);
});

test('TestStepIgnoreConfig', () => {
  const core = testLeader([1, 2]);
  step(core, proposal(1, encodeConfChange(addNode(0))));
  const last = core.log.lastIndex();
  const pending = core.pendingConfIndex;
  step(core, proposal(1, encodeConfChange(addNode(0))));
  expect(core.log.entriesFrom(last + 1, Number.MAX_SAFE_INTEGER)).toEqual([
    { type: 'EntryNormal', term: 1, index: 3, data: noBytes },
  ]);
  expect(core.pendingConfIndex).toBe(pending);
});

test('a change that does not decode is replaced by an empty entry', () => {
  const core = testLeader([1, 2]);
  expect(step(core, proposal(1, { type: 'EntryConfChangeV2', data: Uint8Array.of(9) }))).toBe('stepped');
  expect(core.log.unstable.entries.at(-1)).toMatchObject({ type: 'EntryNormal', data: noBytes });
  expect(core.pendingConfIndex).toBe(0);
});

test('TestAddNode', () => {
  const core = testCore(1, [1]);
  applyConfChange(core, addNode(2));
  expect(core.tracker.voterIds()).toEqual([1, 2]);
});

test('TestAddLearner', () => {
  const core = testCore(1, [1]);
  const isLearner = (id: number): boolean => core.tracker.progress.get(id)!.isLearner;
  applyConfChange(core, addLearner(2));
  expect([core.isLearner, isLearner(2)]).toEqual([false, true]);
  expect(core.tracker.membership.learners).toEqual([2]);
  applyConfChange(core, addNode(2));
  expect(isLearner(2)).toBe(false);
  applyConfChange(core, addLearner(1));
  expect([core.isLearner, isLearner(1)]).toEqual([true, true]);
  applyConfChange(core, addNode(1));
  expect([core.isLearner, isLearner(1)]).toEqual([false, false]);
});

test.each([
  { name: 'TestRemoveNode', core: () => testCore(1, [1, 2]) },
  { name: 'TestRemoveLearner', core: () => testCore(1, [1], { learners: [2] }) },
])('$name', ({ core: create }) => {
  const core = create();
  applyConfChange(core, removeNode(2));
  expect(core.tracker.voterIds()).toEqual([1]);
  expect(core.tracker.membership.learners).toEqual([]);
  expect(() => applyConfChange(core, removeNode(1))).toThrow('removed all voters');
});

test('TestCommitAfterRemoveNode', () => {
  const core = testLeader([1, 2], { electionTicks: 5 });
  step(core, proposal(1, encodeConfChange(removeNode(2))));
  expect(nextEntries(core)).toEqual([]);
  const changeIndex = core.log.lastIndex();
  step(core, proposal(1, 'hello'));
  // 2 has the change, which commits it.
  step(core, msg('MsgAppResp', 2, 0, { index: changeIndex }));
  expect(nextEntries(core).map(({ type }) => type)).toEqual(['EntryNormal', 'EntryConfChange']);
  // Alone now: what waited is committed.
  applyConfChange(core, removeNode(2));
  expect(nextEntries(core).map(({ type, data }) => [type, textOf(data)])).toEqual([['EntryNormal', 'hello']]);
});

describe.each([
  { name: 'TestConfChangeCheckBeforeCampaign', change: removeNode(2) },
  { name: 'TestConfChangeV2CheckBeforeCampaign', change: asV2(removeNode(2)) },
])('$name', ({ change }) => {
  test('a committed change is applied before anyone campaigns', () => {
    const network = new Network(['new', 'new', 'new']);
    const [first, second] = [network.get(1), network.get(2)];
    network.send(msg('MsgHup', 1, 1));
    expect(first.role).toBe('StateLeader');
    network.send(proposal(1, encodeConfChange(change)));
    tickTimes(second, second.randomizedElectionTicks);
    expect(second.role).toBe('StateFollower');
    network.send(msg('MsgTransferLeader', 2, 1));
    expect([first.role, second.role]).toEqual(['StateLeader', 'StateFollower']);
    // The transfer is given up; then 2 applies.
    tickTimes(first, 10);
    nextEntries(second);
    network.send(msg('MsgTransferLeader', 2, 1));
    expect([first.role, second.role]).toEqual(['StateFollower', 'StateLeader']);
    nextEntries(first);
    tickTimes(first, first.randomizedElectionTicks);
    expect(first.role).toBe('StateCandidate');
  });
});
