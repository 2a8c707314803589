import { expect, test } from 'vitest';
import { createArena } from './arena.ts';
import { createSimdKernel } from './simd.ts';
import { scratchBytesPerThread } from './scratch.ts';

test('a new instance leaves the memory of its arena as it is: other threads may be searching in it', () => {
  const arena = createArena(1, 0, 2 * scratchBytesPerThread);
  const bytes = new Uint8Array(arena.memory.buffer);
  bytes.fill(0xa5);
  createSimdKernel(arena, 1);
  expect(bytes.every((byte) => byte === 0xa5)).toBe(true);
});
