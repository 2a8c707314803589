/**
 * How a thread lets go of arenas. Always: when it says that it has, no view over their memory is left on it: the system has the memory
 * back when all threads say so.
 */
import { collectGarbage, untilCollected, type CollectOptions, type Env } from '@quiver/env';
import type { ArenaDirectory } from '@quiver/kernel';

/** Collects the heap in any case, soon or, while the thread is busy, later. @param arenas - none: for that alone, unless it is busy */
export async function dropArenas(
  arenas: readonly number[],
  directory: ArenaDirectory,
  env: Env,
  options: CollectOptions = {},
): Promise<void> {
  const held = arenas.map((arena) => directory.drop(arena)).filter((one) => one !== null);
  if (held.length === 0 && options.isBusy?.() !== true) collectGarbage();
  await untilCollected(held, env, options);
}
