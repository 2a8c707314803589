import { expect, test } from 'vitest';
import { beamFor, rising, type RecallCurve } from './recall-curve.ts';

const ten: RecallCurve = {
  k: 10,
  queryCount: 100,
  points: [
    { ef: 10, recall: 0.8 },
    { ef: 20, recall: 0.9 },
    { ef: 40, recall: 0.96 },
    { ef: 80, recall: 0.99 },
  ],
};
const hundred: RecallCurve = {
  k: 100,
  queryCount: 20,
  points: [
    { ef: 100, recall: 0.9 },
    { ef: 200, recall: 0.97 },
  ],
};

test('a measured recall takes the width that it was measured at, one below the first point the first width', () => {
  expect(beamFor([ten], 10, 0.9)).toBe(20);
  expect(beamFor([ten], 10, 0.96)).toBe(40);
  expect(beamFor([ten], 10, 0.5)).toBe(10);
});

test('a recall between two points takes a width between theirs, wider for more recall', () => {
  const widths = [0.91, 0.93, 0.95].map((target) => beamFor([ten], 10, target)!);
  expect(widths).toEqual([...widths].sort((a, b) => a - b));
  expect(widths[0]).toBeGreaterThan(20);
  expect(widths[2]).toBeLessThan(40);
});

test('a recall that no width was measured to reach has none', () => {
  expect(beamFor([ten], 10, 0.991)).toBeNull();
  expect(beamFor([ten, hundred], 100, 0.98)).toBeNull();
  expect(beamFor([ten, hundred], 50, 0.98)).toBeNull();
  expect(beamFor([], 10, 0.5)).toBeNull();
});

test('fewer answers take the width of the first curve, more those of the last in proportion, others a width between', () => {
  expect(beamFor([ten, hundred], 1, 0.9)).toBe(20);
  expect(beamFor([ten, hundred], 100, 0.9)).toBe(100);
  expect(beamFor([ten, hundred], 300, 0.9)).toBe(300);
  // Half of the way from 10 to 100 on a logarithmic scale: so is the width.
  expect(beamFor([ten, hundred], Math.sqrt(1000), 0.9)).toBe(Math.ceil(Math.sqrt(20 * 100)));
});

test('recalls that fall by noise are levelled, and their mean is kept', () => {
  const points = [0.7, 0.9, 0.88, 0.86, 0.95].map((recall, i) => ({ ef: 10 + i, recall }));
  const level = rising(points);
  expect(level.map(({ recall }) => Number(recall.toFixed(6)))).toEqual([0.7, 0.88, 0.88, 0.88, 0.95]);
  expect(level.map(({ ef }) => ef)).toEqual([10, 11, 12, 13, 14]);
});
