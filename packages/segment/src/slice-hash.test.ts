import { expect, test } from 'vitest';
import { sipHash24, sliceOf } from './slice-hash.ts';

test('SipHash-2-4 of the empty message under the zero key has its known value', () => {
  expect(sipHash24(new Uint8Array(0))).toBe(0x1e92_4b9d_7377_00d7n);
});

test('every point belongs to exactly one slice', () => {
  const ids = [0, 1, 2, 77, 2 ** 40, 2n ** 63n, '550e8400-e29b-41d4-a716-446655440000'] as const;
  for (const id of ids)
    for (const total of [1, 2, 3, 10]) {
      const slice = sliceOf(id, total);
      expect(slice).toBeGreaterThanOrEqual(0);
      expect(slice).toBeLessThan(total);
    }
});
