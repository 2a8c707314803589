/**
 * A full collection of the calling thread's heap, now. Shared memory goes back to the system only when the heaps of all threads
 * have let go of it, and a heap that is small and quiet may not be collected for hours. A thread that has started calls it once,
 * too, soon (collect-when-quiet.ts): until the first full collection V8 lets a heap grow to half a gigabyte, whatever is alive in it.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Env } from './env.ts';

type Collect = (options?: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;
let collect: Collect | null = null;

/** Takes some tens of milliseconds. */
export function collectGarbage(): void {
  openCollect()();
}

/** Also moves objects off nearly empty pages, and returns those to the system: others are kept by V8 for what comes. Takes twice to three times as long. */
export function emptyPages(): void {
  openCollect()({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

function openCollect(): Collect {
  if (collect === null) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as Collect;
  }
  return collect;
}

/** Waits before each look, in milliseconds: what was just let go of may still be read by a request, or by work that ends soon. */
const firstLooksMs = [0, 50, 250, 1_000, 4_000];
const laterLooksMs = 10_000;
/** Between two collections for whoever waits: several may. */
const collectEveryMs = 1_000;
/** A thread that others wait for is given so long to collect by itself, which stops it for less, and for so long after each collection. */
const patienceMs = 10_000;
const patientLooksMs = 1_000;
const collectedMs = new WeakMap<Env, number>();

export interface CollectOptions {
  /** Others wait for this thread: it should not be stopped for long. */
  readonly isBusy?: () => boolean;
  readonly collect?: () => void;
}

/**
 * Resolves when nothing on this thread holds what is referred to any more. Collects for the first looks, once a second at most; later ones
 * only see whether the heap was collected meanwhile, since each collection stops the thread. While the thread is busy it is left to collect
 * by itself for some seconds first, and is then made to every some seconds at most.
 */
export async function untilCollected(
  references: readonly WeakRef<object>[],
  env: Env,
  { isBusy = () => false, collect = collectGarbage }: CollectOptions = {},
): Promise<void> {
  const startedMs = env.now();
  let left = references;
  let isPatient = false;
  let tries = 0;
  for (let look = 0; left.length > 0; look += 1) {
    const waitMs = firstLooksMs[look] ?? (isPatient ? patientLooksMs : laterLooksMs);
    await new Promise<void>((resolve) => env.after(waitMs, resolve));
    const mayStop = !isBusy();
    isPatient = !mayStop && env.now() < startedMs + patienceMs;
    if (tries < firstLooksMs.length && !isPatient) {
      tries += 1;
      if (isTurn(env, mayStop ? collectEveryMs : patienceMs)) collect();
    }
    left = left.filter((reference) => reference.deref() !== undefined);
  }
}

function isTurn(env: Env, everyMs: number): boolean {
  const nowMs = env.now();
  if (nowMs < (collectedMs.get(env) ?? -Infinity) + everyMs) return false;
  collectedMs.set(env, nowMs);
  return true;
}
