/**
 * Keeps a replica's serving lease while its process lives, and after a stop asks for it again. Always: meta is asked, and by
 * a primary the others in sync too, so that it needs only one of them to be there; the first time with the first tick after
 * the stop, so that a process that was only busy has its lease again within a round trip; then one question of each kind at a
 * time, ten a second at most. One that was asked before the last stop holds up none.
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
  /** The last question of each kind. */
  readonly #asked: Record<Source, { readonly atMs: number; isUnderWay: boolean }> = {
    meta: { atMs: -Infinity, isUnderWay: false },
    others: { atMs: -Infinity, isUnderWay: false },
  };

  constructor(options: LeaseRenewalOptions) {
    this.#options = options;
    const { env, leaseMs } = options;
    this.#lease = new ServingLease(env.now(), env.wallNow(), leaseMs);
  }

  /** The process lives. Call it on each tick, before anything else of it. */
  tick(): void {
    const { env, isAlone, askMeta, askOthers } = this.#options;
    const nowMs = env.now();
    this.#lease.alive(nowMs, env.wallNow());
    if (this.#lease.wokeMs === null) return;
    if (isAlone()) {
      this.#lease.inSync(nowMs);
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
    const atMs = this.#options.env.now();
    const before = this.#asked[source];
    const isOfUse = before.atMs >= this.#lease.wokeMs!;
    if (isOfUse && (before.isUnderWay || atMs - before.atMs < askEveryMs)) return;
    const asked = ask();
    if (asked === null) return;
    const question = { atMs, isUnderWay: true };
    this.#asked[source] = question;
    asked
      .then(
        (answer) => take(atMs, answer),
        () => undefined,
      )
      .finally(() => {
        question.isUnderWay = false;
        this.note();
      });
  }
}
