/**
 * Collections of a thread's heap when it has little to do: V8 lets garbage of a burst lie for as long as nothing new comes, and a
 * process has several heaps. Always: never while the thread is busy, and only when there is much to win; a collection that won
 * nothing is not repeated until the heap has grown again.
 */
import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { collectGarbage } from './collect-garbage.ts';
import type { Env } from './env.ts';

const lookEveryMs = 1_000;
/** In a row. */
const quietLooksMin = 2;
/** Of the thread's time, its waits for a core among it. */
const busyShareMax = 0.5;
const grownBytesMin = 16 << 20;
const grownShareMin = 0.25;

/** When to collect. Pure. */
export class QuietWatch {
  #collectedBytes: number;
  #quietLooks = 0;

  /** @param heapBytes - after a collection */
  constructor(heapBytes: number) {
    this.#collectedBytes = heapBytes;
  }

  /** @param busyShare - of the time since the last look; @param heapBytes - taken from the system */
  look(busyShare: number, heapBytes: number): boolean {
    this.#quietLooks = busyShare > busyShareMax ? 0 : this.#quietLooks + 1;
    const grownMin = Math.max(grownBytesMin, grownShareMin * this.#collectedBytes);
    return this.#quietLooks >= quietLooksMin && heapBytes - this.#collectedBytes >= grownMin;
  }

  /** @param heapBytes - now */
  collected(heapBytes: number): void {
    this.#collectedBytes = heapBytes;
    this.#quietLooks = 0;
  }
}

/** Collects at once, and from then on when the calling thread is quiet. Returns the way to stop. */
export function collectWhenQuiet(env: Pick<Env, 'after'>): () => void {
  collectGarbage();
  const watch = new QuietWatch(heapBytes());
  let before = performance.eventLoopUtilization();
  let cancel = env.after(lookEveryMs, look);

  function look(): void {
    cancel = env.after(lookEveryMs, look);
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    if (!watch.look(utilization, heapBytes())) return;
    collectGarbage();
    watch.collected(heapBytes());
  }
  return () => cancel();
}

function heapBytes(): number {
  const { total_heap_size: heap, external_memory: outside } = getHeapStatistics();
  return heap + outside;
}
