/**
 * Failures between nodes: a `ClusterError` crosses whole, in the call's metadata; a broken connection is `unavailable`, a
 * call that ran out of time `deadline_exceeded`. Always: whoever called sees a `ClusterError`.
 */
import { status, type ServiceError } from '@grpc/grpc-js';
import { ClusterError, clusterErrorFrom } from '@quiver/model';
import type { PlainError } from '../contract.ts';
import type { CallStatus } from '../grpc/headers.ts';
import { errorText, grpcStatus, plainError } from '../status.ts';
import { decodePlain, encodePlain } from './plain-data.ts';

const errorKey = 'quiver-error-bin';
/** What grpc-js begins its text with when there was no connection to send the call on. */
const notConnected = 'No connection established';

/** Marks an error that never reached a handler: the call did not begin, so it may be repeated elsewhere at once. */
export class PeerUnreachable extends ClusterError {
  /** The host answered that nothing listens there: the process is not running. */
  get isRefused(): boolean {
    return this.message.endsWith(reasons.ECONNREFUSED);
  }
}

/** What the system says when there is no connection, for people. */
const reasons = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'its name is unknown',
  EHOSTUNREACH: 'there is no way to its host',
  ENETUNREACH: 'there is no way to its network',
  ETIMEDOUT: 'its host does not answer',
};

/** grpc-js has the code of the last attempt in its text only. */
function reasonOf(details: string): string {
  const code = Object.keys(reasons).find((one) => details.includes(one));
  return code === undefined ? 'no connection' : reasons[code as keyof typeof reasons];
}

export function statusFor(error: unknown): CallStatus {
  const plain = plainError(error);
  return {
    code: grpcStatus(plain.code),
    details: errorText(error).slice(0, 1_000),
    metadata: { [errorKey]: Buffer.from(encodePlain(plain)).toString('base64') },
  };
}

export function errorFrom(error: ServiceError, address: string): ClusterError {
  const [bytes] = error.metadata.get(errorKey);
  if (bytes instanceof Buffer) return clusterErrorFrom(decodePlain(bytes) as PlainError);
  if (error.code === status.DEADLINE_EXCEEDED)
    return new ClusterError('deadline_exceeded', `node ${address} did not answer in time`, { cause: error });
  // gRPC says UNAVAILABLE as well of a connection that was lost while the call was under way.
  if (error.code === status.UNAVAILABLE && error.details.startsWith(notConnected))
    return new PeerUnreachable(
      'unavailable',
      `node ${address} cannot be reached: ${reasonOf(error.details)}`,
      {
        cause: error,
        retryAfterSeconds: 1,
      },
    );
  return new ClusterError('unavailable', `the call to node ${address} broke: ${error.details}`, {
    cause: error,
    retryAfterSeconds: 1,
  });
}
