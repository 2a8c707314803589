/**
 * The node's own writes to one of its shards: points of slots that come, and of slots that went. Always: one at a time, in
 * the order they were given; each is on every in-sync replica, and searchable, when it is done; each carries the
 * configuration it was made under.
 */
import type { Env } from '@quiver/env';
import { ClusterError, slotOf } from '@quiver/model';
import type { OrderedChange } from './change.ts';
import type { ReplicaCalls } from './replica-calls.ts';
import type { ReplicaHost } from './replica-host.ts';
import type { ReplicaPages } from './replica-pages.ts';
import type { SearchState } from './search-state.ts';
import { slotMark } from './slot-mark.ts';

export interface SlotOrdersOptions {
  readonly env: Env;
  readonly pages: ReplicaPages;
  readonly search: SearchState;
  readonly calls: ReplicaCalls;
  readonly vectorNames: readonly string[];
}

/** The primary, in one of its terms, as of one configuration. */
export interface PrimaryNow {
  readonly host: ReplicaHost;
  readonly cfgVersion: number;
}

const orderMs = 10_000;
/** A write that is refused for now is tried again so often. */
const triesMax = 20;
const pauseMs = 100;
const deletionsPerWrite = 256;

export class SlotOrders {
  readonly #options: SlotOrdersOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: SlotOrdersOptions) {
    this.#options = options;
  }

  /** @param primary - null: it does not lead any more, or the write is not wanted any more */
  write(changes: readonly OrderedChange[], primary: () => PrimaryNow | null): Promise<void> {
    return this.#after(() => this.#order(() => changes, primary));
  }

  /** Deletes the points of slots that are rubbish, as asked right before each write. */
  delete(isRubbish: (slot: number) => boolean, primary: () => PrimaryNow | null): Promise<void> {
    const { pages, env, vectorNames: removed } = this.#options;
    return this.#after(async () => {
      // Whatever was ordered before is in what is read after it.
      await this.#order(() => [], primary);
      for (let afterSeq = 0, isEnd = false; !isEnd;) {
        const found = await pages.listSlots({ afterSeq, limit: deletionsPerWrite, has: isRubbish });
        [afterSeq, isEnd] = [found.upToSeq, found.isEnd];
        if (found.ids.length === 0) continue;
        const deletions = (): OrderedChange[] =>
          found.ids.filter((id) => isRubbish(slotOf(id))).map((id) => ({ kind: 'delete', id, removed }));
        await this.#order(deletions, primary);
        await pause(env, 0);
      }
    });
  }

  #after<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work);
    this.#last = next.catch(() => undefined);
    return next;
  }

  async #order(make: () => readonly OrderedChange[], primary: () => PrimaryNow | null): Promise<void> {
    const { env, search, calls } = this.#options;
    for (let tries = 1; ; tries += 1) {
      const now = primary();
      const { replica } = search;
      if (now === null || replica === null) throw new ClusterError('stale_route', 'it is not the primary');
      const changes = make();
      try {
        replica.assertRoom(replica.bytesOf(changes), now.host.status.admittedBytes);
        await calls.begin((call) =>
          now.host.step({
            kind: 'propose',
            call,
            operationKey: null,
            changes,
            receipt: slotMark(now.cfgVersion),
            waitFor: 'applied',
            wallMs: Math.floor(env.wallNow()),
            deadlineMs: env.now() + orderMs,
          }),
        );
        return;
      } catch (error) {
        const mayPass =
          error instanceof ClusterError &&
          (error.code === 'rate_limited' || error.code === 'not_enough_replicas');
        if (!mayPass || tries >= triesMax) throw error;
      }
      await pause(env, pauseMs);
    }
  }
}

function pause(env: Env, delayMs: number): Promise<void> {
  return new Promise((resolve) => env.after(delayMs, resolve));
}
