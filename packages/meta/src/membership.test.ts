// fast-check prints the seed and the path that replay a failure.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ConfState } from '@quiver/raft';
import { planMembership, successorOf, votersMax, type MemberView } from './membership.ts';

const conf = (voters: number[], learners: number[] = []): ConfState => ({
  voters,
  learners,
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
});
const member = (memberId: number, part: Partial<MemberView> = {}): MemberView => ({
  memberId,
  isWanted: true,
  isActive: true,
  isCaughtUp: true,
  isLost: false,
  ...part,
});
const lost = { isActive: false, isCaughtUp: false, isLost: true };
const text = (changes: ReturnType<typeof planMembership>): string[] =>
  changes.map(({ type, nodeId }) => `${type.replace('ConfChange', '')} ${nodeId}`);

describe('who votes', () => {
  test.each([
    ['one member alone', conf([1]), [member(1)], []],
    ['two members: one votes', conf([1], [2]), [member(1), member(2)], []],
    [
      'three members: all vote, at once',
      conf([1], [2, 3]),
      [member(1), member(2), member(3)],
      ['AddNode 2', 'AddNode 3'],
    ],
    [
      'a learner that is behind waits',
      conf([1, 2, 3], [4, 5]),
      [member(1), member(2), member(3), member(4), member(5, { isCaughtUp: false })],
      ['AddNode 4'],
    ],
    [
      'an even number is left by the next',
      conf([1, 2, 3, 4], [5]),
      [1, 2, 3, 4, 5].map((id) => member(id)),
      ['AddNode 5'],
    ],
    ['no more than five', conf([1, 2, 3, 4, 5], [6, 7]), [1, 2, 3, 4, 5, 6, 7].map((id) => member(id)), []],
    [
      'a lost voter gives its vote to a learner',
      conf([1, 2, 3], [4]),
      [member(1), member(2), member(3, lost), member(4)],
      ['AddNode 4', 'AddLearnerNode 3'],
    ],
    [
      'a lost voter keeps it while nobody can take it',
      conf([1, 2, 3], [4]),
      [member(1), member(2), member(3, lost), member(4, { isCaughtUp: false })],
      [],
    ],
    [
      'one whose disk was wiped goes, its successor follows',
      conf([1, 2, 3], [4]),
      [member(1), member(2), member(3, { ...lost, isWanted: false }), member(4)],
      ['AddNode 4', 'RemoveNode 3'],
    ],
    [
      'one that was removed goes',
      conf([1, 2, 3]),
      [member(1), member(2), member(3, { isWanted: false })],
      ['AddLearnerNode 2', 'RemoveNode 3'],
    ],
  ] as [string, ConfState, MemberView[], string[]][])('%s', (_what, state, members, expected) => {
    expect(text(planMembership(1, state, members))).toEqual(expected);
  });

  const removed = member(1, { isWanted: false });
  test.each([
    ['to a voter that works', conf([1, 2, 3], [4]), [removed, member(2, lost), member(3), member(4)], 3, []],
    ['to no voter that is behind', conf([1, 2]), [removed, member(2, { isCaughtUp: false })], null, []],
    ['to nobody, but gives a vote', conf([1], [2]), [removed, member(2)], null, ['AddNode 2']],
    ['to nobody while there is nobody', conf([1], [2]), [removed, member(2, lost)], null, []],
    ['not at all while it is wanted', conf([1, 2, 3]), [1, 2, 3].map((id) => member(id)), null, []],
  ] as [string, ConfState, MemberView[], number | null, string[]][])(
    'a leader that was removed hands over %s, and does not take itself out',
    (_what, state, members, heir, changes) => {
      expect(successorOf(1, state, members)).toBe(heir);
      expect(text(planMembership(1, state, members))).toEqual(changes);
    },
  );

  test('nothing changes while a change is under way', () => {
    const joint = { ...conf([1, 2, 3], [4]), votersOutgoing: [1, 2] };
    expect(planMembership(1, joint, [member(1), member(2), member(3, lost), member(4)])).toEqual([]);
  });

  test('the leader keeps its vote, the new voters are a working majority, and the plan comes to an end', () => {
    const views = fc
      .uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 })
      .chain((ids) =>
        fc.tuple(
          fc.constant(ids),
          fc.array(fc.record({ isWanted: fc.boolean(), isActive: fc.boolean(), isCaughtUp: fc.boolean() }), {
            minLength: ids.length,
            maxLength: ids.length,
          }),
          fc.integer({ min: 1, max: ids.length }),
        ),
      );
    fc.assert(
      fc.property(views, ([ids, states, voterCount]) => {
        const leader = ids[0]!;
        const members = ids.map((id, i) =>
          id === leader
            ? member(id, { isWanted: states[i]!.isWanted })
            : member(id, {
                ...states[i]!,
                isLost: !states[i]!.isActive,
                isCaughtUp: states[i]!.isActive && states[i]!.isCaughtUp,
              }),
        );
        let state = conf(ids.slice(0, voterCount), ids.slice(voterCount));
        // An heir of a leader that must go may be one voter more, for a while.
        const heirs = members[0]!.isWanted ? 0 : 1;
        let steps = 0;
        for (let changes = planMembership(leader, state, members); changes.length > 0; steps += 1) {
          const gone = changes.map(({ nodeId }) => nodeId);
          const named = (type: string): number[] =>
            changes.filter((one) => one.type === type).map(({ nodeId }) => nodeId);
          state = conf(
            [...state.voters.filter((id) => !gone.includes(id)), ...named('ConfChangeAddNode')],
            [...state.learners.filter((id) => !gone.includes(id)), ...named('ConfChangeAddLearnerNode')],
          );
          expect(state.voters).toContain(leader);
          const active = state.voters.filter((id) => members.find((one) => one.memberId === id)?.isActive);
          expect(active.length * 2).toBeGreaterThan(state.voters.length);
          expect(steps).toBeLessThan(10);
          changes = planMembership(leader, state, members);
        }
        expect(state.voters.length).toBeLessThanOrEqual(Math.max(votersMax, voterCount) + heirs);
      }),
      { numRuns: 500 },
    );
  });
});
