/**
 * A write at its primary: resolved against the newest content, admitted, ordered, answered. Always: everything that can
 * be refused is refused before the operation has its place in the order; the answer comes when every in-sync replica has
 * the operation durable and searchable.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type PayloadFieldSchema, type ResolvedOperation, type SlotRuns } from '@quiver/model';
import { asClusterError, StorageError, type Store } from '@quiver/storage';
import { orderChange } from './change.ts';
import type { ReplicaCalls } from './replica-calls.ts';
import type { ReplicaHost } from './replica-host.ts';
import type { Replica } from './replica.ts';
import { resolveOperation } from './resolve.ts';

export interface ReplicaWrite {
  readonly operation: ResolvedOperation;
  /** That it is for; see `ShardWrite` of @quiver/rpc. null: the caller did not say. */
  readonly slots: SlotRuns | null;
  readonly operationKey: string | null;
  readonly timeoutMs: number;
}

export interface WriteAtPrimary {
  readonly host: ReplicaHost;
  readonly replica: Replica;
  readonly store: Store;
  readonly env: Env;
  readonly calls: ReplicaCalls;
  readonly payloadSchema: Readonly<Record<string, PayloadFieldSchema>>;
  readonly operation: ResolvedOperation;
  /** Its points are another shard's by now: it is answered only if it was done before. */
  readonly isElsewhere: boolean;
  readonly operationKey: string | null;
  readonly deadlineMs: number;
}

/** @returns seq of the operation. @throws ClusterError */
export async function writeOperation(write: WriteAtPrimary): Promise<number> {
  const { host, replica, store, env, calls, operation, isElsewhere, operationKey, deadlineMs } = write;
  const { changes, missing } = isElsewhere
    ? { changes: [], missing: null }
    : resolveOperation(operation, (id) => replica.read(id), write.payloadSchema);
  try {
    store.assertRoom({ essential: operation.kind === 'delete' });
  } catch (error) {
    throw error instanceof StorageError ? asClusterError(error) : error;
  }
  replica.assertRoom(replica.bytesOf(changes), host.status.admittedBytes);
  const names = replica.schema.vectors.map(({ name }) => name);
  const ordered = changes.map((change) => orderChange(change, names));
  const { seq, receipt } = await calls.begin((call) =>
    host.step({
      kind: 'propose',
      call,
      operationKey,
      changes: ordered,
      isElsewhere,
      receipt: missing === null ? '' : `missing ${missing}`,
      waitFor: 'applied',
      wallMs: Math.floor(env.wallNow()),
      deadlineMs,
    }),
  );
  if (receipt !== '')
    throw new ClusterError('not_found', `No point with id ${receipt.slice('missing '.length)} found`);
  return seq;
}
