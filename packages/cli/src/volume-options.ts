/** How much of the disk each volume of the process leaves free, and what happens when one fails. */
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
