import type { VirtualEnv } from '@quiver/env/testing';

/** Drives the clock until the work has ended, for `limitMs` of its time at most. */
export async function run<T>(env: VirtualEnv, work: Promise<T>, stepMs = 5, limitMs = 70_000): Promise<T> {
  const state = { ended: false };
  const ended = work.finally(() => (state.ended = true));
  ended.catch(() => undefined);
  const endMs = env.now() + limitMs;
  while (!state.ended && env.now() < endMs) await env.advance(stepMs);
  return ended;
}
