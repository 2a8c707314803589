// etcd's log_test.go: matching, appending, committing and making durable. Reading is in log-read.test.ts.
import { describe, expect, test } from 'vitest';
import { silentLogger } from './config.ts';
import { RaftLog } from './log.ts';
import { MemoryStorage } from './memory-storage.ts';
import type { Entry, EntryId } from './message.ts';
import { at, snapshotAt, storageOf } from './testing/entries.ts';

function logOf(entries: readonly Entry[], storage = new MemoryStorage()): RaftLog {
  const log = new RaftLog(storage, silentLogger);
  log.append(entries);
  return log;
}

const id = (index: number, term: number): EntryId => ({ index, term });

test.each<[entries: Entry[], wanted: number]>([
  [[], 0],
  [at(1, 1, 2, 3), 0],
  [at(2, 2, 3), 0],
  [at(3, 3), 0],
  // Goes on behind ours.
  [at(1, 1, 2, 3, 4, 4), 4],
  [at(2, 2, 3, 4, 5), 4],
  [at(3, 3, 4, 4), 4],
  [at(4, 4, 4), 4],
  // Differs from ours.
  [at(1, 4, 4), 1],
  [at(2, 1, 4, 4), 2],
  [at(3, 1, 2, 4, 4), 3],
])('TestFindConflict: %#', (entries, wanted) => {
  expect(logOf(at(1, 1, 2, 3)).findConflict(entries)).toBe(wanted);
});

describe('TestFindConflictByTerm', () => {
  const whole = at(0, 0, 2, 2, 5, 5, 5);
  const compacted = at(10, 3, 3, 3, 4, 4, 4);
  test.each<[entries: Entry[], index: number, term: number, wanted: number]>([
    [whole, 100, 2, 100],
    [whole, 5, 6, 5],
    [whole, 5, 5, 5],
    [whole, 5, 4, 2],
    [whole, 5, 2, 2],
    [whole, 5, 1, 0],
    [whole, 1, 2, 1],
    [whole, 1, 1, 0],
    [whole, 0, 0, 0],
    [compacted, 30, 3, 30],
    [compacted, 14, 9, 14],
    [compacted, 14, 4, 14],
    [compacted, 14, 3, 12],
    [compacted, 14, 2, 9],
    [compacted, 11, 5, 11],
    [compacted, 10, 5, 10],
    [compacted, 10, 3, 10],
    [compacted, 10, 2, 9],
    [compacted, 9, 2, 9],
    [compacted, 4, 2, 4],
    [compacted, 0, 0, 0],
  ])('%#: index %i, term %i', (entries, index, term, wanted) => {
    const log = logOf(entries.slice(1), storageOf(entries.slice(0, 1)));
    expect(log.findConflictByTerm(index, term)).toEqual(id(wanted, log.termOrZero(wanted)));
  });
});

test.each([
  { index: 2, term: 4, wanted: true },
  { index: 3, term: 4, wanted: true },
  { index: 4, term: 4, wanted: true },
  { index: 2, term: 2, wanted: false },
  { index: 3, term: 2, wanted: false },
  { index: 4, term: 2, wanted: false },
  { index: 2, term: 3, wanted: false },
  { index: 3, term: 3, wanted: true },
  { index: 4, term: 3, wanted: true },
])('TestIsUpToDate: index $index, term $term', ({ index, term, wanted }) => {
  expect(logOf(at(1, 1, 2, 3)).isUpToDate({ index, term })).toBe(wanted);
});

test.each<[appended: Entry[], last: number, wanted: Entry[], offset: number]>([
  [[], 2, at(1, 1, 2), 3],
  [at(3, 2), 3, at(1, 1, 2, 2), 3],
  [at(1, 2), 1, at(1, 2), 1],
  [at(2, 3, 3), 3, at(1, 1, 3, 3), 2],
])('TestAppend: %#', (appended, last, wanted, offset) => {
  const storage = new MemoryStorage();
  storage.append(at(1, 1, 2));
  const log = new RaftLog(storage, silentLogger);
  expect(log.append(appended)).toBe(last);
  expect(log.entriesFrom(1, Number.MAX_SAFE_INTEGER)).toEqual(wanted);
  expect(log.unstable.offset).toBe(offset);
});

