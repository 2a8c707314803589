/**
 * A volume in a directory: LevelDB in `<dir>/db`, the tail anchor in `<dir>/anchor`, starts that failed in `<dir>/starts`.
 * One process and one thread may have it open.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Env } from '@quiver/env';
import { openCheckedEngine } from './checked-engine.ts';
import { defaultGroupLimits, type GroupLimits } from './commit-loop.ts';
import { defaultWatermarks, measureSpace, type Space, type Watermarks } from './free-space.ts';
import type { LevelEngineOptions } from './level-engine.ts';
import { newestGroupInLog } from './log-tail.ts';
import { settleWhenQuiet } from './settled-engine.ts';
import { StorageError } from './storage-error.ts';
import { anchorFile, syncDirectory } from './tail-anchor.ts';
import { openVolume, type Volume } from './volume.ts';

export interface LevelStoreOptions {
  readonly limits?: Partial<GroupLimits>;
  readonly watermarks?: Partial<Watermarks>;
  readonly engine?: Partial<LevelEngineOptions>;
  /** Opens in spite of a 'data_loss' that an earlier open reported. */
  readonly acceptLoss?: boolean;
  /** Called once when a write failed; end the process with `poisonedExitCode`. */
  readonly onPoison?: (error: StorageError) => void;
  /** For tests: measures free space in place of statfs. */
  readonly measure?: () => Promise<Space>;
}

/**
 * Chosen by measurement: a write buffer of 8 MiB stalls for up to 600 ms, one of 64 MiB gains nothing more and doubles
 * the open after a crash; Snappy costs nothing measurable on vectors (it gives up on them) and halves JSON payloads. Few
 * and small tables that are open: a million vectors read once would else stay mapped as a whole; writing costs the same.
 */
export const dataEngineOptions: LevelEngineOptions = {
  writeBufferBytes: 32 << 20,
  tableFileBytes: 1 << 20,
  openTablesMax: 64,
  blockCacheBytes: 8 << 20,
  blockBytes: 16 << 10,
  compression: true,
};

/** For little data, and where memory is counted in hundreds of MiB: for a longer stall now and then. */
export const smallEngineOptions: Partial<LevelEngineOptions> = {
  writeBufferBytes: 8 << 20,
  tableFileBytes: 512 << 10,
  blockCacheBytes: 4 << 20,
};

/**
 * Opens or creates the volume in `dir`; what it found is in `opened`.
 * @throws StorageError 'locked', 'data_loss' (with `loss`), 'corruption', 'unavailable'
 */
export async function openLevelStore(
  dir: string,
  options: LevelStoreOptions,
  env: Env,
): Promise<Volume> {
  const database = join(dir, 'db');
  try {
    await mkdir(database, { recursive: true });
    await syncDirectory(dir);
    await syncDirectory(dirname(dir));
  } catch (cause) {
    throw new StorageError('unavailable', `${dir} cannot be made or synced`, { cause });
  }
  const groupInLog = await newestGroupInLog(database);
  const engineOptions = { ...dataEngineOptions, ...options.engine };
  const measure = options.measure ?? (() => measureSpace(dir));
  const opened = await openCheckedEngine(database, join(dir, 'starts'), engineOptions, env);
  const engine = settleWhenQuiet(opened, () => hasRoom(measure, engineOptions), env);
  return openVolume(
    engine,
    anchorFile(join(dir, 'anchor')),
    {
      limits: { ...defaultGroupLimits, ...options.limits },
      watermarks: { ...defaultWatermarks, ...options.watermarks },
      measure,
      acceptLoss: options.acceptLoss ?? false,
      groupInLog,
      onPoison: options.onPoison ?? (() => undefined),
    },
    env,
  );
}

/** A table of all that is in memory, and those it is merged with. */
const buffersOfRoom = 8;

async function hasRoom(
  measure: () => Promise<Space>,
  { writeBufferBytes }: LevelEngineOptions,
): Promise<boolean> {
  const { freeBytes, totalBytes } = await measure();
  return totalBytes === 0 || freeBytes >= buffersOfRoom * writeBufferBytes;
}
