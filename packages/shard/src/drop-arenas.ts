/**
 * How a thread lets go of arenas. Always: when it says that it has, no view over their memory is left on it: the system has the memory
 * back when all threads say so.
 */
import { collectGarbage, untilCollected, type Env } from '@quiver/env';
import type { ArenaDirectory } from '@quiver/kernel';

/** Collects the heap in any case. @param arenas - none: for that alone */
export async function dropArenas(
  arenas: readonly number[],
  directory: ArenaDirectory,
  env: Env,
): Promise<void> {
  const held = arenas.map((arena) => directory.drop(arena)).filter((one) => one !== null);
  if (held.length === 0) collectGarbage();
  await untilCollected(held, env);
}
