/**
 * Keeps a replica's serving lease while its process lives, and after a stop asks for it again. Always: meta is asked, and by
 * a primary the others in sync too, so that it needs only one of them to be there; the first time with the first tick after
 * the stop, so that a process that was only busy has its lease again within a round trip; then one question of each kind at a
 * time, ten a second at most.
 */
import type { Env } from '@quiver/env';
import { defaultLimits, ServingLease, type Moment } from '@quiver/replication';

export interface LeaseRenewalOptions {
  readonly env: Env;
  readonly leaseMs: number;
  /** No other replica can be in sync: nobody can have gone on without this one. */
  readonly isAlone: () => boolean;
  /** Whether the metadata, read linearizably after the call, names this replica in sync; null: it is known not to. */
  readonly askMeta: () => Promise<boolean> | null;
  /** Resolves when the others in sync knew of no newer primary after the call; null: this one does not lead. */
  readonly askOthers: (timeoutMs: number) => Promise<unknown> | null;
  /** When the lease ends may be another time now. */
  readonly onChange: (end: Moment) => void;
}

const never: Moment = { nowMs: Infinity, wallMs: Infinity };

const askEveryMs = 100;
const askOthersMs = 500;
/** A primary of which the others knew no successor is in sync for so long: a successor waits for who has not joined it. */
const safeMs = defaultLimits.suspectMs;

type Source = 'meta' | 'others';

export class LeaseRenewal {
  readonly #options: LeaseRenewalOptions;
  readonly #lease: ServingLease;
  readonly #asking = new Set<Source>();
  readonly #askedMs: Record<Source, number> = { meta: -Infinity, others: -Infinity };

  constructor(options: LeaseRenewalOptions) {
    this.#options = options;
    this.#lease = new ServingLease(this.#moment(), options.leaseMs);
  }

  /** The process lives. Call it on each tick, before anything else of it. */
  tick(): void {
    const { isAlone, askMeta, askOthers } = this.#options;
    const moment = this.#moment();
    this.#lease.alive(moment);
    if (!this.#lease.mustConfirm) return;
    if (isAlone()) {
      this.#lease.inSync(moment.nowMs);
      return;
    }
    this.#ask('meta', askMeta, (askedMs, isInSync) => {
      if (isInSync === true) this.#lease.inSync(askedMs);
    });
    const others = (): Promise<unknown> | null => askOthers(askOthersMs);
    this.#ask('others', others, (askedMs) => this.#lease.safeUntil(askedMs, askedMs + safeMs));
  }

  /** The replica's memory or the in-sync set may be another. */
  note(): void {
    const { isAlone, onChange } = this.#options;
    onChange(isAlone() ? never : this.#lease.end);
  }

  #ask(
    source: Source,
    ask: () => Promise<unknown> | null,
    take: (askedMs: number, answer: unknown) => void,
  ): void {
    const askedMs = this.#options.env.now();
    if (this.#asking.has(source) || askedMs - this.#askedMs[source] < askEveryMs) return;
    const asked = ask();
    if (asked === null) return;
    this.#askedMs[source] = askedMs;
    this.#asking.add(source);
    asked
      .then(
        (answer) => take(askedMs, answer),
        () => undefined,
      )
      .finally(() => {
        this.#asking.delete(source);
        this.note();
      });
  }

  #moment(): Moment {
    const { env } = this.#options;
    return { nowMs: env.now(), wallMs: env.wallNow() };
  }
}
