/** A pause on the injected clock that can be ended early. */
import type { Env } from '@quiver/env';

export function sleep(env: Env, delayMs: number): { readonly promise: Promise<void>; cancel(): void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const stop = env.after(delayMs, () => resolve(undefined));
  return {
    promise,
    cancel() {
      stop();
      resolve(undefined);
    },
  };
}
