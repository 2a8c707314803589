/**
 * Long work as a generator: it yields at chunk borders (about every 0.5 ms of work), so that a thread's scheduler can
 * run it in slices between other requests. Always: nothing that a kernel left in scratch is used across a yield.
 */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Runs steps to their end without a break: for tests and for work known to be small. */
export function runSteps<T>(steps: Steps<T>): T {
  for (;;) {
    const next = steps.next();
    if (next.done === true) return next.value;
  }
}

/**
 * Runs work side by side, a step of each in turn: what reads the same memory in the same order finds it in the cache. The first error
 * ends all.
 */
export function* inLockstep<T>(all: readonly Steps<T>[]): Steps<T[]> {
  const results = new Array<T>(all.length);
  const open = new Map(all.entries());
  try {
    while (open.size > 0) {
      for (const [i, steps] of open) {
        const next = steps.next();
        if (next.done !== true) continue;
        results[i] = next.value;
        open.delete(i);
      }
      if (open.size > 0) yield;
    }
  } finally {
    for (const steps of open.values()) steps.return(undefined as T);
  }
  return results;
}
