/**
 * Whether a replica may answer level-1 reads: its process may have been stopped (SIGSTOP, a machine that slept, an event loop
 * that was blocked), and meanwhile others may have put it out of the in-sync set and gone on. Pure. Always: the lease lasts
 * for a bounded time after each sign of life of its own process, by both of its clocks; who was stopped for longer has none
 * until it is confirmed, by a question asked after it woke, that it is in sync still. The in-sync set goes on without a
 * silent member only after its lease has ended: `servingLeaseMs` and the time between two signs of life to the primary are
 * less than `silentMs`, and far less than the time after which meta lets another lead.
 * (cluster.md §3.6; a lease as in Gray and Cheriton, 1989.)
 */
export const servingLeaseMs = 1_000;

/** One moment by two clocks: a monotonic one may stand still while the machine sleeps, the wall clock may be set. */
export interface Moment {
  readonly nowMs: number;
  readonly wallMs: number;
}

export class ServingLease {
  readonly #leaseMs: number;
  /** The last sign of life. */
  #seenMs: number;
  #seenWallMs: number;
  /** When it woke after a stop, monotonic; null: it has the lease. */
  #wokeMs: number | null = null;
  /** After a stop: nobody can have gone on without it before this time. */
  #safeUntilMs = -Infinity;

  constructor(nowMs: number, wallMs: number, leaseMs = servingLeaseMs) {
    this.#seenMs = nowMs;
    this.#seenWallMs = wallMs;
    this.#leaseMs = leaseMs;
  }

  /** The process lives. Call several times within the lease, and before anything else that time has brought. */
  alive(nowMs: number, wallMs: number): void {
    if (Math.max(nowMs - this.#seenMs, wallMs - this.#seenWallMs) >= this.#leaseMs) {
      this.#wokeMs = nowMs;
      this.#safeUntilMs = -Infinity;
    }
    this.#seenMs = nowMs;
    this.#seenWallMs = wallMs;
  }

  /** It was in sync at some time after `askedMs`. */
  inSync(askedMs: number): void {
    if (this.#wokeMs !== null && askedMs >= this.#wokeMs) this.#wokeMs = null;
  }

  /** As of some time after `askedMs`, nobody goes on without it before `untilMs`. */
  safeUntil(askedMs: number, untilMs: number): void {
    if (this.#wokeMs !== null && askedMs >= this.#wokeMs)
      this.#safeUntilMs = Math.max(this.#safeUntilMs, untilMs);
  }

  /** Since when it waits to be confirmed: a question of before is of no use. null: it has the lease. */
  get wokeMs(): number | null {
    return this.#wokeMs;
  }

  /** Reads may be answered while neither clock has reached this. */
  get end(): Moment {
    const safeMs = this.#wokeMs === null ? Infinity : this.#safeUntilMs - this.#seenMs;
    const lastsMs = Math.min(this.#leaseMs, safeMs);
    return { nowMs: this.#seenMs + lastsMs, wallMs: this.#seenWallMs + lastsMs };
  }
}
