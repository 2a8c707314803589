// A replica holds on to what it shows and to nothing else: an arena goes back to the system when no view of it is left.
import { collectGarbage } from '@quiver/env';
import { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import { createPlainSegment, segmentSchemaOf, type SegmentReader } from '@quiver/segment';
import { expect, test } from 'vitest';
import { collectionOn } from '../testing/node-cluster.ts';
import { Replica } from './replica.ts';

test('a segment that was there from the start is let go when it is replaced', async () => {
  const record = collectionOn('c', [1]);
  const directory = new ArenaDirectory(0);
  const pool = new ArenaPool({ threads: 1, budgetBytes: 1 << 24, onArena: (arena) => directory.add(arena) });
  const opened = (): SegmentReader =>
    createPlainSegment(pool, directory, segmentSchemaOf(record.config.params), {
      id: 1,
      capacityRows: 16,
      blobBytes: 64,
      baseGroup: 0,
    }).reader;
  const start = (): { replica: Replica; left: WeakRef<SegmentReader> } => {
    const reader = opened();
    const replica = new Replica({
      record,
      shardId: 0,
      number: 1,
      pool,
      directory,
      onSegments: () => undefined,
      start: { visibleSeq: 0, points: 0, segments: [reader], nextSegmentId: 2 },
    });
    return { replica, left: new WeakRef(reader) };
  };
  const { replica, left } = start();
  replica.segments = [];
  // A weak reference is kept until the turn in which it was made has ended.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  expect(left.deref()).toBeUndefined();
  expect(replica.segments).toEqual([]);
});

test('while memory that was let go of may still be read, writes are asked to wait; when it is used they are refused', () => {
  const mib = 1 << 20;
  const directory = new ArenaDirectory(0);
  const pool = new ArenaPool({ threads: 1, budgetBytes: 64 * mib, onArena: (arena) => directory.add(arena) });
  const replica = new Replica({
    record: collectionOn('c', [1]),
    shardId: 0,
    number: 1,
    pool,
    directory,
    onSegments: () => undefined,
    start: { visibleSeq: 0, points: 0, segments: [], nextSegmentId: 1 },
  });
  const codeOf = (): string => {
    try {
      replica.assertRoom(mib, 0);
      return 'taken';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  const merged = pool.allocate(60 * mib);
  expect(codeOf()).toBe('insufficient_storage');
  pool.retire(merged);
  expect(codeOf()).toBe('rate_limited');
  pool.release(merged);
  expect(codeOf()).toBe('taken');
});
