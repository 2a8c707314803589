import { createVirtualEnv } from '@quiver/env/testing';
import { expect, test } from 'vitest';
import { OtherMemory } from './other-memory.ts';

test('a rise counts at once, a fall by halves in a minute, so that memory which comes and goes is reckoned with', async () => {
  const env = createVirtualEnv();
  const other = new OtherMemory(env, 100);
  other.note(100);
  expect([other.bytes, other.excess]).toEqual([100, 0]);
  other.note(400);
  await env.advance(60_000);
  other.note(200);
  expect([other.bytes, other.excess]).toEqual([300, 100]);
  await env.advance(600_000);
  other.note(200);
  expect(other.bytes).toBeCloseTo(200, 0);
  other.note(500);
  expect(other.bytes).toBe(500);
});
