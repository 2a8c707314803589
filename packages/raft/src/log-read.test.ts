// etcd's log_test.go: what is handed out for application, terms, slices, scans and compaction.
import { describe, expect, test } from 'vitest';
import { silentLogger } from './config.ts';
import { entriesBytes, entryBytes } from './entry-size.ts';
import { RaftLog } from './log.ts';
import { MemoryStorage } from './memory-storage.ts';
import { noLimit, type Entry } from './message.ts';
import type { Unreadable } from './storage.ts';
import { at, atRange, snapshotAt } from './testing/entries.ts';

const entries = at(4, 1, 1, 1);

/** Snapshot at 3, entries 4..6, of which 4 is durable and 5 committed. */
function committedLog(applied: number, applyingBytesMax?: number): RaftLog {
  const storage = new MemoryStorage();
  storage.applySnapshot(snapshotAt(3, 1));
  storage.append(entries.slice(0, 1));
  const log = new RaftLog(storage, silentLogger, applyingBytesMax);
  log.append(entries);
  log.unstable.stableTo({ index: 4, term: 1 });
  log.maybeCommit({ index: 5, term: 1 });
  log.appliedTo(applied, 0);
  return log;
}

const handedOut: {
  applied: number;
  applying: number;
  allowUnstable: boolean;
  isPaused?: boolean;
  hasSnapshot?: boolean;
  wanted: Entry[];
}[] = [
  { applied: 3, applying: 3, allowUnstable: true, wanted: entries.slice(0, 2) },
  { applied: 3, applying: 4, allowUnstable: true, wanted: entries.slice(1, 2) },
  { applied: 3, applying: 5, allowUnstable: true, wanted: [] },
  { applied: 4, applying: 4, allowUnstable: true, wanted: entries.slice(1, 2) },
  { applied: 4, applying: 5, allowUnstable: true, wanted: [] },
  { applied: 5, applying: 5, allowUnstable: true, wanted: [] },
  { applied: 3, applying: 3, allowUnstable: false, wanted: entries.slice(0, 1) },
  { applied: 3, applying: 4, allowUnstable: false, wanted: [] },
  { applied: 3, applying: 5, allowUnstable: false, wanted: [] },
  { applied: 4, applying: 4, allowUnstable: false, wanted: [] },
  { applied: 4, applying: 5, allowUnstable: false, wanted: [] },
  { applied: 5, applying: 5, allowUnstable: false, wanted: [] },
  { applied: 3, applying: 3, allowUnstable: true, isPaused: true, wanted: [] },
  { applied: 3, applying: 3, allowUnstable: true, hasSnapshot: true, wanted: [] },
];

function handOut(given: (typeof handedOut)[number]): RaftLog {
  const log = committedLog(given.applied);
  log.acceptApplying(given.applying, 0, given.allowUnstable);
  log.isApplyingPaused = given.isPaused ?? false;
  if (given.hasSnapshot === true) log.restore(snapshotAt(4, 1));
  return log;
}

test.each(handedOut)('TestHasNextCommittedEnts: %#', (given) => {
  expect(handOut(given).hasNextCommitted(given.allowUnstable)).toBe(given.wanted.length > 0);
});

test.each(handedOut)('TestNextCommittedEnts: %#', (given) => {
  expect(handOut(given).nextCommitted(given.allowUnstable)).toEqual(given.wanted);
});

describe('TestAcceptApplying', () => {
  const limit = 100;
  const full = [3, 4, 5].flatMap((index) =>
    [true, false].flatMap((allowUnstable) => [
      { index, allowUnstable, bytes: limit, wanted: true },
      { index, allowUnstable, bytes: limit + 1, wanted: true },
    ]),
  );
  test.each([
    ...full,
    // Below the limit, and yet more was committed than fitted.
    { index: 3, allowUnstable: true, bytes: limit - 1, wanted: true },
    { index: 4, allowUnstable: true, bytes: limit - 1, wanted: true },
    { index: 5, allowUnstable: true, bytes: limit - 1, wanted: false },
    { index: 3, allowUnstable: false, bytes: limit - 1, wanted: true },
    { index: 4, allowUnstable: false, bytes: limit - 1, wanted: false },
    { index: 5, allowUnstable: false, bytes: limit - 1, wanted: false },
  ])('up to $index, $bytes bytes, unstable $allowUnstable', ({ index, allowUnstable, bytes, wanted }) => {
    const log = committedLog(3, limit);
    log.acceptApplying(index, bytes, allowUnstable);
    expect(log.isApplyingPaused).toBe(wanted);
  });
});

