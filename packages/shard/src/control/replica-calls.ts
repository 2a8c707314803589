/**
 * Who waits for an answer of the replication machine. Always: every call is answered once; the machine itself ends calls
 * at their deadline, so nothing waits for ever; when the machine stops, all are told.
 */
import type { Env } from '@quiver/env';
import type { Effect, RefuseEffect } from '@quiver/replication';
import { ClusterError, type PointId } from '@quiver/model';
import type { OrderedChange } from './change.ts';

type AnswerEffect = Extract<
  Effect<OrderedChange, PointId>,
  { kind: 'reply' | 'refuse' | 'read_confirmed' | 'hand_over_ended' | 'fence_drained' }
>;

export interface Reply {
  readonly seq: number;
  readonly receipt: string;
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: ClusterError) => void;
}

/** Writes that may wait for the end of a hand-over, and how long. */
const waitingMax = 1_024;
const handOverMs = 2_000;

export class ReplicaCalls {
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;
  #handOver: ((isDone: boolean) => void) | null = null;
  readonly #waitingForHandOver = new Set<() => void>();
  readonly #fences = new Map<number, (seq: number) => void>();

  get pendingCount(): number {
    return this.#waiting.size;
  }
  /** Fences that are not drained. */
  get fenceCount(): number {
    return this.#fences.size;
  }

  /** @param start - gives the call to the machine */
  begin(start: (call: number) => void): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#count += 1;
      this.#waiting.set(this.#count, { resolve, reject });
      start(this.#count);
    });
  }

  handOver(start: () => void): Promise<boolean> {
    if (this.#handOver !== null) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#handOver = resolve;
      start();
    });
  }

  /**
   * Resolves when the hand-over under way has ended, one way or the other, or after two seconds.
   * @throws ClusterError stale_route: too many wait already
   */
  whenHandedOver(env: Env): Promise<void> {
    if (this.#waitingForHandOver.size >= waitingMax)
      return Promise.reject(
        new ClusterError('stale_route', `${waitingMax} writes wait for another primary already`),
      );
    return new Promise((resolve) => {
      const go = (): void => {
        cancel();
        this.#waitingForHandOver.delete(go);
        resolve();
      };
      const cancel = env.after(handOverMs, go);
      this.#waitingForHandOver.add(go);
    });
  }

  /** Resolves when the fence is drained; never, when it is lowered before. */
  fence(start: (fence: number) => void): Promise<{ fence: number; seq: number }> {
    return new Promise((resolve) => {
      this.#count += 1;
      const fence = this.#count;
      this.#fences.set(fence, (seq) => resolve({ fence, seq }));
      start(fence);
    });
  }

  lowered(fence: number): void {
    this.#fences.delete(fence);
  }

  answer(effect: AnswerEffect): void {
    switch (effect.kind) {
      case 'reply':
        this.#take(effect.call)?.resolve(effect);
        break;
      case 'read_confirmed':
        this.#take(effect.call)?.resolve({ seq: 0, receipt: '' });
        break;
      case 'refuse':
        this.#take(effect.call)?.reject(refusal(effect));
        break;
      case 'hand_over_ended':
        this.#endHandOver(effect.isDone);
        break;
      case 'fence_drained':
        this.#fences.get(effect.fence)?.(effect.seq);
        this.#fences.delete(effect.fence);
    }
  }

  /** The machine stopped. */
  failAll(error: ClusterError): void {
    for (const call of [...this.#waiting.keys()]) this.#take(call)?.reject(error);
    this.#endHandOver(false);
    this.#fences.clear();
  }

  #endHandOver(isDone: boolean): void {
    this.#handOver?.(isDone);
    this.#handOver = null;
    for (const go of [...this.#waitingForHandOver]) go();
  }

  #take(call: number): Waiting | undefined {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    return waiting;
  }
}

function refusal({ reason, isIndeterminate, detail }: RefuseEffect): ClusterError {
  const text = isIndeterminate ? `${detail}; the change may still be applied` : detail;
  switch (reason) {
    case 'stale_route':
    case 'handing_over':
    case 'fenced':
      return new ClusterError('stale_route', text);
    case 'elsewhere':
      return new ClusterError('slot_moved', text);
    case 'not_enough_replicas':
      return new ClusterError('not_enough_replicas', text);
    case 'resource_exhausted':
      return new ClusterError('rate_limited', text, { retryAfterSeconds: 1 });
    // Whether it was done is not known and will not be: what a client may conclude from a timeout.
    case 'torn':
    case 'deadline_exceeded':
      return new ClusterError('deadline_exceeded', text);
  }
}
