/**
 * A primary whose disk is full gives its role to a replica in sync whose disk is not, when a write would be refused.
 * Always: one search at a time, which all writes that come meanwhile wait for; after one that came to nothing writes are
 * refused at once for a while; nobody is given the role who has just room enough, so that it does not come back with the
 * next write, but only after that much of a disk was filled.
 */
import type { Env } from '@quiver/env';
import type { Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import { hasRoom } from './disk-room.ts';
import type { RoomMessage } from './room-message.ts';

export interface RoomSearchOptions {
  readonly number: number;
  readonly store: Pick<Store, 'assertRoom'>;
  readonly env: Env;
  readonly log: Log;
  /** In-sync replicas but this one. */
  readonly others: () => readonly number[];
  readonly send: (to: number, message: RoomMessage) => void;
  /** @returns whether it leads now */
  readonly handOver: (to: number, timeoutMs: number) => Promise<boolean>;
}

const answerWithinMs = 500;
/** Writes wait for it. */
const handOverMs = 2_000;
const pauseMs = 5_000;
/** Of the disk, that a new primary must have free beyond the limit. */
const spareFraction = 0.02;

export class RoomSearch {
  readonly #options: RoomSearchOptions;
  readonly #waiting = new Map<number, (from: number | null) => void>();
  #asks = 0;
  #search: Promise<boolean> | null = null;
  #notBeforeMs = -Infinity;

  constructor(options: RoomSearchOptions) {
    this.#options = options;
  }

  /** Nobody waits for an answer any more. */
  close(): void {
    for (const end of [...this.#waiting.values()]) end(null);
  }

  receive(from: number, message: RoomMessage): void {
    const { ask } = message;
    if (message.kind === 'room_wanted')
      this.#options.send(from, {
        kind: 'room_told',
        ask,
        hasRoom: hasRoom(this.#options.store, spareFraction),
      });
    else if (message.hasRoom) this.#waiting.get(ask)?.(from);
  }

  /** REQUIRES: this replica leads. @returns whether another one took its place because this disk is full */
  movedAway(): Promise<boolean> {
    const { env, others } = this.#options;
    if (hasRoom(this.#options.store, 0) || others().length === 0) return Promise.resolve(false);
    if (this.#search === null && env.now() < this.#notBeforeMs) return Promise.resolve(false);
    this.#search ??= this.#moveAway().finally(() => {
      this.#search = null;
    });
    return this.#search;
  }

  /** @returns the first of these replicas that says that it has room; null: none does in time */
  ask(replicas: readonly number[]): Promise<number | null> {
    const { env, send } = this.#options;
    this.#asks += 1;
    const ask = this.#asks;
    return new Promise((resolve) => {
      const end = (from: number | null): void => {
        cancel();
        this.#waiting.delete(ask);
        resolve(from);
      };
      const cancel = env.after(answerWithinMs, () => end(null));
      this.#waiting.set(ask, end);
      for (const replica of replicas) send(replica, { kind: 'room_wanted', ask });
    });
  }

  async #moveAway(): Promise<boolean> {
    const { number, env, log, others, handOver } = this.#options;
    const to = await this.ask(others());
    const isDone = to !== null && (await handOver(to, handOverMs));
    if (isDone) log.warn('the disk is full: another replica leads now', { replica: number, to });
    else this.#notBeforeMs = env.now() + pauseMs;
    return isDone;
  }
}
