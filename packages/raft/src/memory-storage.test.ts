// etcd's storage_test.go.
import { describe, expect, test } from 'vitest';
import { entryBytes } from './entry-size.ts';
import { MemoryStorage } from './memory-storage.ts';
import { emptyConfState, noLimit, type Entry } from './message.ts';
import type { Unreadable } from './storage.ts';
import { at, bytesOf, snapshotAt, storageOf, storedEntries } from './testing/entries.ts';

test.each<[index: number, wanted: number | Unreadable]>([
  [2, 'compacted'],
  [3, 3],
  [4, 4],
  [5, 5],
  [6, 'unavailable'],
])('TestStorageTerm: %i', (index, wanted) => {
  expect(storageOf(at(3, 3, 4, 5)).term(index)).toBe(wanted);
});

describe('TestStorageEntries', () => {
  const entries = at(3, 3, 4, 5, 6);
  const [, b, c, d] = entries.map(entryBytes) as [number, number, number, number];
  test.each<[lo: number, hi: number, bytesMax: number, wanted: Entry[] | Unreadable]>([
    [2, 6, noLimit, 'compacted'],
    [3, 4, noLimit, 'compacted'],
    [4, 5, noLimit, at(4, 4)],
    [4, 6, noLimit, at(4, 4, 5)],
    [4, 7, noLimit, at(4, 4, 5, 6)],
    [4, 7, 0, at(4, 4)],
    [4, 7, b + c, at(4, 4, 5)],
    [4, 7, b + c + Math.floor(d / 2), at(4, 4, 5)],
    [4, 7, b + c + d - 1, at(4, 4, 5)],
    [4, 7, b + c + d, at(4, 4, 5, 6)],
  ])('[%i, %i) within %i bytes', (lo, hi, bytesMax, wanted) => {
    expect(storageOf(entries).entries(lo, hi, bytesMax)).toEqual(wanted);
  });
});

test('TestStorageLastIndex', () => {
  const storage = storageOf(at(3, 3, 4, 5));
  expect(storage.lastIndex()).toBe(5);
  storage.append(at(6, 5));
  expect(storage.lastIndex()).toBe(6);
});

test('TestStorageFirstIndex', () => {
  const storage = storageOf(at(3, 3, 4, 5));
  expect(storage.firstIndex()).toBe(4);
  storage.compact(4);
  expect(storage.firstIndex()).toBe(5);
});

test.each([
  { to: 2, isRefused: true, offset: 3, term: 3, count: 2 },
  { to: 3, isRefused: true, offset: 3, term: 3, count: 2 },
  { to: 4, isRefused: false, offset: 4, term: 4, count: 1 },
  { to: 5, isRefused: false, offset: 5, term: 5, count: 0 },
])('TestStorageCompact: to $to', ({ to, isRefused, offset, term, count }) => {
  const storage = storageOf(at(3, 3, 4, 5));
  if (isRefused) expect(() => storage.compact(to)).toThrow(expect.objectContaining({ code: 'compacted' }));
  else storage.compact(to);
  expect(storage.firstIndex()).toBe(offset + 1);
  expect(storage.term(offset)).toBe(term);
  expect(storedEntries(storage)).toHaveLength(count);
});

test.each([4, 5])('TestStorageCreateSnapshot: at %i', (index) => {
  const storage = storageOf(at(3, 3, 4, 5));
  const confState = { ...emptyConfState, voters: [1, 2, 3] };
  const wanted = { meta: { index, term: index, confState }, data: bytesOf('data') };
  expect(storage.createSnapshot(index, confState, bytesOf('data'))).toEqual(wanted);
  expect(storage.snapshot()).toEqual(wanted);
  expect(() => storage.createSnapshot(index, null, bytesOf('older'))).toThrow(
    expect.objectContaining({ code: 'snapshot_out_of_date' }),
  );
});

test.each<[appended: Entry[], wanted: Entry[]]>([
  [at(1, 1, 2), at(4, 4, 5)],
  [at(3, 3, 4, 5), at(4, 4, 5)],
  [at(3, 3, 6, 6), at(4, 6, 6)],
  [at(3, 3, 4, 5, 5), at(4, 4, 5, 5)],
  // The compacted part falls away, the stored part is replaced.
  [at(2, 3, 3, 5), at(4, 5)],
  [at(4, 5), at(4, 5)],
  [at(6, 5), at(4, 4, 5, 5)],
])('TestStorageAppend: %#', (appended, wanted) => {
  const storage = storageOf(at(3, 3, 4, 5));
  storage.append(appended);
  expect(storage.term(3)).toBe(3);
  expect(storedEntries(storage)).toEqual(wanted);
});

describe('TestStorageApplySnapshot', () => {
  test('normal case', () => {
    const storage = new MemoryStorage();
    storage.applySnapshot(snapshotAt(4, 4, [1, 2, 3]));
    expect(storage.initialState().confState.voters).toEqual([1, 2, 3]);
    expect([storage.firstIndex(), storage.lastIndex()]).toEqual([5, 4]);
  });
  test('snapshot out of date', () => {
    const storage = new MemoryStorage();
    storage.applySnapshot(snapshotAt(4, 4));
    expect(() => storage.applySnapshot(snapshotAt(3, 3))).toThrow(
      expect.objectContaining({ code: 'snapshot_out_of_date' }),
    );
  });
  test('bootstrap with the membership alone', () => {
    const storage = new MemoryStorage();
    storage.applySnapshot(snapshotAt(0, 0, [1, 2, 3]));
    expect(storage.initialState().confState.voters).toEqual([1, 2, 3]);
    expect(storage.lastIndex()).toBe(0);
  });
});

test('a gap behind the stored entries stops the process', () => {
  expect(() => storageOf(at(3, 3, 4, 5)).append(at(7, 5))).toThrow(/missing log entry/);
});
