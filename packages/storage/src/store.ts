/**
 * Durable ordered key-value storage with group commit and fail-stop.
 * A volume is one directory (one LevelDB), opened by one thread.
 * Always: a resolved `commit` is on stable storage; groups become durable in order; after the first write error
 * nothing is accepted any more (`poisoned`) and the owner ends the process.
 */
export type Change =
  | {
      readonly kind: 'put';
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      /** What the value goes on with: spares large values a copy. */
      readonly tail?: Uint8Array;
    }
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
   * Keys are 1 byte or longer and do not begin with 0xff (the volume's own). The buffers belong to the store until
   * the promise settles.
   * @returns the number of the commit group, rising by one; requests joined into one group get the same number
   * @throws StorageError 'insufficient_storage' (above the watermark) or 'busy' (too many bytes pending): nothing was
   * applied; 'poisoned': whether it was applied is unknown until the next open; 'closed'
   */
  commit(changes: readonly Change[], options?: CommitOptions): Promise<number>;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** Synchronous point read, for a control loop that must not yield. */
  getSync(key: Uint8Array): Uint8Array | undefined;
  /** Entries in key order, checksums verified. @throws StorageError 'corruption' */
  scan(range: ReadRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;
  /** The same in pages of up to 1,000 entries or about 1 MiB, for reading many: one await for each page. */
  scanPages(range: ReadRange): AsyncIterable<readonly (readonly [key: Uint8Array, value: Uint8Array])[]>;
  /**
   * Reads one page of a range and compares its checksums: for looking at all there is, a page at a time.
   * @param range - `limit` bounds the page
   */
  check(range: ReadRange): Promise<CheckedPage>;
  /** What is durable now, for reads that must fit each other; later commits do not show in it. */
  snapshot(): StoreSnapshot;
  /**
   * For an owner that must refuse before it orders a change: throws as `commit` would for lack of space now.
   * @throws StorageError 'insufficient_storage', 'poisoned' or 'closed'
   */
  assertRoom(options?: RoomOptions): void;
  /** Deletes a range in the background, paced; resolves when done. */
  deleteRange(from: Uint8Array, to: Uint8Array): Promise<void>;
  /** Writes the tail anchor and closes cleanly. */
  close(): Promise<void>;
  readonly poisoned: boolean;
  /** The last run closed it, and all that was confirmed until then is here. After any other end the newest second may lack. */
  readonly wasClosed: boolean;
  readonly stats: { readonly commits: number; readonly changes: number; readonly bytes: number; readonly freeFraction: number };
}

/** REQUIRES: closed soon, and before the store; an open one keeps the disk from freeing what was replaced since. */
export interface StoreSnapshot {
  /** In the order of `keys`. @throws StorageError 'corruption' */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  /** As `Store.scanPages`. */
  scanPages(range: ReadRange): AsyncIterable<readonly (readonly [key: Uint8Array, value: Uint8Array])[]>;
  close(): Promise<void>;
}

export interface CheckedPage {
  readonly entries: number;
  readonly bytes: number;
  /** Keys whose value is not what was written. */
  readonly badKeys: readonly Uint8Array[];
  /** null: the range has no more. */
  readonly lastKey: Uint8Array | null;
}

export interface CommitOptions {
  /** Counted against the higher watermark only: deletes, catch-up, metadata. */
  readonly essential?: boolean;
}

export interface RoomOptions extends CommitOptions {
  /** Of the disk, that must be free beyond the watermark; 0..1, default 0. */
  readonly spareFraction?: number;
}
