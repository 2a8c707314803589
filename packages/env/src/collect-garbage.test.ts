import { getHeapStatistics } from 'node:v8';
import { expect, test } from 'vitest';
import { collectGarbage, emptyPages, untilCollected } from './collect-garbage.ts';
import { createVirtualEnv } from './testing/index.ts';

test('what nothing refers to is gone afterwards', () => {
  const held = { value: new Uint8Array(1 << 20) as Uint8Array | null };
  const reference = new WeakRef(held.value!);
  held.value = null;
  return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    collectGarbage();
    expect(reference.deref()).toBeUndefined();
  });
});

test('pages with a few objects on them are emptied', () => {
  const held = Array.from({ length: 1_000_000 }, (_, i) => ({ i }));
  collectGarbage();
  // Every page of theirs keeps some.
  const kept = held.filter((_, i) => i % 16 === 0);
  held.length = 0;
  collectGarbage();
  const full = getHeapStatistics();
  emptyPages();
  const emptied = getHeapStatistics();
  expect(kept.length).toBe(62_500);
  expect(emptied.total_heap_size - emptied.used_heap_size).toBeLessThan(
    (full.total_heap_size - full.used_heap_size) / 2,
  );
});

test('what somebody holds is waited for until it is let go of', async () => {
  const env = createVirtualEnv();
  const held = { value: new Uint8Array(1 << 20) as Uint8Array | null };
  let isGone = false;
  void untilCollected([new WeakRef(held.value!)], env).then(() => (isGone = true));
  await env.advance(2_000);
  expect(isGone).toBe(false);
  held.value = null;
  await env.advance(4_000);
  expect(isGone).toBe(true);
});

test('a busy thread is left to collect by itself for ten seconds, and made to every ten at most', async () => {
  const env = createVirtualEnv();
  const held = { value: new Uint8Array(1 << 20) };
  let isBusy = true;
  const collectedAtMs: number[] = [];
  const startedMs = env.now();
  const options = { isBusy: () => isBusy, collect: () => collectedAtMs.push(env.now() - startedMs) };
  void untilCollected([new WeakRef(held.value)], env, options);
  await env.advance(9_900);
  expect(collectedAtMs).toEqual([]);
  await env.advance(11_000);
  expect(collectedAtMs).toEqual([10_300, 20_300]);
  isBusy = false;
  await env.advance(20_000);
  expect(collectedAtMs).toEqual([10_300, 20_300, 30_300, 40_300]);
  expect(held.value).toHaveLength(1 << 20);
});
