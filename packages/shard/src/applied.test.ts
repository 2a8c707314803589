import { expect, test } from 'vitest';
import { createApplied, openApplied } from './applied.ts';

test('content that is loaded anew is told from what was there before, on every thread', () => {
  const before = createApplied(60);
  const after = createApplied(58);

  expect(after.generation).not.toBe(before.generation);
  expect(openApplied(before.buffer).generation).toBe(before.generation);
});
