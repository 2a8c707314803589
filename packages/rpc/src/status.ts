/**
 * The one table from error codes to what clients see: HTTP status and text prefix (REST), status code (gRPC).
 * Both front ends read it, so an error says the same thing over both. Values are Qdrant's own, 1.19.
 */
import { ClusterError, type ErrorCode } from '@quiver/model';
import type { PlainError } from './contract.ts';

/** Status codes of gRPC (https://grpc.io/docs/guides/status-codes). */
export const grpcCode = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

interface StatusRow {
  readonly http: number;
  /** Put before the message; '' when the message is the whole text. */
  readonly prefix: string;
  readonly grpc: number;
}

const table: Readonly<Record<ErrorCode, StatusRow>> = {
  invalid_argument: { http: 400, prefix: 'Wrong input: ', grpc: grpcCode.invalidArgument },
  bad_request: { http: 400, prefix: 'Bad request: ', grpc: grpcCode.invalidArgument },
  validation: { http: 422, prefix: '', grpc: grpcCode.invalidArgument },
  malformed: { http: 400, prefix: '', grpc: grpcCode.invalidArgument },
  not_found: { http: 404, prefix: 'Not found: ', grpc: grpcCode.notFound },
  already_exists: { http: 409, prefix: 'Wrong input: ', grpc: grpcCode.alreadyExists },
  unauthenticated: { http: 401, prefix: '', grpc: grpcCode.unauthenticated },
  forbidden: { http: 403, prefix: 'Forbidden: ', grpc: grpcCode.permissionDenied },
  locked: { http: 403, prefix: 'Storage locked: ', grpc: grpcCode.failedPrecondition },
  deadline_exceeded: { http: 408, prefix: 'Timeout: ', grpc: grpcCode.deadlineExceeded },
  rate_limited: { http: 429, prefix: 'Rate limiting exceeded: ', grpc: grpcCode.resourceExhausted },
  unavailable: { http: 503, prefix: 'Shard temporarily unavailable: ', grpc: grpcCode.unavailable },
  not_enough_replicas: {
    http: 503,
    prefix: 'Shard temporarily unavailable: ',
    grpc: grpcCode.unavailable,
  },
  stale_route: { http: 503, prefix: 'Shard temporarily unavailable: ', grpc: grpcCode.unavailable },
  slot_moved: { http: 503, prefix: 'Shard temporarily unavailable: ', grpc: grpcCode.unavailable },
  lease_expired: { http: 503, prefix: 'Shard temporarily unavailable: ', grpc: grpcCode.unavailable },
  insufficient_storage: { http: 507, prefix: 'Insufficient storage: ', grpc: grpcCode.resourceExhausted },
  standalone: { http: 405, prefix: '', grpc: grpcCode.unimplemented },
  precondition_failed: {
    http: 500,
    prefix: 'Pre-condition failure: ',
    grpc: grpcCode.failedPrecondition,
  },
  checksum_mismatch: { http: 400, prefix: '', grpc: grpcCode.dataLoss },
  corruption: { http: 500, prefix: 'Service internal error: ', grpc: grpcCode.internal },
  internal: { http: 500, prefix: 'Service internal error: ', grpc: grpcCode.internal },
};

export function httpStatus(code: ErrorCode): number {
  return table[code].http;
}

export function grpcStatus(code: ErrorCode): number {
  return table[code].grpc;
}

/** The text a client reads, with the kind's prefix; over both protocols. Not-`ClusterError`s are internal errors. */
export function errorText(error: unknown): string {
  if (error instanceof ClusterError) return table[error.code].prefix + error.message;
  return table.internal.prefix + (error instanceof Error ? error.message : String(error));
}

/** Any thrown value as a `ClusterError`: what is none becomes `internal`, with the value as its cause. */
export function asClusterError(error: unknown): ClusterError {
  if (error instanceof ClusterError) return error;
  return new ClusterError('internal', error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

/** Any thrown value as plain data, for another thread or process; `clusterErrorFrom` makes the error again. */
export function plainError(error: unknown): PlainError {
  const { code, message, retryAfterSeconds } = asClusterError(error);
  return { code, message, retryAfterSeconds };
}
