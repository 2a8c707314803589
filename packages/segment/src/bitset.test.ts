import { createRandom } from './testing/random-filter.ts';
import { expect, test } from 'vitest';
import { bitCount, Bitset } from './bitset.ts';

function filled(size: number, rows: Iterable<number>): Bitset {
  const bits = new Bitset(size);
  for (const row of rows) bits.add(row);
  return bits;
}

test('a set of rows does what a Set of numbers does', () => {
  const random = createRandom(7);
  for (const size of [0, 1, 31, 32, 33, 64, 1_000]) {
    const draw = (): Set<number> =>
      new Set(Array.from({ length: size }, (_, i) => i).filter(() => random.chance(0.4)));
    const [a, b] = [draw(), draw()];
    const rows = (bits: Bitset): number[] => [...bits.rows()];
    const all = Array.from({ length: size }, (_, i) => i);
    const bits = filled(size, a);
    expect(rows(bits)).toEqual([...a]);
    expect(bits.count()).toBe(a.size);
    for (const [name, expected] of [
      ['intersect', all.filter((row) => a.has(row) && b.has(row))],
      ['unite', all.filter((row) => a.has(row) || b.has(row))],
      ['subtract', all.filter((row) => a.has(row) && !b.has(row))],
    ] as const) {
      const result = filled(size, a);
      result[name](filled(size, b));
      expect(rows(result), name).toEqual(expected);
    }
    bits.invert();
    expect(rows(bits)).toEqual(all.filter((row) => !a.has(row)));
    bits.fill();
    expect(bits.count()).toBe(size);
    for (const row of a) bits.remove(row);
    expect(rows(bits)).toEqual(all.filter((row) => !a.has(row)));
  }
});

test('the next row is found from any row, and none after the end', () => {
  const bits = filled(100, [0, 31, 32, 63, 99]);
  expect([0, 1, 31, 32, 33, 64, 99, 100].map((from) => bits.next(from))).toEqual([
    0, 31, 31, 32, 63, 99, 99, -1,
  ]);
});

test('bits of a word are counted as by hand', () => {
  for (const word of [0, 1, 0x8000_0000, 0xffff_ffff, 0x1234_5678])
    expect(bitCount(word)).toBe((word >>> 0).toString(2).replaceAll('0', '').length);
});
