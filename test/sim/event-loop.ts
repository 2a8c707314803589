/**
 * The simulated clock and its queue of events. Always: events run in the order of their time, and of their making within
 * one millisecond; everything random comes from the one seeded generator, so that a seed replays exactly.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 2_654_435_761) + 12_345) >>> 0;
  }

  /** Uniform in [0, 1) (mulberry32). */
  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  /** 0..n-1 */
  below(n: number): number {
    return Math.floor(this.unit() * n);
  }
  chance(probability: number): boolean {
    return this.unit() < probability;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

interface Event {
  readonly ms: number;
  readonly order: number;
  readonly run: () => void;
}

function isBefore(a: Event, b: Event): boolean {
  return a.ms < b.ms || (a.ms === b.ms && a.order < b.order);
}

export class EventLoop {
  nowMs = 0;
  count = 0;
  #order = 0;
  /** Binary heap, earliest first. */
  readonly #heap: Event[] = [];

  at(delayMs: number, run: () => void): void {
    const heap = this.#heap;
    this.#order += 1;
    heap.push({ ms: this.nowMs + delayMs, order: this.#order, run });
    let child = heap.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!isBefore(heap[child]!, heap[parent]!)) break;
      [heap[child], heap[parent]] = [heap[parent]!, heap[child]!];
      child = parent;
    }
  }

  /** @returns false when there is nothing left before `untilMs` */
  step(untilMs: number): boolean {
    const heap = this.#heap;
    const next = heap[0];
    if (next === undefined || next.ms > untilMs) return false;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      this.#sink();
    }
    this.nowMs = next.ms;
    this.count += 1;
    next.run();
    return true;
  }

  #sink(): void {
    const heap = this.#heap;
    let parent = 0;
    for (;;) {
      let least = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2])
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      if (least === parent) return;
      [heap[least], heap[parent]] = [heap[parent]!, heap[least]!];
      parent = least;
    }
  }
}
