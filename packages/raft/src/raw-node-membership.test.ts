// etcd's rawnode_test.go and node_test.go: changes of membership through the host's loop.
import { describe, expect, test } from 'vitest';
import { decodeConfChange, encodeConfChange } from './conf-change-codec.ts';
import {
  asV2,
  isV2,
  jointEntryOf,
  leaveJointChange,
  type ConfChange,
  type ConfChangeSingle,
  type ConfChangeTransition,
} from './conf-change.ts';
import { emptyConfState, noBytes, noLimit, type ConfState, type Entry } from './message.ts';
import { blankStorage, msg } from './testing/core.ts';
import { bytesOf } from './testing/entries.ts';
import { Host, soleLeader } from './testing/host.ts';

const voter = (nodeId: number): ConfChangeSingle => ({ type: 'ConfChangeAddNode', nodeId });
const learner = (nodeId: number): ConfChangeSingle => ({ type: 'ConfChangeAddLearnerNode', nodeId });
const change = (
  changes: ConfChangeSingle[],
  transition: ConfChangeTransition = 'ConfChangeTransitionAuto',
) => ({
  ...leaveJointChange,
  changes,
  transition,
});
const state = (given: Partial<ConfState>): ConfState => ({ ...emptyConfState, ...given });

function lastTwo(host: Host): Entry[] | string {
  const last = host.storage.lastIndex();
  return host.storage.entries(last - 1, last + 1, noLimit);
}

/** Turns until a change of membership is applied. */
function turnUntilChanged(host: Host): ConfState {
  for (let turns = 0; host.confStates.length === 0; turns += 1) {
    if (turns > 10) throw new Error('no change applied');
    host.turn();
  }
  return host.confStates[0]!;
}

describe('TestRawNodeProposeAndConfChange', () => {
  const demotion = [voter(2), learner(1), learner(3)];
  const joint = state({ voters: [2], votersOutgoing: [1], learners: [3], learnersNext: [1] });
  const after = state({ voters: [2], learners: [1, 3] });
  const withLearner = state({ voters: [1], learners: [2] });
  test.each<[name: string, change: ConfChange, first: ConfState, second: ConfState | null]>([
    ['version 1', voter(2), state({ voters: [1, 2] }), null],
    ['version 2, simple', change([voter(2)]), state({ voters: [1, 2] }), null],
    ['a learner', change([learner(2)]), withLearner, null],
    [
      'joint, explicit',
      change([learner(2)], 'ConfChangeTransitionJointExplicit'),
      state({ voters: [1], votersOutgoing: [1], learners: [2] }),
      withLearner,
    ],
    [
      'joint, implicit',
      change([learner(2)], 'ConfChangeTransitionJointImplicit'),
      state({ voters: [1], votersOutgoing: [1], learners: [2], autoLeave: true }),
      withLearner,
    ],
    ['demotion, auto', change(demotion), { ...joint, autoLeave: true }, after],
    ['demotion, explicit', change(demotion, 'ConfChangeTransitionJointExplicit'), joint, after],
    [
      'demotion, implicit',
      change(demotion, 'ConfChangeTransitionJointImplicit'),
      { ...joint, autoLeave: true },
      after,
    ],
  ])('%s', (_name, proposed, first, second) => {
    const host = soleLeader();
    const { node } = host;
    node.propose(bytesOf('somedata'));
    node.proposeConfChange(proposed);
    expect(turnUntilChanged(host)).toEqual(first);
    expect(lastTwo(host)).toMatchObject([
      { data: bytesOf('somedata') },
      { ...encodeConfChange(proposed), type: isV2(proposed) ? 'EntryConfChangeV2' : 'EntryConfChange' },
    ]);
    // An automatic leave is in the log by now, and not yet stored.
    const leaves = jointEntryOf(asV2(proposed))?.autoLeave === true ? 1 : 0;
    expect(node.core.pendingConfIndex).toBe(host.storage.lastIndex() + leaves);

    let ready = node.ready();
    let context: Uint8Array = noBytes;
    if (!first.autoLeave) {
      expect(ready.entries).toEqual([]);
      node.advance();
      if (second === null) return;
      context = bytesOf('manual');
      node.proposeConfChange({ ...leaveJointChange, context });
      ready = node.ready();
    }
    expect(ready.entries.map(({ type }) => type)).toEqual(['EntryConfChangeV2']);
    const leave = decodeConfChange(ready.entries[0]!);
    expect(leave).toEqual({ ...leaveJointChange, context });
    // It would need the votes of nodes that are not there; applied all the same.
    expect(node.applyConfChange(leave)).toEqual(second);
    node.advance();
  });
});

test('TestRawNodeJointAutoLeave', () => {
  const host = soleLeader();
  const { node } = host;
  const proposed = change([learner(2)], 'ConfChangeTransitionJointImplicit');
  node.propose(bytesOf('somedata'));
  node.proposeConfChange(proposed);
  host.turn();
  // Deposed before it applies the change.
  const ready = node.ready();
  host.storage.append(ready.entries);
  expect(node.step(msg('MsgHeartbeatResp', 1, 0, { term: node.core.term + 1 }))).toBe('stepped');
  host.apply(ready.committedEntries);
  node.advance();
  expect(host.confStates).toEqual([
    state({ voters: [1], votersOutgoing: [1], learners: [2], autoLeave: true }),
  ]);
  expect(lastTwo(host)).toMatchObject([{ data: bytesOf('somedata') }, encodeConfChange(proposed)]);
  expect(node.core.pendingConfIndex).toBe(0);
  // A follower does not leave the joint configuration.
  expect(node.peekReady().entries).toEqual([]);
  node.campaign();
  host.drain();
  // Leader again, it does.
  expect(host.applied.at(-1)).toMatchObject({ type: 'EntryConfChangeV2', data: new Uint8Array(0) });
  expect(host.confStates.at(-1)).toEqual(state({ voters: [1], learners: [2] }));
});

test.each(['TestRawNodeProposeAddDuplicateNode', 'TestNodeProposeAddDuplicateNode'])('%s', () => {
  const host = soleLeader();
  for (const added of [voter(1), voter(1), voter(2)]) {
    host.node.proposeConfChange(added);
    host.drain();
  }
  const wanted = [voter(1), voter(1), voter(2)].map((added) => encodeConfChange(added));
  expect(host.applied.slice(1)).toMatchObject(wanted);
  expect(host.confStates.at(-1)).toEqual(state({ voters: [1, 2] }));
});

test('TestNodeProposeAddLearnerNode', () => {
  const host = soleLeader();
  host.node.proposeConfChange(learner(2));
  host.drain();
  expect(host.confStates).toEqual([state({ voters: [1], learners: [2] })]);
});

test('a host may decide against a committed change', () => {
  const host = new Host(blankStorage([1]));
  const { node } = host;
  node.campaign();
  host.drain();
  node.proposeConfChange(voter(2));
  const ready = node.ready();
  host.storage.append(ready.entries);
  node.advance();
  const committed = node.ready();
  expect(committed.committedEntries.map(({ type }) => type)).toEqual(['EntryConfChange']);
  node.advance();
  expect(node.status().membership.voters.incoming).toEqual([1]);
  // And propose the next.
  node.proposeConfChange(voter(3));
  host.drain();
  expect(host.confStates).toEqual([state({ voters: [1, 3] })]);
});
