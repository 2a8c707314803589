import { ArenaDirectory, ArenaPool, createRng, type Rng } from '@quiver/kernel';
import { comparePointIds, type PointId } from '@quiver/model';
import { expect, test } from 'vitest';
import { regionsOf } from './descriptor.ts';
import { createPlainSegment } from './plain-segment.ts';
import { allocateStored, finishLoad, savedDeaths, segmentParts, storedSegment } from './stored-segment.ts';
import type { SegmentReader } from './segment.ts';
import {
  createTestReplica,
  mixedSchema,
  randomVectors,
  testId,
  type TestReplica,
} from './testing/replica.ts';

const schema = mixedSchema(5);
const graphs = new Map([['a', { m: 8, efConstruct: 50, quantization: null }]]);
const decoder = new TextDecoder();

function randomChange(rng: Rng, replica: TestReplica): void {
  const id = testId(rng.below(300));
  if (rng.below(4) === 0) replica.remove(id);
  else
    replica.upsert(
      id,
      `{"n":${rng.below(1000)},"x":"${'é'.repeat(rng.below(20))}"}`,
      randomVectors(rng, schema),
    );
}

/** Every visible row once, equal to the model in every part. */
function expectSameAsModel(replica: TestReplica): void {
  const seen = new Map<PointId, { reader: SegmentReader; row: number }>();
  for (const reader of replica.segments)
    for (const row of reader.visibleRows(replica.applied)) {
      const id = reader.id(row);
      expect(seen.has(id), `point ${id} is visible twice`).toBe(false);
      seen.set(id, { reader, row });
    }
  expect([...seen.keys()].sort(comparePointIds)).toEqual([...replica.model.keys()].sort(comparePointIds));
  for (const [id, point] of replica.model) {
    const { reader, row } = seen.get(id)!;
    expect(replica.find(id)).toEqual({ reader, row });
    expect(reader.version(row)).toBe(point.version);
    expect(decoder.decode(reader.payload(row).slice())).toBe(point.payload);
    expect(reader.vectors(row, null)).toEqual(point.vectors);
    for (const { name } of schema.vectors) expect(reader.hasVector(row, name)).toBe(point.vectors.has(name));
  }
}

test.each([1, 2, 3])(
  'upserts, deletes and merges show exactly the points of a plain map (seed %i)',
  (seed) => {
    const rng = createRng(seed);
    const replica = createTestReplica(schema);
    for (let round = 0; round < 12; round += 1) {
      for (let i = 0; i < 40; i += 1) {
        randomChange(rng, replica);
        if (rng.below(3) === 0) replica.publish();
      }
      replica.publish();
      expectSameAsModel(replica);
      if (round % 3 === 2) {
        replica.merge(graphs, round === 11 ? 1 : 0, () => {
          if (rng.below(4) !== 0) return;
          randomChange(rng, replica);
          replica.publish();
        });
        expectSameAsModel(replica);
      }
    }
    expect(replica.segments.some((reader) => reader.descriptor.kind === 'sealed')).toBe(true);
  },
);

test('a group that is not published shows neither its rows nor its deaths', () => {
  const replica = createTestReplica(schema);
  replica.upsert(1, '{"v":1}', new Map());
  replica.publish();
  replica.upsert(1, '{"v":2}', new Map());
  replica.upsert(2, '{}', new Map());
  const head = replica.segments[0]!;
  const shown = (group: number): string[] =>
    [...head.visibleRows(group)].map((row) => decoder.decode(head.payload(row).slice()));
  expect(shown(0)).toEqual([]);
  expect(shown(replica.applied)).toEqual(['{"v":1}']);
  expect(head.find(2, replica.applied)).toBe(-1);
  expect(head.find(1, replica.applied)).toBe(0);
  replica.publish();
  expect(shown(replica.applied)).toEqual(['{"v":2}', '{}']);
  expect(head.find(1, replica.applied)).toBe(1);
});

test('the id order covers all rows, also those appended after it was first asked for', () => {
  const rng = createRng(5);
  const replica = createTestReplica(schema, 256);
  const head = replica.segments[0]!;
  for (let round = 0; round < 5; round += 1) {
    for (let i = 0; i < 40; i += 1) replica.upsert(testId(rng.below(200)), '{}', new Map());
    const order = head.idOrder();
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: head.rowCount() }, (_, i) => i));
    const ids = Array.from(order, (row) => head.id(row));
    for (let i = 1; i < ids.length; i += 1) {
      const ordered = comparePointIds(ids[i - 1]!, ids[i]!) || order[i - 1]! - order[i]!;
      expect(ordered, `places ${i - 1} and ${i}`).toBeLessThan(0);
    }
    // A writer goes on while a reader has the order: places are those of the order it has.
    replica.upsert(testId(0), '{}', new Map());
    for (let n = 0; n < 220; n += 7) {
      const want = ids.findIndex((id) => comparePointIds(id, testId(n)) >= 0);
      expect(head.lowerBound(order, testId(n))).toBe(want < 0 ? ids.length : want);
    }
  }
});

