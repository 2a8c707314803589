/**
 * Bytes that a node may send, or take in, for catch-ups and moves: a token bucket. Always: whoever waits is served in the
 * order of asking; a grant may go into debt by one part, which later ones pay, so parts larger than the bucket pass too.
 */
import type { Env } from '@quiver/env';

/** What may pass at once after a quiet time, as a share of a second's worth. */
const burstSeconds = 0.25;

export class Bandwidth {
  readonly #env: Env;
  readonly #bytesPerMs: number;
  readonly #burstBytes: number;
  #freeBytes: number;
  #countedMs: number;
  readonly #waiting: { readonly bytes: number; readonly go: () => void }[] = [];
  #cancelTimer: (() => void) | null = null;

  /** @param bytesPerSecond - 0: no limit */
  constructor(env: Env, bytesPerSecond: number) {
    this.#env = env;
    this.#bytesPerMs = bytesPerSecond / 1_000;
    this.#burstBytes = bytesPerSecond * burstSeconds;
    this.#freeBytes = this.#burstBytes;
    this.#countedMs = env.now();
  }

  /** Takes the bytes now, or not at all. */
  tryTake(bytes: number): boolean {
    if (this.#bytesPerMs === 0) return true;
    this.#refill();
    if (this.#waiting.length > 0 || this.#freeBytes <= 0) return false;
    this.#freeBytes -= bytes;
    return true;
  }

  /** Calls `go` when the bytes may pass: at once, or later. @returns leaves the queue; nothing is taken then */
  whenFree(bytes: number, go: () => void): () => void {
    if (this.tryTake(bytes)) {
      go();
      return () => undefined;
    }
    const own = { bytes, go };
    this.#waiting.push(own);
    this.#schedule();
    return () => {
      const at = this.#waiting.indexOf(own);
      if (at >= 0) this.#waiting.splice(at, 1);
    };
  }

  /** @param stop - ends the wait; nothing is taken then */
  take(bytes: number, stop?: AbortSignal): Promise<void> {
    if (stop?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      let leave = (): void => undefined;
      const end = (): void => {
        stop?.removeEventListener('abort', end);
        leave();
        resolve();
      };
      stop?.addEventListener('abort', end);
      leave = this.whenFree(bytes, end);
    });
  }

  /** Nobody is held back any more. */
  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    for (const { go } of this.#waiting.splice(0)) go();
  }

  #refill(): void {
    const nowMs = this.#env.now();
    this.#freeBytes = Math.min(
      this.#burstBytes,
      this.#freeBytes + (nowMs - this.#countedMs) * this.#bytesPerMs,
    );
    this.#countedMs = nowMs;
  }

  #schedule(): void {
    if (this.#cancelTimer !== null || this.#waiting.length === 0) return;
    const delayMs = Math.max(1, Math.ceil(-this.#freeBytes / this.#bytesPerMs));
    this.#cancelTimer = this.#env.after(delayMs, () => {
      this.#cancelTimer = null;
      this.#refill();
      while (this.#waiting.length > 0 && this.#freeBytes > 0) {
        const { bytes, go } = this.#waiting.shift()!;
        this.#freeBytes -= bytes;
        go();
      }
      this.#schedule();
    });
  }
}
