/** Short forms of entries, snapshots and storage for tables of tests. */
import { MemoryStorage } from '../memory-storage.ts';
import { emptyConfState, noBytes, type Entry, type NodeId, type Snapshot } from '../message.ts';

/** Empty entries of the given terms, from `index` on. */
export function at(index: number, ...terms: readonly number[]): Entry[] {
  return terms.map((term, i) => ({ term, index: index + i, type: 'EntryNormal', data: noBytes }));
}

export function snapshotAt(index: number, term: number, voters: readonly NodeId[] = []): Snapshot {
  return { meta: { index, term, confState: { ...emptyConfState, voters } }, data: noBytes };
}

/** Storage whose first entry is compacted, and only its term known. */
export function storageOf([first, ...rest]: readonly Entry[]): MemoryStorage {
  const storage = new MemoryStorage();
  storage.applySnapshot(snapshotAt(first!.index, first!.term));
  storage.append(rest);
  return storage;
}

/** All entries of a storage. */
export function storedEntries(storage: MemoryStorage): Entry[] {
  const found = storage.entries(storage.firstIndex(), storage.lastIndex() + 1, Number.MAX_SAFE_INTEGER);
  return Array.isArray(found) ? found : [];
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Empty entries from `index` on, one for each term in termFrom..termEnd-1. */
export function atRange(index: number, termFrom: number, termEnd: number): Entry[] {
  return at(index, ...Array.from({ length: termEnd - termFrom }, (_, i) => termFrom + i));
}
