/**
 * Watches what the process as a whole has in memory: heaps, buffers of LevelDB and bodies of requests are in no accountant's
 * book. Always: beyond the limit nothing is written that takes memory; at first callers are asked to wait, because
 * collection takes a while, then they are told that it is full.
 */
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';

export interface MemoryGuardOptions {
  readonly env: Env;
  /** null: it is not watched. */
  readonly limitBytes: number | null;
  readonly residentBytes: () => number;
  /** The limit is near or passed: what can be given back should be. */
  readonly onShort: () => void;
}

const lookEveryMs = 100;
const patienceMs = 15_000;
/** From here on what can be given back is. */
const nearShare = 1 / 8;
/** Kept free, so that what is under way ends below the limit. */
const spareShare = 1 / 32;

export class MemoryGuard {
  readonly #options: MemoryGuardOptions;
  #lookedMs = -Infinity;
  #resident = 0;
  #shortSinceMs: number | null = null;

  constructor(options: MemoryGuardOptions) {
    this.#options = options;
  }

  /** @param bytes - that a write brings. @throws ClusterError rate_limited, insufficient_storage */
  admit(bytes: number): void {
    const { env, limitBytes } = this.#options;
    if (limitBytes === null || bytes === 0) return;
    this.#look();
    if (this.#shortSinceMs === null) return;
    const message = `the process has ${this.#resident} bytes in memory, its budget is ${limitBytes}`;
    if (env.now() - this.#shortSinceMs < patienceMs)
      throw new ClusterError('rate_limited', `${message}: wait until memory was given back`, {
        retryAfterSeconds: 1,
      });
    throw new ClusterError(
      'insufficient_storage',
      `${message}; delete points or collections, send smaller requests, or raise storage.memory_budget`,
    );
  }

  #look(): void {
    const { env, limitBytes, residentBytes, onShort } = this.#options;
    const nowMs = env.now();
    if (nowMs - this.#lookedMs < lookEveryMs) return;
    this.#lookedMs = nowMs;
    this.#resident = residentBytes();
    if (this.#resident > limitBytes! * (1 - nearShare)) onShort();
    if (this.#resident <= limitBytes! * (1 - spareShare)) this.#shortSinceMs = null;
    else this.#shortSinceMs ??= nowMs;
  }
}
