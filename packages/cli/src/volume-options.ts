/** How much of the disk each volume of the process leaves free, and what memory it takes. */
import { smallEngineOptions, type LevelStoreOptions } from '@quiver/storage';
import type { Config } from './config/keys.ts';

/** LevelDB was seen to take 100 MB for a moment on a disk of 500 MB. */
const compactionRoomBytes = 256 << 20;

export interface Watermarks {
  readonly clientFreeFractionMin: number;
  readonly essentialFreeFractionMin: number;
  readonly roomBytes: number;
}

export function watermarksOf({ quiver }: Config): Watermarks {
  const clientFreeFractionMin = quiver.disk_free_min_percent / 100;
  return {
    clientFreeFractionMin,
    essentialFreeFractionMin: clientFreeFractionMin / 2,
    roomBytes: clientFreeFractionMin === 0 ? 0 : compactionRoomBytes,
  };
}

/** A budget below this is kept for vectors, at the cost of writing. */
const smallBudgetBytes = 4 * 2 ** 30;

/** Of the volume of points. */
export function engineOptionsOf({ storage }: Config): NonNullable<LevelStoreOptions['engine']> {
  const budgetBytes = storage.memory_budget ?? 0;
  return budgetBytes > 0 && budgetBytes < smallBudgetBytes ? smallEngineOptions : {};
}
