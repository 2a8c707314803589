import { expect, test } from 'vitest';
import { QuietWatch } from './collect-when-quiet.ts';

const mib = 1 << 20;

function collectedAt(heapBytes: number): QuietWatch {
  const watch = new QuietWatch();
  watch.collected(heapBytes);
  return watch;
}

test('a thread that has started is collected when it is quiet, or after five seconds', () => {
  const quiet = new QuietWatch();
  expect([0.9, 0.1, 0.1].map((share) => quiet.look(share, 10 * mib))).toEqual([false, false, true]);
  const busy = new QuietWatch();
  expect([1, 1, 1, 1, 1].map((share) => busy.look(share, 10 * mib))).toEqual([
    false,
    false,
    false,
    false,
    true,
  ]);
  busy.collected(10 * mib);
  expect(busy.look(1, 100 * mib)).toBe(false);
});

test('a heap that has grown is collected once the thread has been quiet for a while', () => {
  const watch = collectedAt(40 * mib);
  const shares = [0.9, 0.1, 0.9, 0.1, 0.1];
  expect(shares.map((share) => watch.look(share, 100 * mib))).toEqual([false, false, false, false, true]);
});

test('a quiet thread whose heap has hardly grown is left alone', () => {
  const watch = collectedAt(400 * mib);
  expect([450, 490, 499].map((size) => watch.look(0, size * mib))).toEqual([false, false, false]);
  expect(watch.look(0, 500 * mib)).toBe(true);
});

test('a collection that won nothing is not repeated until the heap has grown again', () => {
  const watch = collectedAt(40 * mib);
  watch.look(0, 100 * mib);
  expect(watch.look(0, 100 * mib)).toBe(true);
  watch.collected(100 * mib);
  expect([100, 110, 120].map((size) => watch.look(0, size * mib))).toEqual([false, false, false]);
  expect(watch.look(0, 130 * mib)).toBe(true);
});
