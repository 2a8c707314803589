/**
 * Everything nondeterministic, as one injected interface: clock, timers, randomness. Threads, network and disk join it
 * where a role needs them simulated. Pure packages never see it.
 */
export interface Env {
  /** Monotonic milliseconds, with a fraction; the same in all threads of the process. */
  now(): number;
  /** Milliseconds since the Unix epoch. */
  wallNow(): number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. Never keeps the process alive. */
  after(delayMs: number, task: () => void): () => void;
  /** Runs `task` when the event loop is next free of I/O that is ready. */
  soon(task: () => void): void;
  /** Uniform in [0, 1). */
  random(): number;
  /** A random UUID (v4), lower case. */
  uuid(): string;
}
