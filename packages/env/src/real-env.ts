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
  const originMs = ownOriginMs();
  return {
    now: () => originMs + performance.now(),
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
    // As one piece: it is made as a chain of fifteen, which takes half a kilobyte for as long as it is kept.
    uuid: () => Buffer.from(randomUUID(), 'latin1').toString('latin1'),
  };
}

/** Each thread counts from its own start: when that was, on the clock of all. The closest of some pairs of readings. */
function ownOriginMs(): number {
  let [originMs, least] = [0, Infinity];
  for (let i = 0; i < 5; i += 1) {
    const before = performance.now();
    const common = Number(process.hrtime.bigint()) / 1e6;
    const apart = performance.now() - before;
    if (apart < least) [originMs, least] = [common - before - apart / 2, apart];
  }
  return originMs;
}
