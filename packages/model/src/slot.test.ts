import { describe, expect, test } from 'vitest';
import { shardOfSlot, slotCount, slotOf, xxHash32 } from './slot.ts';

describe('slots', () => {
  test('the hash agrees with the published values of xxHash32', () => {
    const hash = (text: string, seed = 0): number => xxHash32(new TextEncoder().encode(text), seed);
    expect(hash('')).toBe(0x02cc5d05);
    expect(hash('a')).toBe(0x550d7456);
    expect(hash('abc')).toBe(0x32d153ff);
    expect(hash('Nobody inspects the spammish repetition')).toBe(0xe2293b2f);
  });

  test('an id keeps its slot, and a number above 2^53 has one of its own', () => {
    expect(slotOf(7)).toBe(slotOf(7));
    expect(slotOf(2n ** 64n - 1n)).not.toBe(slotOf(2n ** 64n - 2n));
  });

  test('sequential ids fill the shards evenly', () => {
    const counts = new Array<number>(8).fill(0);
    for (let id = 0; id < 80_000; id += 1) counts[shardOfSlot(slotOf(id), 8)]! += 1;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });

  test('every slot has a shard and the runs are in order', () => {
    let last = 0;
    for (let slot = 0; slot < slotCount; slot += 1) {
      const shard = shardOfSlot(slot, 5);
      expect(shard === last || shard === last + 1).toBe(true);
      last = shard;
    }
    expect(last).toBe(4);
  });
});
