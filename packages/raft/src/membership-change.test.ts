// etcd's confchange/quick_test.go and confchange/restore_test.go, raftpb/confchange_test.go and confstate_test.go.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  confChangesFromText,
  confChangesToText,
  confChangeTypes,
  isLeaveJoint,
  type ConfChangeSingle,
  type ConfChangeV2,
} from './conf-change.ts';
import { changeSimply, enterJoint, leaveJoint } from './membership-change.ts';
import { isSameConfState, restoreMembership } from './membership-restore.ts';
import { emptyConfState, noBytes, type ConfState } from './message.ts';
import { bytesOf } from './testing/entries.ts';
import { quickCheck, quickRuns } from './testing/quick.ts';
import { Tracker } from './tracker.ts';

const lastIndex = 10;

function simply(tracker: Tracker, changes: readonly ConfChangeSingle[]): void {
  for (const change of changes) {
    const { membership, progress } = changeSimply(tracker, lastIndex, [change]);
    tracker.switchTo(membership, progress);
  }
}

/** Member 1 is always a voter and never touched, so that no change can remove the last one. */
const setup = fc
  .array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 })
  .map((ids) => [1, ...ids].map((nodeId): ConfChangeSingle => ({ type: 'ConfChangeAddNode', nodeId })));
const changes = fc.array(
  fc.record({ type: fc.constantFrom(...confChangeTypes), nodeId: fc.integer({ min: 2, max: 10 }) }),
  { minLength: 1, maxLength: 9 },
);

test(`TestConfChangeQuick: simple and joint changes end alike (${quickRuns(1_000)} cases)`, () => {
  quickCheck(
    1_000,
    fc.property(setup, changes, (first, then) => {
      const one = new Tracker(10, 0);
      simply(one, first);
      simply(one, then);

      const other = new Tracker(10, 0);
      simply(other, first);
      const explicit = enterJoint(other, lastIndex, false, then);
      const automatic = enterJoint(other, lastIndex, true, then);
      expect({ ...automatic.membership, autoLeave: false }).toEqual(explicit.membership);
      expect(automatic.progress).toEqual(explicit.progress);
      other.switchTo(automatic.membership, automatic.progress);
      const left = leaveJoint(other, lastIndex);
      other.switchTo(explicit.membership, explicit.progress);
      expect(leaveJoint(other, lastIndex)).toEqual(left);
      other.switchTo(left.membership, left.progress);

      expect(other.membership).toEqual(one.membership);
      expect([...other.progress]).toEqual([...one.progress]);
    }),
  );
});

const confState = fc
  .record({
    ids: fc.shuffledSubarray(
      Array.from({ length: 20 }, (_, i) => i + 1),
      { minLength: 12, maxLength: 12 },
    ),
    voterCount: fc.integer({ min: 1, max: 5 }),
    learnerCount: fc.nat(4),
    removedCount: fc.nat(2),
    retained: fc.nat(5),
    demoted: fc.nat(2),
    wantsAutoLeave: fc.boolean(),
  })
  .map(({ ids, voterCount, learnerCount, removedCount, retained, demoted, wantsAutoLeave }): ConfState => {
    const sorted = (list: readonly number[]): number[] => list.toSorted((a, b) => a - b);
    const voters = ids.slice(0, voterCount);
    const learners = ids.slice(voterCount, voterCount + learnerCount);
    const removed = ids.slice(voterCount + learnerCount, voterCount + learnerCount + removedCount);
    const votersOutgoing = [...voters.slice(0, retained), ...removed];
    return {
      voters: sorted(voters),
      learners: sorted(learners),
      votersOutgoing: sorted(votersOutgoing),
      learnersNext: sorted(removed.slice(0, demoted)),
      autoLeave: votersOutgoing.length > 0 && wantsAutoLeave,
    };
  });

function expectRestored(state: ConfState): void {
  const tracker = new Tracker(20, 0);
  const { membership, progress } = restoreMembership(tracker, lastIndex, state);
  tracker.switchTo(membership, progress);
  expect(tracker.confState()).toEqual(state);
  expect(isSameConfState(state, tracker.confState())).toBe(true);
}

describe('TestRestore', () => {
  test.each<Partial<ConfState>>([
    {},
    { voters: [1, 2, 3] },
    { voters: [1, 2, 3], learners: [4, 5, 6] },
    { voters: [1, 2, 3], learners: [5], votersOutgoing: [1, 2, 4, 6], learnersNext: [4] },
  ])('%j', (state) => {
    expectRestored({ ...emptyConfState, ...state });
  });
  test(`any valid configuration (${quickRuns(1_000)} cases)`, () => {
    quickCheck(1_000, fc.property(confState, expectRestored));
  });
});

const single: ConfChangeSingle = { type: 'ConfChangeAddNode', nodeId: 0 };
test.each<[name: string, change: Partial<ConfChangeV2>, wanted: boolean]>([
  ['empty conf change', {}, true],
  ['empty changes with context', { context: bytesOf('some context') }, true],
  ['non-empty changes', { changes: [single] }, false],
  ['joint implicit transition', { transition: 'ConfChangeTransitionJointImplicit' }, false],
  ['joint explicit transition', { transition: 'ConfChangeTransitionJointExplicit' }, false],
  ['multiple changes', { changes: [single, single] }, false],
])('TestLeaveJoint: %s', (_name, change, wanted) => {
  const empty: ConfChangeV2 = { transition: 'ConfChangeTransitionAuto', changes: [], context: noBytes };
  expect(isLeaveJoint({ ...empty, ...change })).toBe(wanted);
});

test.each<[a: Partial<ConfState>, b: Partial<ConfState>, wanted: boolean]>([
  [
    { voters: [1, 2, 3], learners: [5, 4, 6], votersOutgoing: [9, 8, 7], learnersNext: [10, 20, 15] },
    { voters: [1, 2, 3], learners: [4, 5, 6], votersOutgoing: [7, 9, 8], learnersNext: [20, 10, 15] },
    true,
  ],
  [{ voters: [] }, {}, true],
  [{ voters: [1, 2, 3, 4] }, { voters: [2, 1, 3] }, false],
  [{ voters: [1, 4, 3] }, { voters: [2, 1, 3] }, false],
  [{ learners: [1, 2, 3, 4] }, { learners: [2, 1, 3] }, false],
  [{ autoLeave: true }, {}, false],
])('TestConfState_Equivalent: %j and %j', (a, b, wanted) => {
  expect(isSameConfState({ ...emptyConfState, ...a }, { ...emptyConfState, ...b })).toBe(wanted);
});

test('changes as text come back the same', () => {
  quickCheck(
    1_000,
    fc.property(changes, (list) => {
      expect(confChangesFromText(confChangesToText(list))).toEqual(list);
    }),
  );
});

test.each(['x1', 'v', 'v1.5', 'va', 'v1  w2', `v${2 ** 53}`])('"%s" is no change', (text) => {
  expect(() => confChangesFromText(text)).toThrow(/unknown (token|input)/);
});
