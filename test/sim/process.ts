/**
 * A simulated process: its clock (off by an offset, fast or slow), its timers and its inbox. Always: what an earlier life
 * had under way is gone with it; while the process is stopped nothing of it runs and its clock goes on; when it goes on,
 * timers that are due come first, then what has arrived, then what waits for a free moment, as in the real event loop.
 */
import type { Env } from '@quiver/env';
import type { EventLoop, Random } from './event-loop.ts';

export interface Clock {
  /** Local milliseconds at simulated time 0. */
  readonly offsetMs: number;
  /** Local milliseconds in a simulated one. */
  readonly rate: number;
}

export class SimProcess {
  readonly name: string;
  isUp = false;
  isPaused = false;
  /** Rises with each start. */
  life = 0;
  readonly #loop: EventLoop;
  readonly #random: Random;
  readonly #clock: Clock;
  /** Called whenever code of the process runs that may wait for promises. */
  readonly #onRun: () => void;
  #timers: (() => void)[] = [];
  #inbox: (() => void)[] = [];
  #soon: (() => void)[] = [];
  #isSoonDue = false;
  readonly #onEnd: (() => void)[] = [];

  constructor(
    name: string,
    world: { readonly loop: EventLoop; readonly random: Random; readonly onRun: () => void },
    clock: Clock,
  ) {
    this.name = name;
    this.#loop = world.loop;
    this.#random = world.random;
    this.#onRun = world.onRun;
    this.#clock = clock;
  }

  get nowMs(): number {
    return this.#clock.offsetMs + this.#loop.nowMs * this.#clock.rate;
  }

  /** @returns the environment of the life that begins */
  start(): Env {
    this.isUp = true;
    this.isPaused = false;
    this.life += 1;
    const random = this.#random;
    const digits = (count: number): string =>
      Array.from({ length: count }, () => random.below(16).toString(16)).join('');
    return {
      now: () => this.nowMs,
      wallNow: () => Math.floor(1_780_000_000_000 + this.nowMs),
      after: (delayMs, task) => this.#after(delayMs, task),
      soon: (task) => this.#whenFree(task),
      random: () => random.unit(),
      uuid: () => `${digits(8)}-${digits(4)}-4${digits(3)}-8${digits(3)}-${digits(12)}`,
    };
  }

  /** Told by the system, not by the process: its connections are reset. */
  onEnd(notify: () => void): void {
    this.#onEnd.push(notify);
  }

  stop(): void {
    this.isUp = false;
    this.isPaused = false;
    this.#timers = [];
    this.#inbox = [];
    this.#soon = [];
    for (const notify of this.#onEnd.splice(0)) notify();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    for (const queue of [this.#timers.splice(0), this.#inbox.splice(0), this.#soon.splice(0)])
      for (const run of queue) this.#run(run);
  }

  /** What arrives: a message, the end of a write. Lost when the process is down. */
  deliver(run: () => void): void {
    if (!this.isUp) return;
    if (this.isPaused) this.#inbox.push(run);
    else this.#run(run);
  }

  #after(delayMs: number, task: () => void): () => void {
    const { life } = this;
    let isCancelled = false;
    const run = (): void => {
      if (!isCancelled) task();
    };
    this.#loop.at(Math.max(0, delayMs) / this.#clock.rate, () => {
      if (!this.isUp || this.life !== life || isCancelled) return;
      if (this.isPaused) this.#timers.push(run);
      else this.#run(run);
    });
    return () => {
      isCancelled = true;
    };
  }

  #whenFree(task: () => void): void {
    const { life } = this;
    this.#soon.push(task);
    if (this.#isSoonDue) return;
    this.#isSoonDue = true;
    this.#loop.at(0, () => {
      this.#isSoonDue = false;
      if (!this.isUp || this.isPaused || this.life !== life) return;
      for (const run of this.#soon.splice(0)) this.#run(run);
    });
  }

  #run(run: () => void): void {
    if (!this.isUp) return;
    this.#onRun();
    run();
  }
}