test.each([
  { index: 4, bytes: 4, left: 101, isPaused: true },
  { index: 4, bytes: 5, left: 100, isPaused: true },
  { index: 4, bytes: 6, left: 99, isPaused: false },
  { index: 5, bytes: 4, left: 101, isPaused: true },
  { index: 5, bytes: 5, left: 100, isPaused: true },
  { index: 5, bytes: 6, left: 99, isPaused: false },
  { index: 4, bytes: 105, left: 0, isPaused: false },
  { index: 4, bytes: 106, left: 0, isPaused: false },
])('TestAppliedTo: $index, $bytes bytes', ({ index, bytes, left, isPaused }) => {
  const log = committedLog(3, 100);
  log.acceptApplying(5, 105, false);
  log.appliedTo(index, bytes);
  expect(log).toMatchObject({
    applied: index,
    applying: 5,
    applyingBytes: left,
    isApplyingPaused: isPaused,
  });
});

test('TestCompactionSideEffects', () => {
  const storage = new MemoryStorage();
  storage.append(atRange(1, 1, 751));
  const log = new RaftLog(storage, silentLogger);
  log.append(atRange(751, 751, 1001));
  expect(log.maybeCommit(log.lastEntryId())).toBe(true);
  log.appliedTo(log.committed, 0);
  storage.compact(500);
  expect(log.lastIndex()).toBe(1000);
  for (let index = 500; index <= 1000; index += 1) {
    expect(log.term(index)).toBe(index);
    expect(log.matches({ index, term: index })).toBe(true);
  }
  const unstable = log.unstable.nextEntries();
  expect([unstable.length, unstable[0]!.index]).toEqual([250, 751]);
  expect(log.append(at(1001, 1001))).toBe(1001);
  expect(log.entriesFrom(1001, noLimit)).toHaveLength(1);
});

test.each([
  { compacted: [300, 500, 800, 900], left: [700, 500, 200, 100], refusal: '' },
  { compacted: [300, 299], left: [700], refusal: 'due to compaction' },
  { compacted: [1001], left: [], refusal: 'the last entry is 1000' },
])('TestCompaction: $compacted', ({ compacted, left, refusal }) => {
  const storage = new MemoryStorage();
  storage.append(atRange(1, 1, 1001));
  const log = new RaftLog(storage, silentLogger);
  const lengths = compacted.slice(0, left.length).map((index) => {
    storage.compact(index);
    return log.lastIndex() + 1 - log.firstIndex();
  });
  expect(lengths).toEqual(left);
  for (const index of compacted.slice(left.length)) expect(() => storage.compact(index)).toThrow(refusal);
});

describe('TestIsOutOfBounds', () => {
  const storage = new MemoryStorage();
  storage.applySnapshot(snapshotAt(100, 0));
  const log = new RaftLog(storage, silentLogger);
  log.append(atRange(101, 101, 201));
  test.each([
    { lo: 99, hi: 102, wanted: 'compacted' },
    { lo: 100, hi: 102, wanted: 'compacted' },
    { lo: 101, hi: 101, wanted: [] },
    { lo: 151, hi: 151, wanted: [] },
    { lo: 200, hi: 200, wanted: [] },
    { lo: 201, hi: 201, wanted: [] },
  ])('[$lo, $hi)', ({ lo, hi, wanted }) => {
    expect(log.slice(lo, hi, noLimit)).toEqual(wanted);
  });
  test.each([
    [201, 202],
    [202, 202],
  ])('[%i, %i) stops the process', (lo, hi) => {
    expect(() => log.slice(lo, hi, noLimit)).toThrow(/out of bound/);
  });
});

test.each<[index: number, wanted: number | Unreadable]>([
  [99, 'compacted'],
  [100, 1],
  [150, 50],
  [199, 99],
  [200, 'unavailable'],
])('TestTerm: %i', (index, wanted) => {
  const storage = new MemoryStorage();
  storage.applySnapshot(snapshotAt(100, 1));
  const log = new RaftLog(storage, silentLogger);
  log.append(atRange(101, 1, 100));
  expect(log.term(index)).toBe(wanted);
});

test.each<[index: number, wanted: number | Unreadable]>([
  [100, 'compacted'],
  [101, 'compacted'],
  [104, 'compacted'],
  [105, 1],
  [106, 'unavailable'],
])('TestTermWithUnstableSnapshot: %i', (index, wanted) => {
  const storage = new MemoryStorage();
  storage.applySnapshot(snapshotAt(100, 1));
  const log = new RaftLog(storage, silentLogger);
  log.restore(snapshotAt(105, 1));
  expect(log.term(index)).toBe(wanted);
});

