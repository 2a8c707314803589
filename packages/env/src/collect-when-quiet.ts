/**
 * Collections of a thread's heap when it has little to do: V8 lets garbage of a burst lie for as long as nothing new comes, and a
 * process has several heaps. Always: never while the thread is busy, but for the first time, and only when there is much to win; a
 * collection that won nothing is not repeated until the heap has grown again.
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
/** A thread that stays busy is collected once all the same: until then V8 lets its heap grow to half a gigabyte. */
const firstLooksMax = 5;

/** When to collect. Pure. */
export class QuietWatch {
  /** After the last collection; null: there was none. */
  #collectedBytes: number | null = null;
  #looks = 0;
  #quietLooks = 0;

  /** @param busyShare - of the time since the last look; @param heapBytes - taken from the system */
  look(busyShare: number, heapBytes: number): boolean {
    this.#looks += 1;
    this.#quietLooks = busyShare > busyShareMax ? 0 : this.#quietLooks + 1;
    if (this.#collectedBytes === null)
      return this.#quietLooks >= quietLooksMin || this.#looks >= firstLooksMax;
    const grownMin = Math.max(grownBytesMin, grownShareMin * this.#collectedBytes);
    return this.#quietLooks >= quietLooksMin && heapBytes - this.#collectedBytes >= grownMin;
  }

  /** @param heapBytes - now */
  collected(heapBytes: number): void {
    this.#collectedBytes = heapBytes;
    this.#quietLooks = 0;
  }
}

/**
 * Collects when the calling thread is quiet: the first time in some seconds at the latest, not at once, when a start is waited for.
 * Returns the way to stop.
 */
export function collectWhenQuiet(env: Pick<Env, 'after'>): () => void {
  const watch = new QuietWatch();
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
