/**
 * How a thread lets go of arenas. Always: when it says that it has, no view over their memory is left on it: the system has the memory
 * back when all threads say so.
 */
import { collectGarbage, untilCollected, type CollectOptions, type Env } from '@quiver/env';
import type { ArenaDirectory } from '@quiver/kernel';

/** Collects the heap in any case, soon or, while the thread is busy, later. @param arenas - none: for that alone, unless it stays busy */
export async function dropArenas(
  arenas: readonly number[],
  directory: ArenaDirectory,
  env: Env,
  options: CollectOptions = {},
): Promise<void> {
  const held = arenas.map((arena) => directory.drop(arena)).filter((one) => one !== null);
  if (held.length === 0) await collectWhenFree(env, options);
  else await untilCollected(held, env, options);
}

const lookEveryMs = 1_000;
const looksMax = 60;

/** What was sent and received lies in a heap that may not be collected again for hours: a thread that is busy has a free moment soon. */
async function collectWhenFree(
  env: Env,
  { isBusy = () => false, collect = collectGarbage }: CollectOptions,
): Promise<void> {
  for (let look = 0; isBusy(); look += 1) {
    if (look === looksMax) return;
    await new Promise<void>((resolve) => env.after(lookEveryMs, resolve));
  }
  collect();
}
