/**
 * What the disk holds of a replica that is about to be opened, read by one scan where it is little: a node may open thousands of
 * small ones at its start. Always: what is read of it is what the store has, as long as nothing is written; only what an
 * opening reads in any case is read ahead.
 */
import type { Store } from '@quiver/storage';
import { keys } from './records.ts';

export type ReplicaSource = Pick<Store, 'getSync' | 'scanPages'>;
type Entry = readonly [key: Uint8Array, value: Uint8Array];

/** Beyond them the scan costs more than it spares. */
const entriesMax = 1_000;
const bytesMax = 1 << 20;

/** REQUIRES: nothing of the replica is being written until the last use of what is returned. @throws StorageError */
export async function readAhead(store: Store, replica: number): Promise<ReplicaSource> {
  // With saved segments few of the points are read.
  if (store.getSync(keys.manifest(replica)) !== undefined) return store;
  const from = keys.replica(replica);
  const { to } = keys.points(replica);
  const entries: Entry[] = [];
  let bytes = 0;
  for await (const page of store.scanPages({ from, to, limit: entriesMax })) {
    for (const [key, value] of page) bytes += key.length + value.length;
    entries.push(...page);
    if (entries.length >= entriesMax || bytes > bytesMax) return store;
  }
  return {
    getSync(key) {
      if (!isWithin(key, from, to)) return store.getSync(key);
      const found = entries[lowerBound(entries, key)];
      return found !== undefined && Buffer.compare(found[0], key) === 0 ? found[1] : undefined;
    },
    scanPages(range) {
      const isHere = range.limit === undefined && range.reverse !== true;
      if (!isHere || Buffer.compare(range.from, from) < 0 || Buffer.compare(range.to, to) > 0)
        return store.scanPages(range);
      return onePage(entries.slice(lowerBound(entries, range.from), lowerBound(entries, range.to)));
    },
  };
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
