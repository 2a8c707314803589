/**
 * What a process has in memory beside its arenas, as it must be reckoned with: an arena counts from when it is handed out and is
 * resident only once it was written, so that at times the rest seems smaller than it is, and heaps grow and are collected by turns.
 * Always: at least what was last noted; less than was noted before only little by little.
 */
import type { Env } from '@quiver/env';

/** In so many milliseconds half of what was too much is forgotten. */
const halfLifeMs = 60_000;

export class OtherMemory {
  readonly #env: Pick<Env, 'now'>;
  #bytes: number;
  #noted = 0;
  #notedMs: number;

  /** @param bytes - what it will be under load: the first rise must not be a surprise */
  constructor(env: Pick<Env, 'now'>, bytes: number) {
    this.#env = env;
    this.#bytes = bytes;
    this.#notedMs = env.now();
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** More than was noted last: it is forgotten with time. */
  get excess(): number {
    return this.#bytes - this.#noted;
  }

  note(bytes: number): void {
    this.#noted = bytes;
    const nowMs = this.#env.now();
    const share = 2 ** ((this.#notedMs - nowMs) / halfLifeMs);
    this.#notedMs = nowMs;
    this.#bytes = Math.max(bytes, bytes + (this.#bytes - bytes) * share);
  }
}
