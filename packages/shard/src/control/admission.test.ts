import { expect, test } from 'vitest';
import { Admission, backlogDelayMs } from './admission.ts';

test('writes beyond what a node takes in are refused with a time to come back, and taken again afterwards', () => {
  const admission = new Admission(100);
  const ends = [admission.begin(60), admission.begin(40)];
  expect(() => admission.begin(1)).toThrow('100 bytes of writes are under way');
  try {
    admission.begin(1);
  } catch (error) {
    expect(error).toMatchObject({ code: 'rate_limited', retryAfterSeconds: 1 });
  }
  ends[0]!();
  admission.begin(30)();
  ends[1]!();
  // Larger than the limit, and alone.
  admission.begin(500)();
  expect(admission.begin(100)).toBeTypeOf('function');
});

test('a backlog of unindexed vectors slows writes from the limit on, and stops them at twice the limit', () => {
  const limit = 1_000;
  expect([0, 999, 1_000].map((bytes) => backlogDelayMs(bytes, limit))).toEqual([0, 0, 0]);
  expect([1_100, 1_500, 1_900].map((bytes) => backlogDelayMs(bytes, limit))).toEqual([100, 500, 900]);
  expect(() => backlogDelayMs(2_000, limit)).toThrow('wait to be indexed');
  expect(backlogDelayMs(1e12, 0)).toBe(0);
});
