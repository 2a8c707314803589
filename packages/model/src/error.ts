/**
 * Every failure a caller can meet, as a closed list of codes.
 * The message never carries the HTTP prefix ("Wrong input: "): the one status table in `rpc` adds it.
 */
export const errorCodes = [
  /** The request is understood and wrong: bad dimension, unknown vector name. HTTP 400 "Wrong input: ". */
  'invalid_argument',
  /** The request may not be served as asked. HTTP 400 "Bad request: ". */
  'bad_request',
  /** A field is out of its range. HTTP 422 "Validation error in ...", the message is the whole text. */
  'validation',
  /** The body or the query string does not parse. HTTP 400, the message is the whole text. */
  'malformed',
  'not_found',
  'already_exists',
  'unauthenticated',
  'forbidden',
  'locked',
  'deadline_exceeded',
  'rate_limited',
  'unavailable',
  /** The shard has too few in-sync replicas for its `write_consistency_factor`; nothing was applied. HTTP 503. */
  'not_enough_replicas',
  /** Between nodes: the caller's topology is out of date; it waits for a newer revision and tries again. HTTP 503. */
  'stale_route',
  /**
   * Between nodes: the shard does not own all points of a write (any more), and neither has done nor will do any of it.
   * The caller splits it anew by a newer revision. HTTP 503.
   */
  'slot_moved',
  /**
   * Between nodes: the replica may have been stopped, and asks whether it is in sync still. The caller asks another one at
   * once, or the same again in a moment. HTTP 503.
   */
  'lease_expired',
  /** Disk or memory budget reached; nothing was applied. HTTP 507. */
  'insufficient_storage',
  'standalone',
  'precondition_failed',
  'checksum_mismatch',
  /** Stored bytes fail their checksum: the copy is dropped and rebuilt. */
  'corruption',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** A caller's fault or a state of the world; never a broken invariant (that is `assert`). */
export class ClusterError extends Error {
  readonly code: ErrorCode;
  /** Seconds after which a retry makes sense; only with `rate_limited` and `unavailable`. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; retryAfterSeconds?: number } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'ClusterError';
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** Rebuilds an error that crossed a thread or a process as plain data. */
export function clusterErrorFrom(plain: {
  code: ErrorCode;
  message: string;
  retryAfterSeconds?: number | undefined;
}): ClusterError {
  return plain.retryAfterSeconds === undefined
    ? new ClusterError(plain.code, plain.message)
    : new ClusterError(plain.code, plain.message, { retryAfterSeconds: plain.retryAfterSeconds });
}
