import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  commonRuns,
  containsRuns,
  countSlots,
  isSameRuns,
  joinedRuns,
  slotTest,
  withoutRuns,
  type SlotRuns,
} from './slot-runs.ts';

/** Random sets of few slots, as runs. */
const someRuns = fc
  .uniqueArray(fc.nat(40), { maxLength: 20 })
  .map((slots): SlotRuns => joinedRuns(slots.map((slot) => [slot, slot + 1] as const)));

const members = (runs: SlotRuns): number[] =>
  runs.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i));

test('runs behave as the sets they stand for', () => {
  fc.assert(
    fc.property(someRuns, someRuns, (a, b) => {
      const [left, right] = [new Set(members(a)), new Set(members(b))];
      expect(members(commonRuns(a, b))).toEqual([...left].filter((slot) => right.has(slot)));
      expect(containsRuns(a, b)).toBe(right.isSubsetOf(left));
      expect(isSameRuns(a, b)).toBe(left.size === right.size && right.isSubsetOf(left));
      expect(countSlots(a)).toBe(left.size);
      const rest = withoutRuns(a, b);
      if (right.isSubsetOf(left)) expect(members(rest!)).toEqual([...left.difference(right)]);
      else expect(rest).toBeNull();
      const has = slotTest(a);
      for (let slot = 0; slot < 42; slot += 1) expect(has(slot)).toBe(left.has(slot));
    }),
  );
});

test('neighbours become one run', () => {
  expect(
    joinedRuns([
      [20, 30],
      [0, 10],
      [10, 20],
    ]),
  ).toEqual([[0, 30]]);
});
