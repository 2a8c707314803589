import { ArenaDirectory, ArenaPool, createRng } from '@quiver/kernel';
import { expect, test } from 'vitest';
import { packedBytes, packRows, unpackRows } from './packed-rows.ts';
import type { SegmentSchema } from './schema.ts';
import type { SegmentReader } from './segment.ts';
import {
  createTestReplica,
  mixedSchema,
  randomVectors,
  testId,
  type TestReplica,
} from './testing/replica.ts';

const schema = mixedSchema(5);

function filled(seed: number): TestReplica {
  const rng = createRng(seed);
  const replica = createTestReplica(schema);
  for (let i = 0; i < 300; i += 1) {
    const id = testId(rng.below(150));
    if (rng.below(4) === 0) replica.remove(id);
    else replica.upsert(id, `{"x":"${'é'.repeat(rng.below(20))}"}`, randomVectors(rng, schema));
    if (rng.below(3) === 0) replica.publish();
  }
  replica.publish();
  return replica;
}

function unpacked(packed: Uint8Array, as: SegmentSchema = schema): SegmentReader {
  const directory = new ArenaDirectory(0);
  const pool = new ArenaPool({ threads: 1, budgetBytes: 2 ** 26, onArena: (arena) => directory.add(arena) });
  return unpackRows(pool, directory, as, packed, { id: 9, baseGroup: 0 });
}

test.each([1, 2, 3])(
  'what was packed is there with all its parts, and what was dead is not (seed %i)',
  (seed) => {
    const replica = filled(seed);
    const packed = packRows(replica.segments, replica.applied)!;
    // As it comes from a store: at any place of a buffer.
    const moved = new Uint8Array(packed.length + 3);
    moved.set(packed, 3);
    const reader = unpacked(moved.subarray(3));
    expect(reader.rowCount()).toBe(replica.model.size);
    expect(reader.deadCount()).toBe(0);
    for (const [id, point] of replica.model) {
      const row = reader.findAlive(id);
      expect(reader.id(row)).toEqual(id);
      expect(reader.isVisible(row, 1)).toBe(true);
      expect(reader.version(row)).toBe(point.version);
      expect(Buffer.from(reader.payload(row)).toString()).toBe(point.payload);
      expect(reader.vectors(row, null)).toEqual(point.vectors);
    }
    expect(packRows([reader], 1)).toEqual(packed);
    expect(packedBytes(replica.segments)).toBeGreaterThan(0.8 * packed.length);
  },
);

test('rows that are not published yet cannot be packed', () => {
  const replica = filled(4);
  replica.upsert(testId(1), '', new Map());
  expect(packRows(replica.segments, replica.applied)).toBeNull();
});

test('rows of another schema are refused', () => {
  const replica = filled(5);
  const packed = packRows(replica.segments, replica.applied)!;
  expect(() => unpacked(packed, mixedSchema(6))).toThrow('another schema');
});
