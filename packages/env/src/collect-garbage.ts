/**
 * A full collection of the calling thread's heap, now. Shared memory goes back to the system only when the heaps of all threads
 * have let go of it, and a heap that is small and quiet may not be collected for hours. A thread that has started calls it once,
 * too (collect-when-quiet.ts): until the first full collection V8 lets a heap grow to half a gigabyte, whatever is alive in it.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Env } from './env.ts';

let collect: (() => void) | null = null;

/** Takes some tens of milliseconds. */
export function collectGarbage(): void {
  if (collect === null) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}

/** Waits before each look, in milliseconds: what was just let go of may still be read by a request, or by work that ends soon. */
const firstLooksMs = [0, 50, 250, 1_000, 4_000];
const laterLooksMs = 10_000;
/** Between two collections for whoever waits: several may. */
const collectEveryMs = 1_000;
const collectedMs = new WeakMap<Env, number>();

/**
 * Resolves when nothing on this thread holds what is referred to any more. Collects for the first looks, once a second at most; later ones
 * only see whether the heap was collected meanwhile, since each collection stops the thread.
 */
export async function untilCollected(references: readonly WeakRef<object>[], env: Env): Promise<void> {
  let left = references;
  for (let look = 0; left.length > 0; look += 1) {
    await new Promise<void>((resolve) => env.after(firstLooksMs[look] ?? laterLooksMs, resolve));
    if (look < firstLooksMs.length) collectInTurn(env);
    left = left.filter((reference) => reference.deref() !== undefined);
  }
}

function collectInTurn(env: Env): void {
  const nowMs = env.now();
  if (nowMs < (collectedMs.get(env) ?? -Infinity) + collectEveryMs) return;
  collectedMs.set(env, nowMs);
  collectGarbage();
}
