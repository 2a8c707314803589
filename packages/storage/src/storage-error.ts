/**
 * What can go wrong with a volume, as a closed list.
 * The owner decides what each means for it; `asClusterError` is the translation for a request's caller.
 */
import { ClusterError } from '@quiver/model';

export type StorageErrorCode =
  /** A write failed earlier (its outcome is unknown) and nothing is accepted any more. End the process with `poisonedExitCode`. */
  | 'poisoned'
  | 'closed'
  /** Above a free-space watermark; nothing was applied. */
  | 'insufficient_storage'
  /** Too many bytes wait to be committed; nothing was applied, a retry makes sense. */
  | 'busy'
  /** Stored bytes fail their checksum. */
  | 'corruption'
  /** Acknowledged groups are gone; `details` says which. Only found at open. */
  | 'data_loss'
  /** Another process, or another handle of this one, has the directory open. */
  | 'locked'
  /** Opening failed for a reason of the world: permissions, a full disk, a path that is no directory. */
  | 'unavailable';

/** What an open found missing. Groups are numbers of commit groups, both ends inclusive. */
export interface DataLoss {
  /**
   * 'tail': groups at the end that a witness outside LevelDB knows of are gone; 'hole': groups in the middle are
   * gone while later ones are there; 'fork': the newest groups are not those the witness saw (a restored old copy).
   */
  readonly kind: 'tail' | 'hole' | 'fork';
  readonly missing: readonly (readonly [from: number, to: number])[];
  /** The newest group found in the volume. */
  readonly lastGroup: number;
  /** The newest group known to have been durable. */
  readonly witnessedGroup: number;
}

export class StorageError extends Error {
  readonly code: StorageErrorCode;
  readonly loss: DataLoss | undefined;

  constructor(code: StorageErrorCode, message: string, options: { cause?: unknown; loss?: DataLoss } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'StorageError';
    this.code = code;
    this.loss = options.loss;
  }
}

/** Exit code of a process whose volume was poisoned (EX_IOERR of sysexits.h): a supervisor should restart it. */
export const poisonedExitCode = 74;

/** The same fault in the words of the API. */
export function asClusterError(error: StorageError): ClusterError {
  const options = { cause: error };
  switch (error.code) {
    case 'insufficient_storage':
      return new ClusterError('insufficient_storage', error.message, options);
    case 'busy':
      return new ClusterError('rate_limited', error.message, { cause: error, retryAfterSeconds: 1 });
    case 'corruption':
    case 'data_loss':
      return new ClusterError('corruption', error.message, options);
    case 'locked':
    case 'unavailable':
    case 'closed':
    case 'poisoned':
      return new ClusterError('unavailable', error.message, options);
  }
}
