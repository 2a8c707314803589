/**
 * A clock that a test drives, with seeded randomness.
 * Always: time moves only in `advance`; timers fire in order of their time, ties in order of their making; the same
 * seed gives the same numbers.
 */
import { setImmediate } from 'node:timers';
import type { Env } from '../env.ts';

export interface VirtualEnvOptions {
  readonly seed?: number;
  /** `wallNow()` at time 0, in milliseconds since the epoch. */
  readonly wallStartMs?: number;
}

export interface VirtualEnv extends Env {
  /** Moves the clock and runs what falls due, letting promises and ready I/O settle between timers. */
  advance(durationMs: number): Promise<void>;
  /** Runs `soon` tasks and lets promises and ready I/O settle; the clock stands still. */
  settle(): Promise<void>;
  /** Timers not yet fired nor cancelled. */
  readonly pendingCount: number;
}

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly task: () => void;
}

/** A few turns of the real event loop: enough for chains of promises and for I/O that is ready. */
const settleTurns = 3;

export function createVirtualEnv(options: VirtualEnvOptions = {}): VirtualEnv {
  const random = mulberry32(options.seed ?? 1);
  const wallStartMs = options.wallStartMs ?? Date.UTC(2026, 0, 1);
  const timers = new Set<Timer>();
  let soonTasks: (() => void)[] = [];
  let nowMs = 0;
  let order = 0;

  async function settle(): Promise<void> {
    for (let turn = 0; turn < settleTurns || soonTasks.length > 0; turn++) {
      const tasks = soonTasks;
      soonTasks = [];
      for (const task of tasks) task();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  function nextDue(untilMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (timer.dueMs > untilMs) continue;
      if (
        first === undefined ||
        timer.dueMs < first.dueMs ||
        (timer.dueMs === first.dueMs && timer.order < first.order)
      )
        first = timer;
    }
    return first;
  }

  return {
    now: () => nowMs,
    wallNow: () => wallStartMs + Math.floor(nowMs),
    after(delayMs, task) {
      const timer = { dueMs: nowMs + Math.max(delayMs, 0), order: order++, task };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    soon(task) {
      soonTasks.push(task);
    },
    random,
    uuid: () => uuidFrom(random),
    async advance(durationMs) {
      const untilMs = nowMs + durationMs;
      await settle();
      for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.dueMs);
        timer.task();
        await settle();
      }
      nowMs = untilMs;
    },
    settle,
    get pendingCount() {
      return timers.size;
    },
  };
}

/** @see Tommy Ettinger's mulberry32: 32 bits of state, passes gjrand; enough for tests. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function uuidFrom(random: () => number): string {
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');
  const variant = (8 + Math.floor(random() * 4)).toString(16);
  return `${hex(8)}-${hex(4)}-4${hex(3)}-${variant}${hex(3)}-${hex(12)}`;
}
