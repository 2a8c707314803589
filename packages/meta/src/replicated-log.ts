/**
 * The seam under the metadata state machine: an ordered, durable log of opaque entries, with snapshots.
 * One voter implements it today (`single-voter-log.ts`); Raft takes its place without the state machine knowing.
 * Always: entries are delivered to `apply` in index order, each once per start, and none before it is durable.
 */
export interface ReplicatedLog {
  /**
   * Makes an entry durable and applies it.
   * @returns the index it got, once `apply` ran for it
   * @throws ClusterError unavailable (no leader), insufficient_storage; a StorageError from a failed volume
   */
  append(entry: Uint8Array): Promise<number>;
  /** Index of the last applied entry. */
  readonly appliedIndex: number;
  close(): Promise<void>;
}

export interface LogHost {
  /** Called for each entry, in order. Must not throw: a state machine that cannot apply is broken. */
  apply(index: number, entry: Uint8Array): void;
  /** The state as bytes, after every entry applied so far. */
  snapshot(): Uint8Array;
  /** Replaces the state. */
  restore(snapshot: Uint8Array): void;
}
