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
