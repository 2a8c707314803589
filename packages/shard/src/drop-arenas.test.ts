import { createVirtualEnv } from '@quiver/env/testing';
import { ArenaDirectory } from '@quiver/kernel';
import { expect, test } from 'vitest';
import { dropArenas } from './drop-arenas.ts';

test.each([
  { busyMs: 0, collectedAtMs: [0] },
  { busyMs: 2_500, collectedAtMs: [3_000] },
  { busyMs: Infinity, collectedAtMs: [] },
])(
  'a heap is collected in the first moment that is free, after $busyMs ms',
  async ({ busyMs, collectedAtMs }) => {
    const env = createVirtualEnv();
    const startMs = env.now();
    const collected: number[] = [];
    const dropped = dropArenas([], new ArenaDirectory(0), env, {
      isBusy: () => env.now() - startMs < busyMs,
      collect: () => collected.push(env.now() - startMs),
    });
    await env.advance(70_000);
    await dropped;
    expect(collected).toEqual(collectedAtMs);
  },
);
