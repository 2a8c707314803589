import { expect, test } from 'vitest';
import { missingShardsOf } from './read-headers.ts';

test('partial results are allowed or not asked for; anything else is refused', () => {
  expect(missingShardsOf(undefined)).toBeNull();
  expect(missingShardsOf('allow')).toEqual(new Set());
  expect(() => missingShardsOf('yes')).toThrow('x-quiver-partial-results is "yes"; it takes allow');
});