test('a full segment refuses a row and stays as it was', () => {
  const replica = createTestReplica(schema, 4);
  for (let n = 0; n < 9; n += 1) replica.upsert(n, '{"some":"payload"}', new Map());
  replica.publish();
  expect(replica.segments.map((reader) => reader.rowCount())).toEqual([4, 4, 1]);
  expectSameAsModel(replica);
});

test('a point larger than a head gets a head of its size', () => {
  const replica = createTestReplica(schema, 4);
  replica.upsert(1, `{"text":"${'x'.repeat(100_000)}"}`, new Map());
  replica.publish();
  expectSameAsModel(replica);
});

test('a stored segment is loaded again byte for byte, with its deaths', () => {
  const rng = createRng(11);
  const replica = createTestReplica(schema);
  for (let i = 0; i < 500; i += 1) randomChange(rng, replica);
  replica.publish();
  replica.merge(graphs, 1);
  for (const n of [3, 50, 77, 120]) replica.remove(testId(n));
  replica.publish();
  const { directory, pool } = replica;
  replica.segments = replica.segments.map((reader) => {
    const stored = JSON.parse(JSON.stringify(storedSegment(reader))) as ReturnType<typeof storedSegment>;
    const deaths = savedDeaths(reader, replica.applied);
    const target = allocateStored(pool, stored, 1);
    const from = segmentParts(reader.descriptor, stored, directory);
    const to = segmentParts(target, stored, directory);
    expect(to.map((part) => part.name)).toEqual(from.map((part) => part.name));
    for (const [index, part] of from.entries())
      for (const [piece, bytes] of part.bytes!.entries()) to[index]!.bytes![piece]!.set(bytes);
    const loaded = finishLoad(target, stored, directory, deaths);
    expect(loaded.rowCount()).toBe(reader.rowCount());
    expect(loaded.deadCount()).toBe(reader.deadCount());
    return loaded;
  });
  expect(replica.segments[0]!.descriptor.graphs.length).toBe(1);
  expectSameAsModel(replica);
});

test('a stored segment of another layout is refused as corruption', () => {
  const replica = createTestReplica(schema);
  const stored = { ...storedSegment(replica.segments[0]!), layoutVersion: 99 };
  expect(() => allocateStored(replica.pool, stored, 1)).toThrow(/layout 99/);
});

test('a thousand segments made and dropped take the memory of one', () => {
  const replica = createTestReplica(schema);
  const before = replica.pool.stats().usedBytes;
  let most = 0;
  for (let round = 0; round < 1000; round += 1) {
    replica.upsert(round % 7, '{}', new Map());
    for (let i = 0; i < 64; i += 1) replica.upsert(1000 + i, '{}', new Map());
    replica.publish();
    replica.merge(new Map(), 0);
    const { usedBytes, pooledBytes } = replica.pool.stats();
    most = Math.max(most, usedBytes + pooledBytes);
  }
  expect(replica.model.size).toBe(71);
  expect(most).toBeLessThan(before * 20);
});

test('resident memory does not grow over a thousand segments that are made, filled and dropped', () => {
  const directory = new ArenaDirectory(0);
  const pool = new ArenaPool({ threads: 1, budgetBytes: 2 ** 28, onArena: (arena) => directory.add(arena) });
  const rssBefore = process.memoryUsage.rss();
  let filledBytes = 0;
  for (let id = 1; id <= 1000; id += 1) {
    const options = {
      id,
      capacityRows: 1000 + (id % 7) * 300,
      blobBytes: 200_000 * (1 + (id % 3)),
      baseGroup: 0,
    };
    const { descriptor } = createPlainSegment(pool, directory, schema, options);
    for (const region of regionsOf(descriptor)) {
      directory.bytes(region).fill(1);
      filledBytes += region.bytes;
      pool.release(region);
    }
  }
  expect(filledBytes).toBeGreaterThan(600 << 20);
  expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(200 << 20);
  expect(pool.stats().usedBytes).toBe(0);
});
