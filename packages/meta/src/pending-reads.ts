/**
 * Linearizable reads that wait: for a leader to confirm them, and for the state to be applied that far. Always: each has a
 * number of its own, which does not repeat those of an earlier start, so that an answer that comes late confirms nothing
 * else; a question that may be lost is asked again.
 */
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';

const retryTicks = 10;

interface PendingRead {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  readonly deadlineMs: number;
  askedTick: number;
  /** null until the leader confirmed. */
  index: number | null;
}

export class PendingReads {
  readonly #env: Env;
  /** Asks raft for a read index under this context. */
  readonly #ask: (context: Uint8Array) => void;
  readonly #reads = new Map<number, PendingRead>();
  /** 48 bits. */
  #last: number;
  #ticks = 0;

  constructor(env: Env, ask: (context: Uint8Array) => void) {
    this.#env = env;
    this.#ask = ask;
    this.#last = Math.floor(env.random() * 2 ** 47);
  }

  begin(deadlineMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#last += 1;
      this.#reads.set(this.#last, { resolve, reject, deadlineMs, askedTick: this.#ticks, index: null });
      this.#askFor(this.#last);
    });
  }

  confirm(context: Uint8Array, index: number): void {
    const read = this.#reads.get(Buffer.from(context).readUIntBE(0, 6));
    if (read !== undefined && read.index === null) read.index = index;
  }

  applied(index: number): void {
    for (const [id, read] of this.#reads)
      if (read.index !== null && read.index <= index) {
        this.#reads.delete(id);
        read.resolve();
      }
  }

  tick(): void {
    this.#ticks += 1;
  }

  /** After ticks: gives up what is late, asks again what may be lost. */
  askAgain(): void {
    for (const [id, read] of this.#reads) {
      if (this.#env.now() >= read.deadlineMs) {
        this.#reads.delete(id);
        read.reject(
          new ClusterError('deadline_exceeded', 'no leader of the metadata confirmed the read in time'),
        );
      } else if (read.index === null && this.#ticks - read.askedTick >= retryTicks) {
        read.askedTick = this.#ticks;
        this.#askFor(id);
      }
    }
  }

  rejectAll(error: ClusterError): void {
    for (const read of this.#reads.values()) read.reject(error);
    this.#reads.clear();
  }

  #askFor(id: number): void {
    const context = Buffer.alloc(6);
    context.writeUIntBE(id, 0, 6);
    this.#ask(context);
  }
}
