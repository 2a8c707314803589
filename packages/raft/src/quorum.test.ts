// etcd's quorum/majority_test.go and quorum/quick_test.go.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeAcked } from './describe.ts';
import { committedByJoint, votesOfJoint } from './quorum-joint.ts';
import { committedByMajority, createMajority, votesOfMajority } from './quorum-majority.ts';
import { quickCheck, quickRuns } from './testing/quick.ts';
import { ackedFrom, committedByCounting } from './testing/quorum-oracle.ts';

test.each<[name: string, acked: [number, number][], rows: string[]]>([
  [
    'different commit index for each voter',
    [
      [1, 101],
      [2, 102],
      [3, 103],
    ],
    ['>      101    (id=1)', 'x>     102    (id=2)', 'xx>    103    (id=3)'],
  ],
  [
    'same commit index for all voters',
    [
      [1, 100],
      [2, 100],
      [3, 100],
    ],
    ['>      100    (id=1)', '>      100    (id=2)', '>      100    (id=3)'],
  ],
  [
    'same commit index for part of the voters',
    [
      [1, 100],
      [2, 102],
      [3, 102],
    ],
    ['>      100    (id=1)', 'x>     102    (id=2)', 'x>     102    (id=3)'],
  ],
  [
    'missing some commit indexes',
    [
      [1, 101],
      [3, 103],
    ],
    ['x>     101    (id=1)', '?        0    (id=2)', 'xx>    103    (id=3)'],
  ],
])('TestDescribe: %s', (_name, acked, rows) => {
  const text = describeAcked([1, 2, 3], ackedFrom(new Map(acked)));
  expect(text).toBe(`${['       idx', ...rows].join('\n')}\n`);
});

const id = fc.nat(17);
const members = fc.uniqueArray(id, { maxLength: 9 }).map(createMajority);
const indexes = fc.uniqueArray(fc.tuple(id, fc.nat(9)), { maxLength: 9, selector: ([key]) => key });
const votes = fc.uniqueArray(fc.tuple(id, fc.boolean()), { maxLength: 9, selector: ([key]) => key });

test(`TestQuick: majority_commit agrees with counting (${quickRuns(50_000)} cases)`, () => {
  quickCheck(
    50_000,
    fc.property(members, indexes, (voters, acked) => {
      const lookup = ackedFrom(new Map(acked));
      expect(committedByMajority(voters, lookup)).toBe(committedByCounting(voters, lookup));
    }),
  );
});

test(`a joint quorum commits what both halves do, whichever comes first (${quickRuns(50_000)} cases)`, () => {
  quickCheck(
    50_000,
    fc.property(members, members, indexes, (incoming, outgoing, acked) => {
      const lookup = ackedFrom(new Map(acked));
      const wanted = Math.min(committedByCounting(incoming, lookup), committedByCounting(outgoing, lookup));
      expect(committedByJoint({ incoming, outgoing }, lookup)).toBe(wanted);
      expect(committedByJoint({ incoming: outgoing, outgoing: incoming }, lookup)).toBe(wanted);
    }),
  );
});

test(`a joint vote is won when both halves win, and lost when either loses (${quickRuns(50_000)} cases)`, () => {
  quickCheck(
    50_000,
    fc.property(members, members, votes, (incoming, outgoing, cast) => {
      const map = new Map(cast);
      const results = [votesOfMajority(incoming, map), votesOfMajority(outgoing, map)];
      const wanted = results.includes('VoteLost')
        ? 'VoteLost'
        : results.includes('VotePending')
          ? 'VotePending'
          : 'VoteWon';
      expect(votesOfJoint({ incoming, outgoing }, map)).toBe(wanted);
    }),
  );
});
