/** What is read of a replica before it runs. Always: all of it is as of one moment. */
import type { Store } from '@quiver/storage';
import type { IndexSource } from './digests.ts';
import { heldCopy, readAhead, type ReplicaSource } from './read-ahead.ts';
import { keys } from './records.ts';
import { loadReplicaState, noteOwner, type LoadedReplica } from './replica-state.ts';

export interface ReplicaReading {
  /** For what else is read until the replica is open. */
  readonly source: ReplicaSource;
  /** The disk had nothing of it. */
  readonly isNew: boolean;
  readonly loaded: LoadedReplica;
  /** Of the same moment; null: a snapshot of now is. */
  readonly index: IndexSource | null;
}

/**
 * REQUIRES: nothing of the replica is being written.
 * @param ahead - what was read of it, where others are opened at once
 * @throws StorageError
 */
export async function readReplica(
  store: Store,
  number: number,
  owner: { readonly uuid: string; readonly shardId: number },
  ahead: ReplicaSource | null,
): Promise<ReplicaReading> {
  const source = ahead ?? (await readAhead(store, number));
  const isNew = await noteOwner(store, source, number, owner);
  const index = source.hasIndex === true ? await heldCopy(source, keys.index(number)) : null;
  return { source, isNew, index, loaded: await loadReplicaState(source, number) };
}
