/**
 * A store in memory with the same rules as a volume on disk (a total of 0 bytes means no watermark), for tests,
 * simulation and nodes that keep nothing.
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
      measure: () => Promise.resolve({ freeBytes: 0, totalBytes: 0 }),
      acceptLoss: false,
      groupInLog: 0,
      onPoison: () => undefined,
    },
    env,
  );
}
