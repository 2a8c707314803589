/** How long a call may take: what the client asked for in its message, its gRPC deadline, and the server's own limit. */

export interface TimeLimits {
  /** `env.now()` */
  readonly nowMs: number;
  /** `env.wallNow()` */
  readonly wallNowMs: number;
  /** The call's deadline in milliseconds since the epoch; null = none. */
  readonly callDeadlineWallMs: number | null;
  /** `timeout` of the message; null = none given. */
  readonly timeoutSeconds: number | bigint | null;
  readonly defaultTimeoutMs: number;
}

/** The earliest of all limits, on the clock of `nowMs`. A timeout of 0 in the message means none, as in Qdrant. */
export function callDeadlineMs(limits: TimeLimits): number {
  const asked = Number(limits.timeoutSeconds ?? 0) * 1_000;
  const own = limits.nowMs + (asked > 0 ? asked : limits.defaultTimeoutMs);
  if (limits.callDeadlineWallMs === null) return own;
  return Math.min(own, limits.nowMs + (limits.callDeadlineWallMs - limits.wallNowMs));
}
