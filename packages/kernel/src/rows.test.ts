import { expect, test } from 'vitest';
import { createArena } from './arena.ts';
import { elements } from './metric.ts';
import { paddedDimOf, readRow, strideOf, writeRow, type Rows } from './rows.ts';
import { distanceOfBits, orderedBits } from './top-k.ts';

test('a row is a whole number of 64-byte blocks, at least one', () => {
  for (const element of elements)
    for (const dim of [1, 15, 16, 17, 63, 64, 65, 65_536]) {
      const stride = strideOf(element, dim);
      expect(stride % 64).toBe(0);
      expect(paddedDimOf(element, dim)).toBeGreaterThanOrEqual(dim);
      expect(paddedDimOf(element, dim) - dim).toBeLessThan(64);
    }
});

test('byte rows are cut towards zero and clamped to their range, and padding is cleared', () => {
  const arena = createArena(1, 65_536, 0);
  const vector = new Float32Array([-300, -1.9, -0.5, 0.9, 3.99, 300]);
  for (const [element, want] of [
    ['u8', [0, 0, 0, 0, 3, 255]],
    ['i8', [-128, -1, 0, 0, 3, 127]],
  ] as const) {
    const rows: Rows = { metric: 'dot', element, dim: 6, stride: 64, address: 128 };
    new Uint8Array(arena.memory.buffer, 128, 128).fill(7);
    writeRow(arena.memory, rows, 1, vector);
    expect([...readRow(arena.memory, rows, 1)]).toEqual(want);
    expect(new Uint8Array(arena.memory.buffer, 128 + 64 + 6, 58).every((byte) => byte === 0)).toBe(true);
    expect(new Uint8Array(arena.memory.buffer, 128, 64).every((byte) => byte === 7)).toBe(true);
  }
});

test('ordered bits sort as the numbers do, and turn back into them', () => {
  const numbers = [-Infinity, -1e30, -2, -1e-30, 0, 1e-30, 0.5, 2, 1e30, Infinity].map(Math.fround);
  const bits = numbers.map(orderedBits);
  expect([...bits].sort((a, b) => a - b)).toEqual(bits);
  expect(bits.map(distanceOfBits)).toEqual(numbers);
  expect(orderedBits(-0)).toBe(orderedBits(0));
  expect(orderedBits(NaN)).toBe(orderedBits(Infinity));
});
