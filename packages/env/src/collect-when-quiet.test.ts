import { expect, test } from 'vitest';
import { QuietWatch } from './collect-when-quiet.ts';

const mib = 1 << 20;

test('a heap that has grown is collected once the thread has been quiet for a while', () => {
  const watch = new QuietWatch(40 * mib);
  const shares = [0.9, 0.1, 0.9, 0.1, 0.1];
  expect(shares.map((share) => watch.look(share, 100 * mib))).toEqual([false, false, false, false, true]);
});

test('a quiet thread whose heap has hardly grown is left alone', () => {
  const watch = new QuietWatch(400 * mib);
  expect([450, 490, 499].map((size) => watch.look(0, size * mib))).toEqual([false, false, false]);
  expect(watch.look(0, 500 * mib)).toBe(true);
});

test('a collection that won nothing is not repeated until the heap has grown again', () => {
  const watch = new QuietWatch(40 * mib);
  watch.look(0, 100 * mib);
  expect(watch.look(0, 100 * mib)).toBe(true);
  watch.collected(100 * mib);
  expect([100, 110, 120].map((size) => watch.look(0, size * mib))).toEqual([false, false, false]);
  expect(watch.look(0, 130 * mib)).toBe(true);
});
