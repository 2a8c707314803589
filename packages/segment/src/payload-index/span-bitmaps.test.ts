import { expect, test } from 'vitest';
import { Bitset } from '../bitset.ts';
import { runSteps } from '../steps.ts';
import { createRandom } from '../testing/random-filter.ts';
import { addSpan, buildSpanBitmaps } from './span-bitmaps.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? Math.floor(Math.random() * 0x1_0000_0000));

test(`a stretch of rows is what adding them one by one gives (QUIVER_SEED=${seed})`, () => {
  const random = createRandom(seed);
  for (const [rowCount, listed] of [
    [4_096, 4_096],
    [20_011, 5_000],
    [9_000, 8_999],
    [500, 500],
  ] as const) {
    const rows = Uint32Array.from({ length: rowCount }, (_, row) => row);
    for (let i = rowCount - 1; i > 0; i -= 1) {
      const j = random.int(i + 1);
      [rows[i], rows[j]] = [rows[j]!, rows[i]!];
    }
    const list = rows.slice(0, listed);
    const bitmaps = runSteps(buildSpanBitmaps(list, rowCount, true));
    for (let round = 0; round < 200; round += 1) {
      const ends = [random.int(listed + 1), random.chance(0.2) ? listed : random.int(listed + 1)];
      const [from, to] = ends.sort((a, b) => a - b) as [number, number];
      const out = new Bitset(rowCount);
      out.add(0);
      runSteps(addSpan(list, bitmaps, from, to, out));
      expect([...out.rows()]).toEqual([...new Set([0, ...list.slice(from, to)])].sort((a, b) => a - b));
    }
  }
});

test('a list that names a row twice has no bitsets', () => {
  const rows = new Uint32Array(5_000).fill(3);
  const bitmaps = runSteps(buildSpanBitmaps(rows, 10, false));
  expect(bitmaps.length).toBe(0);
  const out = new Bitset(10);
  runSteps(addSpan(rows, bitmaps, 10, 4_000, out));
  expect([...out.rows()]).toEqual([3]);
});
