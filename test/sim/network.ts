/** Links between simulated processes: loss, duplication, reordering, delay tails, one-way cuts, resets. */
import type { EventLoop, Random } from './event-loop.ts';

export interface NetworkOptions {
  readonly loss: number;
  readonly duplication: number;
  /** Share of messages with a long delay. */
  readonly tail: number;
}

export class Network {
  isCalm = false;
  readonly #cuts = new Set<string>();
  /** When the last message of each connection arrives. */
  readonly #streamedMs = new Map<string, number>();
  readonly #loop: EventLoop;
  readonly #random: Random;
  readonly #options: NetworkOptions;

  constructor(loop: EventLoop, random: Random, options: NetworkOptions) {
    this.#loop = loop;
    this.#random = random;
    this.#options = options;
  }

  /** @returns false when the sender can tell that the link is down (a refused connection); true tells nothing */
  send(from: string, to: string, deliver: () => void): boolean {
    const { loss, duplication, tail } = this.#options;
    const random = this.#random;
    if (!this.isCalm) {
      if (this.#cuts.has(`${from}>${to}`)) return random.chance(0.5);
      if (random.chance(loss)) return true;
    }
    const delayMs = 1 + random.below(!this.isCalm && random.chance(tail) ? 200 : 8);
    this.#loop.at(delayMs, deliver);
    if (!this.isCalm && random.chance(duplication)) this.#loop.at(delayMs + random.below(150), deliver);
    return true;
  }

  /** A message of a connection: in order, and never lost alone. A cut shows as a broken connection. */
  stream(from: string, to: string, on: { deliver: () => void; onBroken: () => void }): void {
    const link = `${from}>${to}`;
    const { nowMs } = this.#loop;
    if (this.#cuts.has(link)) {
      this.#loop.at(20 + this.#random.below(100), on.onBroken);
      return;
    }
    const atMs = Math.max(this.#streamedMs.get(link) ?? 0, nowMs + 1 + this.#random.below(8));
    this.#streamedMs.set(link, atMs);
    this.#loop.at(atMs - nowMs, on.deliver);
  }

  cut(from: string, to: string, forMs: number): void {
    const link = `${from}>${to}`;
    this.#cuts.add(link);
    this.#loop.at(forMs, () => this.#cuts.delete(link));
  }

  heal(): void {
    this.isCalm = true;
    this.#cuts.clear();
  }
}
