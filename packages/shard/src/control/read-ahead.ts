/**
 * What the disk holds of a replica that is about to be opened, read by one scan where it is little: a node may open thousands of
 * small ones at its start. Always: what is read of it is what the store has, as long as nothing is written; only what an
 * opening reads in any case is read ahead.
 */
import { afterPrefix, StorageError, type Store } from '@quiver/storage';
import type { IndexSource } from './digests.ts';
import { isCopy, isManifest, keys } from './records.ts';

export interface ReplicaSource extends Pick<Store, 'getSync' | 'scanPages'> {
  /** The by-seq index was read ahead, too. */
  readonly hasIndex?: boolean;
}
type Entry = readonly [key: Uint8Array, value: Uint8Array];

/** Beyond them the scan costs more than it spares. */
const entriesMax = 3_000;
const bytesMax = 2 << 20;

/**
 * @returns the store itself where it would be too much, or cannot be read as a whole
 * REQUIRES: nothing of the replica is being written until the last use of what is returned, but for its ident.
 * @throws StorageError
 */
export async function readAhead(store: Store, replica: number): Promise<ReplicaSource> {
  const beside = await readBeside(store, replica);
  if (beside !== null) return beside;
  const entries = await entriesOf(store, replica);
  return entries === null ? store : wholeSource(store, replica, entries);
}

/** Whether so much of a replica is little enough to be read by one scan. */
export function fitsAhead(entries: number, bytes: number): boolean {
  return entries < entriesMax && bytes <= bytesMax;
}

/** @param entries - all that the store has of the replica, in key order */
export function wholeSource(store: Store, replica: number, entries: readonly Entry[]): ReplicaSource {
  const from = keys.replica(replica);
  return { ...sourceOf(store, { from, to: afterPrefix(from) }, entries), hasIndex: true };
}

/**
 * What lies before the points of a replica. @returns null where it stands for none of them, or cannot be read as a whole: neither
 * segments nor a copy are saved. @throws StorageError
 */
export async function readBeside(store: Store, replica: number): Promise<ReplicaSource | null> {
  const range = keys.beside(replica);
  const entries: Entry[] = [];
  try {
    for await (const page of store.scanPages(range)) entries.push(...page);
  } catch (error) {
    if (error instanceof StorageError && error.code === 'corruption') return null;
    throw error;
  }
  return entries.some(([key]) => standsForPoints(key)) ? sourceOf(store, range, entries) : null;
}

export function standsForPoints(key: Uint8Array): boolean {
  return isManifest(key) || isCopy(key);
}

/** @param entries - all that the store has in the range, in key order */
function sourceOf(
  store: Store,
  { from, to }: { readonly from: Uint8Array; readonly to: Uint8Array },
  entries: readonly Entry[],
): ReplicaSource {
  return {
    getSync(key) {
      if (!isWithin(key, from, to)) return store.getSync(key);
      return find(entries, key)?.[1];
    },
    scanPages(range) {
      const isHere = Buffer.compare(range.from, from) >= 0 && Buffer.compare(range.to, to) <= 0;
      if (!isHere || range.reverse === true) return store.scanPages(range);
      const found = entries.slice(lowerBound(entries, range.from), lowerBound(entries, range.to));
      return onePage(range.limit === undefined ? found : found.slice(0, range.limit));
    },
  };
}

/** null where there is too much. */
async function entriesOf(store: Store, replica: number): Promise<readonly Entry[] | null> {
  const entries: Entry[] = [];
  let bytes = 0;
  const from = keys.replica(replica);
  try {
    for await (const page of store.scanPages({ from, to: afterPrefix(from), limit: entriesMax })) {
      for (const [key, value] of page) bytes += key.length + value.length;
      entries.push(...page);
      if (!fitsAhead(entries.length, bytes)) return null;
    }
  } catch (error) {
    // One that is damaged may be one that nobody asks for at a start.
    if (error instanceof StorageError && error.code === 'corruption') return null;
    throw error;
  }
  return entries;
}

function find(entries: readonly Entry[], key: Uint8Array): Entry | undefined {
  const found = entries[lowerBound(entries, key)];
  return found !== undefined && Buffer.compare(found[0], key) === 0 ? found : undefined;
}

// eslint-disable-next-line @typescript-eslint/require-await -- as the store's
async function* onePage(entries: readonly Entry[]): AsyncGenerator<readonly Entry[], void, undefined> {
  if (entries.length > 0) yield entries;
}

function isWithin(key: Uint8Array, from: Uint8Array, to: Uint8Array): boolean {
  return Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0;
}

/** Index of the first entry at or after a key. */
function lowerBound(entries: readonly Entry[], key: Uint8Array): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare(entries[middle]![0], key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What a source has in a range, in one piece of memory: for whoever reads it later, when the rest should be gone. */
export async function heldCopy(
  source: ReplicaSource,
  range: { readonly from: Uint8Array; readonly to: Uint8Array },
): Promise<IndexSource> {
  const lengths: number[] = [];
  const parts: Uint8Array[] = [];
  for await (const page of source.scanPages(range))
    for (const [key, value] of page) {
      lengths.push(key.length, value.length);
      parts.push(key, value);
    }
  const bytes = Buffer.concat(parts);
  return {
    scanPages: () => onePage(unpacked(bytes, lengths)),
    close: () => Promise.resolve(),
  };
}

function unpacked(bytes: Uint8Array, lengths: readonly number[]): Entry[] {
  const entries: Entry[] = [];
  let at = 0;
  for (let i = 0; i < lengths.length; i += 2) {
    const valueAt = at + lengths[i]!;
    const end = valueAt + lengths[i + 1]!;
    entries.push([bytes.subarray(at, valueAt), bytes.subarray(valueAt, end)]);
    at = end;
  }
  return entries;
}
