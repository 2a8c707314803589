import { createVirtualEnv } from '@quiver/env/testing';
import { expect, test } from 'vitest';
import { Bandwidth } from './bandwidth.ts';

const mebibyte = 1 << 20;

test('what passes in any time is the rate times the time, one burst and one part more at most', async () => {
  const env = createVirtualEnv({ seed: 1 });
  const bandwidth = new Bandwidth(env, 2 * mebibyte);
  const passedAtMs: number[] = [];
  for (let i = 0; i < 40; i += 1) bandwidth.whenFree(mebibyte, () => passedAtMs.push(env.now()));
  const startMs = env.now();
  await env.advance(60_000);
  expect(passedAtMs).toHaveLength(40);
  for (const [i, atMs] of passedAtMs.entries()) {
    const allowed = ((atMs - startMs) / 1_000) * 2 * mebibyte + mebibyte / 2 + mebibyte;
    expect((i + 1) * mebibyte).toBeLessThanOrEqual(allowed);
  }
  // Nor less: 40 MiB at 2 MiB/s.
  expect(passedAtMs.at(-1)! - startMs).toBeLessThanOrEqual(20_000);
});

test('those who wait are served in their order, and a part larger than the bucket passes', async () => {
  const env = createVirtualEnv({ seed: 1 });
  const bandwidth = new Bandwidth(env, 1_000);
  const passed: string[] = [];
  bandwidth.whenFree(50_000, () => passed.push('large'));
  bandwidth.whenFree(1, () => passed.push('small'));
  expect(bandwidth.tryTake(1)).toBe(false);
  expect(passed).toEqual(['large']);
  await env.advance(49_000);
  expect(passed).toEqual(['large']);
  await env.advance(1_000);
  expect(passed).toEqual(['large', 'small']);
});

test('no limit lets everything pass at once; at the end nobody is held back', () => {
  const env = createVirtualEnv({ seed: 1 });
  const unlimited = new Bandwidth(env, 0);
  for (let i = 0; i < 100; i += 1) expect(unlimited.tryTake(mebibyte)).toBe(true);
  const narrow = new Bandwidth(env, 1);
  let passed = 0;
  for (let i = 0; i < 3; i += 1) narrow.whenFree(mebibyte, () => (passed += 1));
  expect(passed).toBe(1);
  narrow.stop();
  expect(passed).toBe(3);
});

test('who stops waiting takes nothing, and holds up nobody behind it', async () => {
  const env = createVirtualEnv({ seed: 1 });
  const bandwidth = new Bandwidth(env, 1_000);
  const passed: string[] = [];
  const stop = new AbortController();
  await bandwidth.take(250);
  void bandwidth.take(1_000_000, stop.signal).then(() => passed.push('stopped'));
  void bandwidth.take(1).then(() => passed.push('next'));
  await env.advance(0);
  expect(passed).toEqual([]);
  stop.abort();
  await env.advance(10);
  expect(passed).toEqual(['stopped', 'next']);
  await bandwidth.take(1_000_000, stop.signal);
  await env.advance(10);
  expect(bandwidth.tryTake(1)).toBe(true);
});
