/** Both ends of long-bodies.ts on one thread, for tests: the far one is there once it is started. */
import { once } from 'node:events';
import { createRealEnv, openChannel } from '@quiver/env';
import { createBodyDecoder } from '../body-decoder.ts';
import { createLongBodies, type FromDecoder, type LongBodies, type ToDecoder } from '../long-bodies.ts';

export interface DecodeStage {
  readonly bodies: LongBodies;
  /** How often the thread was asked for. */
  readonly asked: () => number;
  /** The decode thread is there. */
  readonly start: () => Promise<void>;
  readonly close: () => void;
}

export function decodeStage(): DecodeStage {
  const env = createRealEnv();
  const [near, far] = openChannel<FromDecoder, ToDecoder>();
  let asked = 0;
  const bodies = createLongBodies(near, env, () => void (asked += 1));
  return {
    bodies,
    asked: () => asked,
    async start() {
      const ready = once(near.raw, 'message');
      createBodyDecoder(env)(far);
      await ready;
    },
    close: () => near.close(),
  };
}
