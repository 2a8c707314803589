/**
 * A full collection of the calling thread's heap, now. Shared memory goes back to the system only when the heaps of all threads
 * have let go of it, and a heap that is small and quiet may not be collected for hours. A thread that has started calls it once,
 * too: until the first full collection V8 lets a heap grow to half a gigabyte, whatever is alive in it.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | null = null;

/** Takes some tens of milliseconds. */
export function collectGarbage(): void {
  if (collect === null) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
