/** A volume over a simulated disk: the very code that runs over LevelDB, with faults at the caller's choice. */
import type { Env } from '@quiver/env';
import { defaultGroupLimits, type GroupLimits } from '../commit-loop.ts';
import { defaultWatermarks, type Space } from '../free-space.ts';
import type { StorageError } from '../storage-error.ts';
import { openVolume, type Volume } from '../volume.ts';
import type { FaultyDisk } from './faulty-engine.ts';

export interface FaultyStoreOptions {
  readonly limits?: Partial<GroupLimits>;
  readonly acceptLoss?: boolean;
  readonly onPoison?: (error: StorageError) => void;
  readonly measure?: () => Promise<Space>;
  /** Beside the default fractions. */
  readonly roomBytes?: number;
  /** The newest group that the raw log still mentions, as `openLevelStore` reads it; 0 for none. */
  readonly groupInLog?: number;
}

/** @throws StorageError 'data_loss' as a volume on disk does */
export function createFaultyStore(
  disk: FaultyDisk,
  options: FaultyStoreOptions,
  env: Env,
): Promise<Volume> {
  const { engine, place } = disk.open();
  return openVolume(
    engine,
    place,
    {
      limits: { ...defaultGroupLimits, ...options.limits },
      watermarks: { ...defaultWatermarks, roomBytes: options.roomBytes ?? 0 },
      measure: options.measure ?? (() => Promise.resolve({ freeBytes: 1 << 30, totalBytes: 1 << 30 })),
      acceptLoss: options.acceptLoss ?? false,
      groupInLog: options.groupInLog ?? 0,
      onPoison: options.onPoison ?? (() => undefined),
    },
    env,
  );
}
