/** Repeating what failed only because nobody led, or the leader could not be reached. */
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';

const retryMsMin = 20;
const retryMsMax = 500;

/** `attempt` again, jittered, until it succeeds, is refused for good, or the deadline has passed. */
export async function retryUnavailable<T>(
  env: Env,
  deadlineMs: number,
  attempt: (attemptDeadlineMs: number) => Promise<T>,
): Promise<T> {
  for (let delayMs = retryMsMin; ; delayMs = Math.min(retryMsMax, delayMs * 2)) {
    try {
      return await attempt(Math.min(deadlineMs, env.now() + 5_000));
    } catch (error) {
      const waitMs = delayMs * (0.5 + env.random());
      if (!isTransient(error) || env.now() + waitMs >= deadlineMs) throw error;
      await sleep(env, waitMs);
    }
  }
}

function isTransient(error: unknown): boolean {
  return (
    error instanceof ClusterError && (error.code === 'unavailable' || error.code === 'deadline_exceeded')
  );
}

export function sleep(env: Env, durationMs: number): Promise<void> {
  return new Promise((resolve) => env.after(durationMs, resolve));
}

/** `work`, or deadline_exceeded with `text`. */
export async function within<T>(env: Env, work: Promise<T>, deadlineMs: number, text: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const cancel = env.after(Math.max(0, deadlineMs - env.now()), () =>
    late.reject(new ClusterError('deadline_exceeded', text)),
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    cancel();
  }
}