/** Snapshot at `offset`, durable entries below `half`, unstable ones below `last`; term = index. */
function halfDurableLog(offset: number, half: number, last: number): RaftLog {
  const storage = new MemoryStorage();
  storage.applySnapshot(snapshotAt(offset, 0));
  storage.append(atRange(offset + 1, offset + 1, half));
  const log = new RaftLog(storage, silentLogger);
  log.append(atRange(half, half, last));
  return log;
}

describe('TestSlice', () => {
  // From 128 on every entry has the same size.
  const [offset, half, last] = [200, 250, 300];
  const log = halfDurableLog(offset, half, last);
  const size = entryBytes({ ...at(half, half)[0]! });

  test.each([
    [offset - 1, offset + 1],
    [offset, offset + 1],
  ])('[%i, %i) is compacted', (lo, hi) => {
    expect(log.slice(lo, hi, noLimit)).toBe('compacted');
  });
  test.each([
    [half, half - 1],
    [last, last + 1],
  ])('[%i, %i) stops the process', (lo, hi) => {
    expect(() => log.slice(lo, hi, noLimit)).toThrow(/invariant broken/);
  });
  test.each<[lo: number, hi: number, bytesMax: number, end: number]>([
    [offset + 1, offset + 1, noLimit, offset + 1],
    [offset + 1, half - 1, noLimit, half - 1],
    [offset + 1, half, noLimit, half],
    [offset + 1, half + 1, noLimit, half + 1],
    [offset + 1, last, noLimit, last],
    [half - 1, half, noLimit, half],
    [half - 1, half + 1, noLimit, half + 1],
    [half - 1, last, noLimit, last],
    [half, half + 1, noLimit, half + 1],
    [half, last, noLimit, last],
    [last - 1, last, noLimit, last],
    // One at least.
    [offset + 1, last, 0, offset + 2],
    [half - 1, half + 1, 0, half],
    [half, last, 0, half + 1],
    [half + 1, last, 0, half + 2],
    [offset + 1, last, size - 1, offset + 2],
    [half - 1, half + 1, size - 1, half],
    [half, last, size - 1, half + 1],
    // Just enough for one, not for two.
    [offset + 1, last, size, offset + 2],
    [half - 1, half + 1, size, half],
    [half, last, size, half + 1],
    [offset + 1, last, size + 1, offset + 2],
    [half - 1, half + 1, size + 1, half],
    [half, last, size + 1, half + 1],
    // For two, not for three, for three.
    [offset + 1, last, size * 2, offset + 3],
    [half - 2, half + 1, size * 2, half],
    [half - 1, half + 1, size * 2, half + 1],
    [half, last, size * 2, half + 2],
    [half - 2, half + 1, size * 3 - 1, half],
    [half - 1, half + 2, size * 3, half + 2],
  ])('[%i, %i) within %i bytes ends before %i', (lo, hi, bytesMax, end) => {
    expect(log.slice(lo, hi, bytesMax)).toEqual(atRange(lo, lo, end));
  });
});

describe('TestScan', () => {
  const [offset, half, last] = [47, 57, 67];
  const log = halfDurableLog(offset, half, last);
  const size = entriesBytes(atRange(half, half, half + 1));

  test.each([0, 1, 10, 100, size, size + 1])('pages of %i bytes give what a slice does', (pageBytes) => {
    for (let lo = offset + 1; lo < last; lo += 1)
      for (let hi = lo; hi <= last; hi += 1) {
        const got: Entry[] = [];
        const oversized: number[] = [];
        const isEnded = log.scan(lo, hi, pageBytes, (page): boolean => {
          got.push(...page);
          if (page.length > 1 && entriesBytes(page) > pageBytes) oversized.push(page.length);
          return false;
        });
        expect(isEnded).toBe(false);
        expect(oversized).toEqual([]);
        expect(got).toEqual(log.slice(lo, hi, noLimit));
      }
  });
  test('a visit ends it', () => {
    const visited: number[] = [];
    const stop = (page: readonly Entry[]): boolean => visited.push(page[0]!.index) === 2;
    expect(log.scan(offset + 1, half, 0, stop)).toBe(true);
    expect(visited).toEqual([offset + 1, offset + 2]);
  });
  test('pages are filled', () => {
    const lengths: number[] = [];
    log.scan(offset + 1, offset + 11, size * 2, (page) => {
      lengths.push(page.length);
      return false;
    });
    expect(lengths).toEqual([2, 2, 2, 2, 2]);
  });
});
