import { expect, test } from 'vitest';
import { forkSeq, historyUpTo, historyWith, termAt } from './history.ts';

const history = (...pairs: [number, number][]) => pairs.map(([term, startSeq]) => ({ term, startSeq }));

test('equal histories part where the shorter copy ends', () => {
  const both = history([1, 1], [2, 11]);
  expect(forkSeq(both, 15, both, 20)).toBe(15);
  expect(forkSeq(both, 20, both, 15)).toBe(15);
});

test('a tail that the new primary never had is above the fork', () => {
  expect(forkSeq(history([1, 1]), 13, history([1, 1], [2, 11]), 30)).toBe(10);
  expect(forkSeq(history([1, 1], [3, 11]), 12, history([1, 1], [4, 11]), 12)).toBe(10);
});

test('two terms after each other that both lack the other one part at the last common end (KIP-279)', () => {
  expect(forkSeq(history([1, 1], [2, 6]), 9, history([1, 1], [3, 8]), 20)).toBe(5);
});

test('copies without a common term share nothing', () => {
  expect(forkSeq([], 0, history([1, 1]), 9)).toBe(0);
  expect(forkSeq(history([7, 90]), 95, history([8, 100]), 120)).toBe(0);
});

test('a term that begins where an unused one began replaces it', () => {
  expect(historyWith(history([1, 1], [2, 11]), { term: 3, startSeq: 11 }, 9)).toEqual(
    history([1, 1], [3, 11]),
  );
  expect(historyWith(history([1, 1], [2, 11]), { term: 3, startSeq: 12 }, 2)).toEqual(
    history([2, 11], [3, 12]),
  );
});

test('the term of a seq is that of the entry it lies in', () => {
  const entries = history([2, 5], [4, 9]);
  expect([4, 5, 8, 9, 100].map((seq) => termAt(entries, seq))).toEqual([0, 2, 2, 4, 4]);
  expect(historyUpTo(entries, 8)).toEqual(history([2, 5]));
});
