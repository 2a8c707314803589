/**
 * A write at its primary: admitted, resolved against the newest content, ordered, answered. Always: everything that can
 * be refused is refused before the operation has its place in the order; the answer comes when every in-sync replica has
 * the operation durable and searchable.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type CollectionRecord, type ResolvedOperation, type SlotRuns } from '@quiver/model';
import { asClusterError, StorageError, type Store } from '@quiver/storage';
import { bytesOfOperation, untilIndexed, type Admission } from './admission.ts';
import { orderChange } from './change.ts';
import type { Primacy } from './primacy.ts';
import type { ReplicaCalls } from './replica-calls.ts';
import type { ReplicaHost } from './replica-host.ts';
import { resolveOperation } from './resolve.ts';
import type { RoomSearch } from './room-search.ts';
import type { SearchState } from './search-state.ts';
import type { SlotMover } from './slot-mover.ts';

export interface ReplicaWrite {
  readonly operation: ResolvedOperation;
  /** That it is for; see `ShardWrite` of @quiver/rpc. null: the caller did not say. */
  readonly slots: SlotRuns | null;
  readonly operationKey: string | null;
  readonly timeoutMs: number;
}

export interface ReplicaWritesOptions {
  readonly context: {
    readonly admission: Admission;
    /** Unindexed vectors of a replica from which on its writes are slowed; 0: no limit. */
    readonly unindexedBytesMax: () => number;
    readonly store: Store;
    readonly env: Env;
  };
  readonly search: SearchState;
  readonly calls: ReplicaCalls;
  readonly primacy: Primacy;
  readonly room: RoomSearch;
  readonly slots: SlotMover;
  readonly record: () => CollectionRecord;
  readonly host: () => ReplicaHost | null;
}

/** What is ordered once it is admitted. */
interface AdmittedWrite {
  readonly operation: ResolvedOperation;
  /** Its points are another shard's by now: it is answered only if it was done before. */
  readonly isElsewhere: boolean;
  readonly operationKey: string | null;
  readonly deadlineMs: number;
}

export class ReplicaWrites {
  readonly #options: ReplicaWritesOptions;

  constructor(options: ReplicaWritesOptions) {
    this.#options = options;
  }

  /** @returns seq of the operation. @throws ClusterError */
  async write({ operation, slots, operationKey, timeoutMs }: ReplicaWrite): Promise<number> {
    const { context, search, calls, primacy, room, host } = this.#options;
    const { admission, unindexedBytesMax, env } = context;
    const deadlineMs = env.now() + timeoutMs;
    await primacy.awaited(timeoutMs);
    // Deletions are what makes room: they stay.
    if (operation.kind !== 'delete' && (await room.movedAway()))
      throw new ClusterError('stale_route', 'the disk is full; another replica leads now');
    const end = admission.begin(bytesOfOperation(operation));
    try {
      await untilIndexed(search.replica!, operation, { env, unindexedBytesMax, deadlineMs });
      if (host()?.isDraining === true) await calls.whenHandedOver(env);
      await primacy.awaited(deadlineMs - env.now());
      const isElsewhere = this.#options.slots.isElsewhere(operation, slots);
      return await this.#order({ operation, isElsewhere, operationKey, deadlineMs });
    } finally {
      end();
    }
  }

  async #order({ operation, isElsewhere, operationKey, deadlineMs }: AdmittedWrite): Promise<number> {
    const { context, search, calls, record } = this.#options;
    const { store, env } = context;
    const [host, replica] = [this.#options.host()!, search.replica!];
    const { changes, missing } = isElsewhere
      ? { changes: [], missing: null }
      : resolveOperation(operation, (id) => replica.read(id), record().payloadSchema);
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
}
