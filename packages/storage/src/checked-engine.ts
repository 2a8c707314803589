/**
 * LevelDB, opened after a look at its tables where the last start gives reason to: one that ended within a minute. Always: a
 * database that ends its process at each start is reported as damaged at the next one, or the one after.
 */
import type { Env } from '@quiver/env';
import type { Engine } from './engine.ts';
import { openLevelEngine, type LevelEngineOptions } from './level-engine.ts';
import { markStart } from './start-marker.ts';
import { checkTables, tablesIn } from './table-check.ts';

/** Read and compared within about a quarter of a second; where there is more, a second start must have failed. */
const smallBytes = 64 << 20;
const failedMax = 2;

/**
 * @param markerPath - of a file beside the database
 * @throws StorageError as `openLevelEngine`; 'corruption' also for tables whose bytes are not what was written
 */
export async function openCheckedEngine(
  dir: string,
  markerPath: string,
  options: LevelEngineOptions,
  env: Env,
): Promise<Engine> {
  const marker = await markStart(markerPath, env);
  if (marker.failed > 0) {
    const { names, bytes } = await tablesIn(dir);
    if (bytes <= smallBytes || marker.failed >= failedMax) await checkTables(dir, names);
  }
  const engine = await openLevelEngine(dir, options);
  return {
    ...engine,
    async close() {
      await engine.close();
      await marker.clear();
    },
  };
}
