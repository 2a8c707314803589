/**
 * A store in memory with the same rules as a volume on disk, for tests, simulation and nodes that keep nothing.
 */
import { createRealEnv, type Env } from '@quiver/env';
import { defaultGroupLimits } from './commit-loop.ts';
import { defaultWatermarks } from './free-space.ts';
import { createMemoryEngine } from './memory-engine.ts';
import { anchorCell } from './tail-anchor.ts';
import { openVolume, type Volume } from './volume.ts';

export function createMemoryStore(env: Env = createRealEnv()): Promise<Volume> {
  return openVolume(
    createMemoryEngine(),
    anchorCell(),
    {
      limits: defaultGroupLimits,
      watermarks: defaultWatermarks,
      measure: () => Promise.resolve({ freeBytes: 1, totalBytes: 1 }),
      acceptLoss: false,
      groupInLog: 0,
      onPoison: () => undefined,
    },
    env,
  );
}
