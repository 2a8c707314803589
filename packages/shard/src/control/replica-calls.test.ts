import { expect, test } from 'vitest';
import { ReplicaCalls } from './replica-calls.ts';

test('of a fence that is drained or lowered nothing is kept', async () => {
  const calls = new ReplicaCalls();
  const raised: number[] = [];
  const drained = calls.fence((fence) => raised.push(fence));
  void calls.fence((fence) => raised.push(fence));
  expect(calls.fenceCount).toBe(2);
  calls.answer({ kind: 'fence_drained', fence: raised[0]!, seq: 7 });
  expect(await drained).toEqual({ fence: raised[0], seq: 7 });
  // The move ended before what was admitted to its slots was committed.
  calls.lowered(raised[1]!);
  expect(calls.fenceCount).toBe(0);
});
