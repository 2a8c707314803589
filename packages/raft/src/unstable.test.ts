// etcd's log_unstable_test.go.
import { expect, test } from 'vitest';
import { silentLogger } from './config.ts';
import type { Entry, Snapshot } from './message.ts';
import { at, snapshotAt } from './testing/entries.ts';
import { Unstable } from './unstable.ts';

interface Given {
  readonly entries?: Entry[];
  readonly offset: number;
  readonly inProgressEnd?: number;
  readonly snapshot?: Snapshot | null;
  readonly isSnapshotInProgress?: boolean;
}

function unstableOf(given: Given): Unstable {
  const unstable = new Unstable(given.offset, silentLogger);
  unstable.entries = given.entries ?? [];
  unstable.inProgressEnd = given.inProgressEnd ?? given.offset;
  unstable.snapshot = given.snapshot ?? null;
  unstable.isSnapshotInProgress = given.isSnapshotInProgress ?? false;
  return unstable;
}

const snapshot = snapshotAt(4, 1);

test.each<[given: Given, wanted: number | undefined]>([
  [{ entries: at(5, 1), offset: 5 }, undefined],
  [{ offset: 0 }, undefined],
  [{ entries: at(5, 1), offset: 5, snapshot }, 5],
  [{ offset: 5, snapshot }, 5],
])('TestUnstableMaybeFirstIndex: %#', (given, wanted) => {
  expect(unstableOf(given).firstIndex()).toBe(wanted);
});

test.each<[given: Given, wanted: number | undefined]>([
  [{ entries: at(5, 1), offset: 5 }, 5],
  [{ entries: at(5, 1), offset: 5, snapshot }, 5],
  [{ offset: 5, snapshot }, 4],
  [{ offset: 0 }, undefined],
])('TestMaybeLastIndex: %#', (given, wanted) => {
  expect(unstableOf(given).lastIndex()).toBe(wanted);
});

test.each<[given: Given, index: number, wanted: number | undefined]>([
  [{ entries: at(5, 1), offset: 5 }, 5, 1],
  [{ entries: at(5, 1), offset: 5 }, 6, undefined],
  [{ entries: at(5, 1), offset: 5 }, 4, undefined],
  [{ entries: at(5, 1), offset: 5, snapshot }, 5, 1],
  [{ entries: at(5, 1), offset: 5, snapshot }, 6, undefined],
  // Of the snapshot.
  [{ entries: at(5, 1), offset: 5, snapshot }, 4, 1],
  [{ entries: at(5, 1), offset: 5, snapshot }, 3, undefined],
  [{ offset: 5, snapshot }, 5, undefined],
  [{ offset: 5, snapshot }, 4, 1],
  [{ offset: 0 }, 5, undefined],
])('TestUnstableMaybeTerm: %#, index %i', (given, index, wanted) => {
  expect(unstableOf(given).term(index)).toBe(wanted);
});

test('TestUnstableRestore', () => {
  const unstable = unstableOf({
    entries: at(5, 1),
    offset: 5,
    inProgressEnd: 6,
    snapshot,
    isSnapshotInProgress: true,
  });
  const newer = snapshotAt(6, 2);
  unstable.restore(newer);
  expect(unstable).toMatchObject({
    offset: 7,
    inProgressEnd: 7,
    entries: [],
    snapshot: newer,
    isSnapshotInProgress: false,
  });
});

test.each([
  { inProgressEnd: 5, wanted: at(5, 1, 1) },
  { inProgressEnd: 6, wanted: at(6, 1) },
  { inProgressEnd: 7, wanted: [] },
])('TestUnstableNextEntries: in progress up to $inProgressEnd', ({ inProgressEnd, wanted }) => {
  const unstable = unstableOf({ entries: at(5, 1, 1), offset: 5, inProgressEnd });
  expect(unstable.nextEntries()).toEqual(wanted);
  expect(unstable.hasNextEntries()).toBe(wanted.length > 0);
});

test.each<[given: Given, wanted: Snapshot | null]>([
  [{ offset: 0 }, null],
  [{ offset: 0, snapshot }, snapshot],
  [{ offset: 0, snapshot, isSnapshotInProgress: true }, null],
])('TestUnstableNextSnapshot: %#', (given, wanted) => {
  expect(unstableOf(given).nextSnapshot()).toBe(wanted);
});

