/**
 * Memory and files that left every set but may still be read: taken back once no thread's pin is below the epoch they left
 * at.
 */
import type { Env } from '@quiver/env';
import type { ArenaPool, Region } from '@quiver/kernel';
import type { SharedState } from '../shared-state.ts';

const lookEveryMs = 20;

export interface RetiredRegions {
  /** @param epoch - the first one at which no set names the regions and files */
  retire(
    left: { readonly regions: readonly Region[]; readonly files?: readonly number[] },
    epoch: number,
  ): void;
  stop(): void;
}

export function createRetiredRegions(
  pool: ArenaPool,
  shared: SharedState,
  env: Env,
  on: {
    /** Nobody reads them any more. */
    readonly files: (files: readonly number[]) => void;
    readonly released: () => void;
  },
): RetiredRegions {
  let waiting: {
    readonly regions: readonly Region[];
    readonly files: readonly number[];
    readonly epoch: number;
  }[] = [];
  let cancel: (() => void) | null = null;

  function look(): void {
    cancel = null;
    const lowest = shared.lowestPin();
    const free = waiting.filter(({ epoch }) => lowest >= epoch);
    waiting = waiting.filter(({ epoch }) => lowest < epoch);
    for (const region of free.flatMap(({ regions }) => regions)) pool.release(region);
    const files = free.flatMap((one) => one.files);
    if (files.length > 0) on.files(files);
    if (free.length > 0) on.released();
    schedule();
  }

  function schedule(): void {
    if (cancel === null && waiting.length > 0) cancel = env.after(lookEveryMs, look);
  }

  return {
    retire({ regions, files = [] }, epoch) {
      for (const region of regions) pool.retire(region);
      waiting.push({ regions, files, epoch });
      schedule();
    },
    stop() {
      cancel?.();
    },
  };
}
