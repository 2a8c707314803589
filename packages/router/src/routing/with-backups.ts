/**
 * One answer out of a first call and further ones that are started while it is silent.
 * Always: the first success wins; it fails only when all that were started have failed, with the first call's error.
 */
import type { Env } from '@quiver/env';

export interface Backup<T> {
  /** Since the call before it was started. */
  readonly delayMs: number;
  /** null: there is nobody else to ask after all. */
  readonly start: () => Promise<T> | null;
}

export function withBackups<T>(env: Env, first: Promise<T>, backups: readonly Backup<T>[]): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let cancel: () => void = () => undefined;
  let running = 1;
  let firstFailure: { readonly error: unknown } | null = null;

  function settle(call: Promise<T>, isFirst: boolean): void {
    call.then(
      (answer) => {
        cancel();
        resolve(answer);
      },
      (error: unknown) => {
        running -= 1;
        if (isFirst || firstFailure === null) firstFailure = { error };
        // A failed first call is the caller's to repeat; further backups would only hide why.
        if (isFirst) cancel();
        if (running === 0) reject(firstFailure.error);
      },
    );
  }

  function arm(index: number): void {
    const backup = backups[index];
    if (backup === undefined) return;
    cancel = env.after(backup.delayMs, () => {
      const call = backup.start();
      arm(index + 1);
      if (call === null) return;
      running += 1;
      settle(call, false);
    });
  }

  arm(0);
  settle(first, true);
  return promise;
}
