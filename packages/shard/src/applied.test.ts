import { expect, test } from 'vitest';
import { createApplied, openApplied } from './applied.ts';

test('content that is loaded anew is told from what was there before, on every thread', () => {
  const before = createApplied(60);
  const after = createApplied(58);

  expect(after.generation).not.toBe(before.generation);
  expect(openApplied(before.buffer).generation).toBe(before.generation);
});

test('the serving lease ends by whichever clock is there first, and is seen on every thread', () => {
  const applied = createApplied(1);
  const reader = openApplied(applied.buffer);
  expect(reader.hasLease({ nowMs: 0, wallMs: 0 })).toBe(false);
  applied.setLease({ nowMs: 1_000.7, wallMs: 9_000 });
  expect(reader.hasLease({ nowMs: 999.9, wallMs: 8_999 })).toBe(true);
  expect(reader.hasLease({ nowMs: 1_000.1, wallMs: 8_999 })).toBe(false);
  expect(reader.hasLease({ nowMs: 999.9, wallMs: 9_000 })).toBe(false);
  applied.setLease({ nowMs: -Infinity, wallMs: -Infinity });
  expect(reader.hasLease({ nowMs: 0, wallMs: 0 })).toBe(false);
  applied.setLease({ nowMs: Infinity, wallMs: Infinity });
  expect(reader.hasLease({ nowMs: 1e15, wallMs: 1e15 })).toBe(true);
});
