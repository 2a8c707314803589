/**
 * Collections of a thread's heap when it has little to do: V8 lets garbage of a burst lie for as long as nothing new comes, and a
 * process has several heaps. Always: never while the thread is busy, but for the first time, only when there is much to win, and in
 * at most a three-hundredth of its time unless there was a burst; a collection that won nothing is not repeated until the heap has
 * grown again. One that leaves much room between the objects is followed by another: V8 empties pages by what the last collection
 * found on them, so the first frees objects and the second pages.
 */
import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { collectGarbage, emptyPages } from './collect-garbage.ts';
import type { Env } from './env.ts';

const lookEveryMs = 1_000;
/** In a row. */
const quietLooksMin = 2;
/** Of the thread's time, its waits for a core among it. */
const busyShareMax = 0.5;
const muchBytes = 16 << 20;
const muchShare = 0.25;
/** In a row, and of the thread's time, before pages are emptied: that takes two to three times as long as the collection before it. */
const restingLooksMin = 6;
const restingShareMax = 0.25;
/** Of what the last collection took, and one that emptied pages with the one before it. */
const restPerCost = 300;
/** The heap has grown by so much more than the least that it was a burst, not what a quiet thread does by itself. */
const burst = 2;
/** A thread that stays busy is collected once all the same: until then V8 lets its heap grow to half a gigabyte. */
const firstLooksMax = 5;

/** What is to be freed: objects that are not alive, or pages that are nearly empty as well. */
export type Due = 'objects' | 'pages' | null;

/** When to collect. Pure. */
export class QuietWatch {
  /** After the last collection; null: there was none. */
  #collectedBytes: number | null = null;
  /** The last collection left much between the objects, and did not empty pages. */
  #hasRoom = false;
  /** Since the last collection. */
  #looks = 0;
  #quietLooks = 0;
  #restingLooks = 0;
  /** After the last collection, at least. */
  #restLooks = 0;

  /**
   * @param busyShare - of the time since the last look
   * @param heapBytes - taken from the system
   */
  look(busyShare: number, heapBytes: number): Due {
    this.#looks += 1;
    this.#quietLooks = busyShare > busyShareMax ? 0 : this.#quietLooks + 1;
    this.#restingLooks = busyShare > restingShareMax ? 0 : this.#restingLooks + 1;
    const isQuiet = this.#quietLooks >= quietLooksMin;
    if (this.#collectedBytes === null) return isQuiet || this.#looks >= firstLooksMax ? 'objects' : null;
    if (this.#hasRoom && this.#restingLooks >= restingLooksMin) return 'pages';
    const grown = heapBytes - this.#collectedBytes;
    const isRested = this.#looks >= this.#restLooks || isMuch(grown / burst, this.#collectedBytes);
    return isQuiet && isRested && isMuch(grown, this.#collectedBytes) ? 'objects' : null;
  }

  /**
   * @param what - was due
   * @param heapBytes - taken from the system now
   * @param usedBytes - of those, by objects that are alive and what they hold outside of the heap
   * @param costMs - for which the thread stood
   */
  collected(what: NonNullable<Due>, heapBytes: number, usedBytes: number, costMs: number): void {
    this.#hasRoom = what === 'objects' && isMuch(heapBytes - usedBytes, usedBytes);
    this.#restLooks = (what === 'pages' ? this.#restLooks : 0) + (restPerCost * costMs) / lookEveryMs;
    this.#collectedBytes = heapBytes;
    this.#looks = 0;
    this.#quietLooks = 0;
    this.#restingLooks = 0;
  }
}

function isMuch(bytes: number, of: number): boolean {
  return bytes >= Math.max(muchBytes, muchShare * of);
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
    const due = watch.look(utilization, heap().bytes);
    if (due === null) return;
    const startedMs = performance.now();
    if (due === 'pages') emptyPages();
    else collectGarbage();
    const { bytes, usedBytes } = heap();
    watch.collected(due, bytes, usedBytes, performance.now() - startedMs);
  }
  return () => cancel();
}

function heap(): { bytes: number; usedBytes: number } {
  const { total_heap_size: taken, used_heap_size: used, external_memory: outside } = getHeapStatistics();
  return { bytes: taken + outside, usedBytes: used + outside };
}
