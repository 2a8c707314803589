import { expect, test } from 'vitest';
import { memoryLimits } from './memory-limits.ts';

const mib = 1 << 20;
const arena = 4096 * mib;

test('where there is plenty, limits are what is of use', () => {
  expect(memoryLimits(64 * 1024 * mib, arena, 2048 * mib)).toEqual({
    pooledBytesMax: 256 * mib,
    admittedBytesMax: 256 * mib,
    headBytesMax: 64 * mib,
    loadBytesMax: 256 * mib,
    mergeBytesMax: 2048 * mib,
    unindexedBytesMax: 2048 * mib,
  });
});

test('in a small budget, what waits, what is built and what is under way leave half of it', () => {
  for (const budget of [128, 512, 1024, 4096].map((size) => size * mib)) {
    const limits = memoryLimits(budget, arena, 2048 * mib);
    const { pooledBytesMax, headBytesMax, loadBytesMax, mergeBytesMax } = limits;
    expect(pooledBytesMax + headBytesMax + loadBytesMax + mergeBytesMax).toBeLessThan(budget / 2);
    expect(limits.unindexedBytesMax).toBeGreaterThan(loadBytesMax);
    expect(memoryLimits(budget, arena, 0).unindexedBytesMax).toBe(budget / 4);
  }
});