const lengths: [count: number, inProgressEnd: number, wantedEnd: number][] = [
  [0, 5, 5],
  [1, 5, 6],
  [2, 5, 7],
  [2, 6, 7],
  [2, 7, 7],
];
test.each(
  lengths.flatMap(([count, inProgressEnd, wantedEnd]) =>
    [
      { given: null, isBefore: false, isAfter: false },
      { given: snapshot, isBefore: false, isAfter: true },
      { given: snapshot, isBefore: true, isAfter: true },
    ].map((which) => ({ count, inProgressEnd, wantedEnd, ...which })),
  ),
)(
  'TestUnstableAcceptInProgress: $count entries, up to $inProgressEnd, snapshot in progress $isBefore',
  ({ count, inProgressEnd, wantedEnd, given, isBefore, isAfter }) => {
    const unstable = unstableOf({
      entries: at(5, ...Array.from({ length: count }, () => 1)),
      offset: 5,
      inProgressEnd,
      snapshot: given,
      isSnapshotInProgress: isBefore,
    });
    unstable.acceptInProgress();
    expect(unstable.inProgressEnd).toBe(wantedEnd);
    expect(unstable.isSnapshotInProgress).toBe(isAfter);
  },
);

test.each<[given: Given, index: number, term: number, offset: number, inProgressEnd: number, left: number]>([
  [{ offset: 0 }, 5, 1, 0, 0, 0],
  [{ entries: at(5, 1), offset: 5, inProgressEnd: 6 }, 5, 1, 6, 6, 0],
  [{ entries: at(5, 1, 1), offset: 5, inProgressEnd: 6 }, 5, 1, 6, 6, 1],
  [{ entries: at(5, 1, 1), offset: 5, inProgressEnd: 7 }, 5, 1, 6, 7, 1],
  // Another term: the tail was replaced.
  [{ entries: at(6, 2), offset: 6, inProgressEnd: 7 }, 6, 1, 6, 7, 1],
  // Before the tail.
  [{ entries: at(5, 1), offset: 5, inProgressEnd: 6 }, 4, 1, 5, 6, 1],
  [{ entries: at(5, 1), offset: 5, inProgressEnd: 6 }, 4, 2, 5, 6, 1],
  // With a snapshot.
  [{ entries: at(5, 1), offset: 5, inProgressEnd: 6, snapshot }, 5, 1, 6, 6, 0],
  [{ entries: at(5, 1, 1), offset: 5, inProgressEnd: 6, snapshot }, 5, 1, 6, 6, 1],
  [{ entries: at(5, 1, 1), offset: 5, inProgressEnd: 7, snapshot }, 5, 1, 6, 7, 1],
  [{ entries: at(6, 2), offset: 6, inProgressEnd: 7, snapshot: snapshotAt(5, 1) }, 6, 1, 6, 7, 1],
  [{ entries: at(5, 1), offset: 5, inProgressEnd: 6, snapshot }, 4, 1, 5, 6, 1],
  [{ entries: at(5, 2), offset: 5, inProgressEnd: 6, snapshot: snapshotAt(4, 2) }, 4, 1, 5, 6, 1],
])('TestUnstableStableTo: %#', (given, index, term, offset, inProgressEnd, left) => {
  const unstable = unstableOf(given);
  unstable.stableTo({ index, term });
  expect(unstable).toMatchObject({ offset, inProgressEnd });
  expect(unstable.entries).toHaveLength(left);
});

test.each<
  [terms: number[], inProgressEnd: number, appended: Entry[], offset: number, end: number, wanted: Entry[]]
>([
  // To the end.
  [[1], 5, at(6, 1, 1), 5, 5, at(5, 1, 1, 1)],
  [[1], 6, at(6, 1, 1), 5, 6, at(5, 1, 1, 1)],
  // Instead of all.
  [[1], 5, at(5, 2, 2), 5, 5, at(5, 2, 2)],
  [[1], 5, at(4, 2, 2, 2), 4, 4, at(4, 2, 2, 2)],
  [[1], 6, at(5, 2, 2), 5, 5, at(5, 2, 2)],
  // Instead of a part.
  [[1, 1, 1], 5, at(6, 2), 5, 5, at(5, 1, 2)],
  [[1, 1, 1], 5, at(7, 2, 2), 5, 5, at(5, 1, 1, 2, 2)],
  [[1, 1, 1], 6, at(6, 2), 5, 6, at(5, 1, 2)],
  [[1, 1, 1], 7, at(6, 2), 5, 6, at(5, 1, 2)],
])('TestUnstableTruncateAndAppend: %#', (terms, inProgressEnd, appended, offset, end, wanted) => {
  const unstable = unstableOf({ entries: at(5, ...terms), offset: 5, inProgressEnd });
  unstable.truncateAndAppend(appended);
  expect(unstable).toMatchObject({ offset, inProgressEnd: end, entries: wanted });
});
