/**
 * The real clock, timers and randomness.
 * Timers are unreferenced: what keeps a process alive is its sockets and threads, never a pending retry.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate, setTimeout } from 'node:timers';
import type { Env } from './env.ts';

/** The longest delay that Node's timers take; a longer one would fire at once. */
const delayMsMax = 2 ** 31 - 1;

export function createRealEnv(): Env {
  return {
    now: () => performance.now(),
    wallNow: () => Date.now(),
    after(delayMs, task) {
      const timer = setTimeout(task, Math.min(Math.max(delayMs, 0), delayMsMax));
      timer.unref();
      return () => clearTimeout(timer);
    },
    soon(task) {
      setImmediate(task);
    },
    random: () => Math.random(),
    uuid: () => randomUUID(),
  };
}
