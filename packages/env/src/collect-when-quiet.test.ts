import { expect, test } from 'vitest';
import { QuietWatch } from './collect-when-quiet.ts';

const mib = 1 << 20;

function collectedAt(heapBytes: number): QuietWatch {
  const watch = new QuietWatch();
  watch.collected('objects', heapBytes, heapBytes, 0);
  return watch;
}

test('a thread that has started is collected when it is quiet, or after five seconds', () => {
  const quiet = new QuietWatch();
  expect([0.9, 0.1, 0.1].map((share) => quiet.look(share, 10 * mib))).toEqual([null, null, 'objects']);
  const busy = new QuietWatch();
  expect([1, 1, 1, 1, 1].map((share) => busy.look(share, 10 * mib))).toEqual([
    null,
    null,
    null,
    null,
    'objects',
  ]);
  busy.collected('objects', 10 * mib, 10 * mib, 0);
  expect(busy.look(1, 100 * mib)).toBeNull();
});

test('a heap that has grown is collected once the thread has been quiet for a while', () => {
  const watch = collectedAt(40 * mib);
  const shares = [0.9, 0.1, 0.9, 0.1, 0.1];
  expect(shares.map((share) => watch.look(share, 100 * mib))).toEqual([null, null, null, null, 'objects']);
});

test('a quiet thread whose heap has hardly grown is left alone', () => {
  const watch = collectedAt(400 * mib);
  expect([450, 490, 499].map((size) => watch.look(0, size * mib))).toEqual([null, null, null]);
  expect(watch.look(0, 500 * mib)).toBe('objects');
});

test('a collection that won nothing is not repeated until the heap has grown again', () => {
  const watch = collectedAt(40 * mib);
  watch.look(0, 100 * mib);
  expect(watch.look(0, 100 * mib)).toBe('objects');
  watch.collected('objects', 100 * mib, 100 * mib, 0);
  expect([100, 110, 120].map((size) => watch.look(0, size * mib))).toEqual([null, null, null]);
  expect(watch.look(0, 130 * mib)).toBe('objects');
});

test('much room between the objects is emptied, once, after a longer rest', () => {
  const watch = collectedAt(40 * mib);
  watch.look(0, 200 * mib);
  expect(watch.look(0, 200 * mib)).toBe('objects');
  watch.collected('objects', 150 * mib, 75 * mib, 0);
  const shares = [0, 0, 0, 0.4, 0, 0, 0.2, 0, 0, 0];
  expect(shares.map((share) => watch.look(share, 151 * mib))).toEqual([
    ...Array<null>(9).fill(null),
    'pages',
  ]);
  watch.collected('pages', 140 * mib, 75 * mib, 0);
  expect(Array.from({ length: 20 }, () => watch.look(0, 150 * mib))).toEqual(Array(20).fill(null));
  // What grows after it counts as before.
  expect(watch.look(0, 180 * mib)).toBe('objects');
});

test('little room between the objects is left', () => {
  const watch = new QuietWatch();
  watch.collected('objects', 100 * mib, 85 * mib, 0);
  expect(Array.from({ length: 20 }, () => watch.look(0, 100 * mib))).toEqual(Array(20).fill(null));
});

test('a heap that keeps growing while it is quiet is collected in at most a three-hundredth of the time', () => {
  const watch = collectedAt(40 * mib);
  watch.collected('objects', 150 * mib, 75 * mib, 100);
  const looks: string[] = [];
  for (let look = 1; look <= 220; look += 1) {
    const due = watch.look(0, 140 * mib);
    if (due === null) continue;
    looks.push(`${look} ${due}`);
    watch.collected(due, 100 * mib, due === 'objects' ? 75 * mib : 99 * mib, due === 'objects' ? 100 : 200);
  }
  expect(looks).toEqual(['6 pages', '96 objects', '102 pages', '192 objects', '198 pages']);
});

test('after a burst it need not rest', () => {
  const watch = collectedAt(40 * mib);
  watch.collected('objects', 100 * mib, 99 * mib, 1_000);
  expect([149, 149, 150].map((size) => watch.look(0, size * mib))).toEqual([null, null, 'objects']);
});
