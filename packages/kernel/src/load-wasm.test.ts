import { expect, test } from 'vitest';
import { createArena } from './arena.ts';
import { createSimdKernel } from './simd.ts';
import { scratchBytesPerThread, scratchOf } from './scratch.ts';

test('a new instance writes the constants of its own scratch only: other threads may be searching in the arena', () => {
  const arena = createArena(1, 0, 2 * scratchBytesPerThread);
  const bytes = new Uint8Array(arena.memory.buffer);
  bytes.fill(0xa5);
  createSimdKernel(arena, 1);
  bytes.fill(0xa5, scratchOf(arena, 1).constants, scratchOf(arena, 1).constants + 80);
  expect(bytes.every((byte) => byte === 0xa5)).toBe(true);
});