describe('TestLogMaybeAppend', () => {
  test.each<[previous: EntryId, commit: number, entries: Entry[], last: number | null, committed: number]>([
    // The entry before differs, or is not there.
    [id(3, 2), 3, at(4, 4), null, 1],
    [id(4, 3), 3, at(5, 4), null, 1],
    // Behind the last entry; the commit index follows the leader's, but not beyond what was sent, and never back.
    [id(3, 3), 3, [], 3, 3],
    [id(3, 3), 4, [], 3, 3],
    [id(3, 3), 2, [], 3, 2],
    [id(3, 3), 0, [], 3, 1],
    [id(0, 0), 3, [], 0, 1],
    [id(3, 3), 3, at(4, 4), 4, 3],
    [id(3, 3), 4, at(4, 4), 4, 4],
    [id(3, 3), 5, at(4, 4), 4, 4],
    [id(3, 3), 5, at(4, 4, 4), 5, 5],
    // In the middle.
    [id(2, 2), 3, at(3, 4), 3, 3],
    [id(1, 1), 3, at(2, 4), 2, 2],
    [id(1, 1), 3, at(2, 4, 4), 3, 3],
  ])('%#', (previous, commit, entries, last, committed) => {
    const log = logOf(at(1, 1, 2, 3));
    log.committed = 1;
    expect(log.maybeAppend(previous, entries, commit)).toBe(last);
    expect(log.committed).toBe(committed);
    if (last === null || entries.length === 0) return;
    const end = log.lastIndex() + 1;
    expect(log.slice(end - entries.length, end, Number.MAX_SAFE_INTEGER)).toEqual(entries);
  });
  test('a conflict with a committed entry stops the process', () => {
    const log = logOf(at(1, 1, 2, 3));
    log.committed = 1;
    expect(() => log.maybeAppend(id(0, 0), at(1, 4), 3)).toThrow(/conflict with committed entry/);
  });
});

test.each([
  { to: 3, committed: 3 },
  { to: 1, committed: 2 },
])('TestCommitTo: $to', ({ to, committed }) => {
  const log = logOf(at(1, 1, 2, 3));
  log.committed = 2;
  log.commitTo(to);
  expect(log.committed).toBe(committed);
});

test('TestCommitTo: beyond the last entry stops the process', () => {
  const log = logOf(at(1, 1, 2, 3));
  log.committed = 2;
  expect(() => log.commitTo(4)).toThrow(/out of range/);
});

test.each([
  { index: 1, term: 1, offset: 2 },
  { index: 2, term: 2, offset: 3 },
  { index: 2, term: 1, offset: 1 },
  { index: 3, term: 1, offset: 1 },
])('TestStableTo: index $index, term $term', ({ index, term, offset }) => {
  const log = logOf(at(1, 1, 2));
  log.unstable.stableTo({ index, term });
  expect(log.unstable.offset).toBe(offset);
});

describe('TestStableToWithSnap', () => {
  const some = at(6, 2);
  test.each<[index: number, term: number, entries: Entry[], offset: number]>([
    [6, 2, [], 6],
    [5, 2, [], 6],
    [4, 2, [], 6],
    [6, 3, [], 6],
    [5, 3, [], 6],
    [4, 3, [], 6],
    [6, 2, some, 7],
    [5, 2, some, 6],
    [4, 2, some, 6],
    [6, 3, some, 6],
    [5, 3, some, 6],
    [4, 3, some, 6],
  ])('%#: index %i, term %i', (index, term, entries, offset) => {
    const log = logOf(entries, storageOf(at(5, 2)));
    log.unstable.stableTo({ index, term });
    expect(log.unstable.offset).toBe(offset);
  });
});

test.each([
  { offset: 3, wanted: [] },
  { offset: 1, wanted: at(1, 1, 2) },
])('TestNextUnstableEnts: from $offset', ({ offset, wanted }) => {
  const entries = at(1, 1, 2);
  const storage = new MemoryStorage();
  storage.append(entries.slice(0, offset - 1));
  const log = logOf(entries.slice(offset - 1), storage);
  const next = log.unstable.nextEntries();
  if (next.length > 0) log.unstable.stableTo(next.at(-1)!);
  expect(next).toEqual(wanted);
  expect(log.unstable.offset).toBe(3);
});

test('TestLogRestore', () => {
  const storage = new MemoryStorage();
  storage.applySnapshot(snapshotAt(1000, 1000));
  const log = new RaftLog(storage, silentLogger);
  expect(log.entriesFrom(log.firstIndex(), Number.MAX_SAFE_INTEGER)).toEqual([]);
  expect(log.firstIndex()).toBe(1001);
  expect(log.committed).toBe(1000);
  expect(log.unstable.offset).toBe(1001);
  expect(log.term(1000)).toBe(1000);
});
