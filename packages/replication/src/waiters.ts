/**
 * Calls that wait for their operation. Always: in the order of their seq, each answered once; a call is answered when
 * the common seq of its kind has come to it, and refused as indeterminate when its time is over.
 */
import type { ReplicaCore } from './core.ts';

export interface Waiter {
  readonly call: number;
  readonly seq: number;
  readonly receipt: string;
  readonly isRepeated: boolean;
  readonly deadlineMs: number;
}

export class Waiters<Change, Key> {
  readonly #core: ReplicaCore<Change, Key>;
  #queue: Waiter[] = [];
  #earliestMs = Infinity;

  constructor(core: ReplicaCore<Change, Key>) {
    this.#core = core;
  }

  get count(): number {
    return this.#queue.length;
  }

  add(waiter: Waiter): void {
    let at = this.#queue.length;
    // A repetition waits for an operation that may be older than the last ones.
    while (at > 0 && this.#queue[at - 1]!.seq > waiter.seq) at -= 1;
    if (at === this.#queue.length) this.#queue.push(waiter);
    else this.#queue.splice(at, 0, waiter);
    this.#earliestMs = Math.min(this.#earliestMs, waiter.deadlineMs);
  }

  answerTo(commonSeq: number): void {
    let count = 0;
    while (count < this.#queue.length && this.#queue[count]!.seq <= commonSeq) count += 1;
    if (count === 0) return;
    for (const { call, seq, receipt, isRepeated } of this.#queue.splice(0, count))
      this.#core.emit({ kind: 'reply', call, seq, receipt, isRepeated });
  }

  tick(): void {
    const { nowMs } = this.#core;
    if (nowMs < this.#earliestMs) return;
    const left: Waiter[] = [];
    this.#earliestMs = Infinity;
    for (const waiter of this.#queue) {
      if (waiter.deadlineMs > nowMs) {
        left.push(waiter);
        this.#earliestMs = Math.min(this.#earliestMs, waiter.deadlineMs);
      } else this.#refuse(waiter, 'deadline_exceeded');
    }
    this.#queue = left;
  }

  refuseAll(): void {
    for (const waiter of this.#queue) this.#refuse(waiter, 'stale_route');
    this.#queue = [];
  }

  #refuse({ call, seq }: Waiter, reason: 'deadline_exceeded' | 'stale_route'): void {
    const { committedSeq } = this.#core;
    this.#core.refuse(call, reason, true, `operation ${seq} is not known to be in sync (${committedSeq} is)`);
  }
}
