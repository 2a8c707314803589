import { describe, expect, test } from 'vitest';
import { slotOf, xxHash32 } from './slot.ts';
import { equalSlots, ownerOf, type ShardRecord } from './topology.ts';

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
    const shards = shardsOf(8);
    const counts = new Array<number>(8).fill(0);
    for (let id = 0; id < 80_000; id += 1) counts[ownerOf(shards, id)!.shardId]! += 1;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });

  test('the runs of any number of shards are in order and cover every slot once', () => {
    for (const count of [1, 2, 3, 5, 7, 1000]) {
      let next = 0;
      for (const { slots } of shardsOf(count))
        for (const [from, to] of slots) {
          expect(from).toBe(next);
          expect(to).toBeGreaterThan(from);
          next = to;
        }
      expect(next).toBe(16_384);
    }
  });
});

function shardsOf(count: number): ShardRecord[] {
  return Array.from({ length: count }, (_, shardId) => ({
    shardId,
    shardKey: null,
    slots: equalSlots(shardId, count),
    replicas: [],
    inSync: [],
    primary: null,
    term: 0,
    cfgVersion: 0,
  }));
}
