/**
 * Memory that left every set but may still be read: taken back once no thread's pin is below the epoch it left at.
 */
import type { Env } from '@quiver/env';
import type { ArenaPool, Region } from '@quiver/kernel';
import type { SharedState } from '../shared-state.ts';

const lookEveryMs = 20;

export interface RetiredRegions {
  /** @param epoch - the first one at which no set names the regions */
  retire(regions: readonly Region[], epoch: number): void;
  stop(): void;
}

export function createRetiredRegions(
  pool: ArenaPool,
  shared: SharedState,
  env: Env,
  onReleased: () => void,
): RetiredRegions {
  let waiting: { readonly region: Region; readonly epoch: number }[] = [];
  let cancel: (() => void) | null = null;

  function look(): void {
    cancel = null;
    const lowest = shared.lowestPin();
    const free = waiting.filter(({ epoch }) => lowest >= epoch);
    waiting = waiting.filter(({ epoch }) => lowest < epoch);
    for (const { region } of free) pool.release(region);
    if (free.length > 0) onReleased();
    schedule();
  }

  function schedule(): void {
    if (cancel === null && waiting.length > 0) cancel = env.after(lookEveryMs, look);
  }

  return {
    retire(regions, epoch) {
      for (const region of regions) {
        pool.retire(region);
        waiting.push({ region, epoch });
      }
      schedule();
    },
    stop() {
      cancel?.();
    },
  };
}
