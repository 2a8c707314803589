import { expect, test } from 'vitest';
import { RefusedMoves } from './refused-moves.ts';

test('a segment that was refused is left until more is free', () => {
  const refused = new RefusedMoves();
  expect(refused.isLeft(7, 0)).toBe(false);
  refused.note(7, 1_000);
  expect([900, 1_000, 1_001].map((free) => refused.isLeft(7, free))).toEqual([true, true, false]);
  expect(refused.isLeft(8, 0)).toBe(false);
  // Refused again: there must be more than that.
  refused.note(7, 2_000);
  expect(refused.isLeft(7, 1_500)).toBe(true);
  refused.forget(7);
  expect(refused.isLeft(7, 0)).toBe(false);
});
