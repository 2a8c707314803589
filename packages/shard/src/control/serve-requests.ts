/**
 * What serve threads ask of the replicas of this node: writes, confirmations of reads, descriptions. Always: each call is answered once;
 * a failure that is nobody's fault is logged.
 */
import { ArenaBudgetError } from '@quiver/kernel';
import { ClusterError, parsePayloadText, type ResolvedOperation } from '@quiver/model';
import type { PlainError } from '@quiver/rpc';
import { asClusterError, StorageError } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import type { ToControl } from '../protocol.ts';
import type { ServePort } from './broadcast.ts';
import type { HostedReplica } from './hosted-replica.ts';

export interface ServeRequestsOptions {
  readonly hosted: ReadonlyMap<number, HostedReplica>;
  readonly isClosing: () => boolean;
  /** Primaries are given to other nodes. */
  readonly isDraining: () => boolean;
  readonly log: Log;
}

export class ServeRequests {
  readonly #options: ServeRequestsOptions;

  constructor(options: ServeRequestsOptions) {
    this.#options = options;
  }

  noteRecall(message: Extract<ToControl, { kind: 'recall_measured' }>): void {
    const replica = this.#options.hosted.get(message.replica);
    if (replica?.record.uuid === message.collectionUuid) replica.search.recall.add(message.vector, message);
  }

  async answer(port: ServePort, message: Extract<ToControl, { call: number }>): Promise<void> {
    const { isClosing, isDraining, log } = this.#options;
    const { call } = message;
    try {
      if (isClosing()) throw new ClusterError('unavailable', 'the server is stopping');
      const replica = this.#hostedOf(message.replica, message.collectionUuid);
      switch (message.kind) {
        case 'write': {
          if (isDraining() && replica.isPrimary)
            throw new ClusterError('stale_route', 'the node is being drained; another one takes its writes');
          const operation = withPayload(message.operation, message.payload);
          const operationId = await replica.writes.write({ ...message, operation });
          port.post({ kind: 'written', call, operationId });
          break;
        }
        case 'confirm_read':
          await replica.confirmRead(message);
          port.post({ kind: 'read_confirmed', call });
          break;
        case 'describe':
          port.post({ kind: 'described', call, state: replica.describe() });
      }
    } catch (error) {
      port.post({ kind: 'failed', call, failure: failureOf(error) });
      if (!(error instanceof ClusterError)) log.error('a request failed for a reason of our own', { error });
    }
  }

  #hostedOf(number: number, uuid: string): HostedReplica {
    const found = this.#options.hosted.get(number);
    if (found?.record.uuid !== uuid)
      throw new ClusterError('stale_route', `replica ${number} is not on this node (any more, or yet)`);
    return found;
  }
}

function withPayload(operation: ResolvedOperation, payload: string | null): ResolvedOperation {
  if (payload === null || (operation.kind !== 'set_payload' && operation.kind !== 'overwrite_payload'))
    return operation;
  return { ...operation, payload: parsePayloadText(payload) };
}

function failureOf(error: unknown): PlainError {
  if (error instanceof ClusterError)
    return { code: error.code, message: error.message, retryAfterSeconds: error.retryAfterSeconds };
  if (error instanceof StorageError) return failureOf(asClusterError(error));
  if (error instanceof ArenaBudgetError) return { code: 'insufficient_storage', message: error.message };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
