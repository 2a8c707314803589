/**
 * Durable ordered key-value storage with group commit and fail-stop.
 * A volume is one directory (one LevelDB), opened by one thread.
 * Always: a resolved `commit` is on stable storage; groups become durable in order; after the first write error
 * nothing is accepted any more (`poisoned`) and the owner ends the process.
 */
export type Change =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: Uint8Array };

export interface ReadRange {
  /** inclusive lower bound */
  readonly from: Uint8Array;
  /** exclusive upper bound */
  readonly to: Uint8Array;
  readonly limit?: number;
  readonly reverse?: boolean;
}

export interface Store {
  /**
   * Makes the changes durable, all or nothing. Requests pending at once are joined into one synced batch
   * (about 4 MiB or 1,024 changes; a request is never split, one larger is its own group).
   * @returns the number of the commit group, rising by one
   * @throws ClusterError-like StorageError 'insufficient_storage' (above the watermark, nothing applied), 'poisoned', 'closed'
   */
  commit(changes: readonly Change[], options?: CommitOptions): Promise<number>;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** Synchronous point read, for a control loop that must not yield. */
  getSync(key: Uint8Array): Uint8Array | undefined;
  /** Entries in key order, checksums verified. @throws StorageError 'corruption' */
  scan(range: ReadRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;
  /** Deletes a range in the background, paced; resolves when done. */
  deleteRange(from: Uint8Array, to: Uint8Array): Promise<void>;
  /** Writes the tail anchor and closes cleanly. */
  close(): Promise<void>;
  readonly poisoned: boolean;
  readonly stats: { readonly commits: number; readonly changes: number; readonly bytes: number; readonly freeFraction: number };
}

export interface CommitOptions {
  /** Counted against the higher watermark only: deletes, catch-up, metadata. */
  readonly essential?: boolean;
}
