import { createVirtualEnv } from '@quiver/env/testing';
import { expect, test } from 'vitest';
import { MemoryGuard } from './memory-guard.ts';

test('beyond the limit writes are asked to wait, then refused, and taken again when memory was given back', async () => {
  const env = createVirtualEnv({ seed: 1 });
  let [resident, given] = [500, 0];
  const guard = new MemoryGuard({
    env,
    limitBytes: 1_000,
    residentBytes: () => resident,
    onShort: () => void (given += 1),
  });
  const codeOf = (bytes: number): string => {
    try {
      guard.admit(bytes);
      return 'taken';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  expect(codeOf(10)).toBe('taken');
  resident = 990;
  await env.advance(200);
  expect([codeOf(10), codeOf(0), given]).toEqual(['rate_limited', 'taken', 1]);
  await env.advance(16_000);
  expect(codeOf(10)).toBe('insufficient_storage');
  resident = 600;
  await env.advance(200);
  expect(codeOf(10)).toBe('taken');
});
