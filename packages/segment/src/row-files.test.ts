// Rows in files only: every answer is the one that the same rows give in memory.
import { createRng, type Rng } from '@quiver/kernel';
import type { Quantization } from '@quiver/ann';
import type { Datatype, Distance } from '@quiver/model';
import { describe, expect, test } from 'vitest';
import { coldVectors, regionsOf } from './descriptor.ts';
import { headerWords } from './layout.ts';
import { killRow } from './plain-segment.ts';
import { allocateRepacked, copyCore, finishRepack, repackedCoreBytes, residentRows } from './repack.ts';
import { segmentSchemaOf, type SegmentSchema } from './schema.ts';
import { planOf, searchSegment, type SegmentSearch } from './search.ts';
import { blobBytesOfRow } from './segment-reader.ts';
import type { SegmentReader } from './segment.ts';
import { runSteps } from './steps.ts';
import { allocateStored, finishLoad, savedDeaths, segmentParts, storedSegment } from './stored-segment.ts';
import { createTestReplica, randomUnit, testId, type TestReplica } from './testing/replica.ts';

const size = 20;
const rows = 1500;

function schemaOf(distance: Distance, datatype: Datatype): SegmentSchema {
  return segmentSchemaOf({
    vectors: { image: { size, distance, datatype }, text: { size: 6, distance } },
    shard_number: 1,
    replication_factor: 1,
    write_consistency_factor: 1,
    on_disk_payload: false,
  });
}

/** The same points in one sealed segment. */
function replicaOf(
  schema: SegmentSchema,
  quantization: Quantization | null,
  cold: ReadonlySet<string>,
  seed: number,
): TestReplica {
  const replica = createTestReplica(schema, 256, cold);
  const rng = createRng(seed);
  const fill = (count: number): void => {
    for (let i = 0; i < count; i += 1) {
      const vectors = new Map([['text', { kind: 'dense', values: randomUnit(rng, 6) } as const]]);
      if (rng.below(8) !== 0) vectors.set('image', { kind: 'dense', values: randomUnit(rng, size) });
      replica.upsert(testId(rng.below(2 * rows)), '{"a":1}', vectors);
    }
    replica.publish();
  };
  const graphs = new Map([['image', { m: 8, efConstruct: 40, quantization }]]);
  fill(rows);
  replica.merge(graphs, 1);
  // Rows of a file are an input, too.
  fill(300);
  replica.merge(graphs, 1);
  return replica;
}

function sealedOf(replica: TestReplica): SegmentReader {
  return replica.segments.find(({ descriptor }) => descriptor.kind === 'sealed')!;
}

function searchesOf(rng: Rng, count: number): SegmentSearch[] {
  const filterOf = (share: number): Uint32Array => {
    const words = new Uint32Array(Math.ceil(count / 32));
    for (let row = 0; row < count; row += 1)
      if (rng.float() < share) words[row >>> 5] = words[row >>> 5]! | (1 << (row & 31));
    return words;
  };
  return Array.from({ length: 60 }, (_, i): SegmentSearch => {
    // 1: no filter.
    const share = [1, 0.02, 0.2, 0.7][rng.below(4)]!;
    return {
      vector: { kind: 'dense', values: randomUnit(rng, size) },
      name: 'image',
      k: [1, 10, 10, 100, count][rng.below(5)]!,
      ef: [null, 16, 128][rng.below(3)]!,
      targetRecall: rng.below(5) === 0 ? 0.9 : null,
      exact: i % 5 === 0,
      fullScanThresholdKib: [0, 10][rng.below(2)]!,
      quantization: [
        null,
        { ignore: false, rescore: true, oversampling: 2 },
        { ignore: false, rescore: false, oversampling: null },
      ][rng.below(3)]!,
      filter: share === 1 ? null : filterOf(share),
      passing: Math.round(share * count),
      floor: null,
      filteredWalkBelow: null,
    };
  });
}

/** Loads what `segmentParts` would save into other regions. */
function reloaded(
  { pool, directory, applied }: TestReplica,
  reader: SegmentReader,
  cold: ReadonlySet<string>,
): SegmentReader {
  const { descriptor } = reader;
  const stored = JSON.parse(JSON.stringify(storedSegment(reader))) as ReturnType<typeof storedSegment>;
  const fileOf = (vector: string): number => descriptor.rowFiles.find((one) => one.vector === vector)!.file;
  const target = allocateStored(pool, stored, 1, { fileOf, cold });
  const from = new Map(segmentParts(descriptor, stored, directory).map((part) => [part.name, part]));
  for (const { name, bytes, file } of segmentParts(target, stored, directory)) {
    if (bytes === null) continue;
    const length = bytes.reduce((sum, piece) => sum + piece.length, 0);
    const source = from.get(name)!;
    const whole = new Uint8Array(length);
    if (source.bytes === null) directory.file(file!).read(0, whole, 0, length);
    else whole.set(Buffer.concat(source.bytes));
    let at = 0;
    for (const piece of bytes) {
      piece.set(whole.subarray(at, at + piece.length));
      at += piece.length;
    }
  }
  return finishLoad(target, stored, directory, savedDeaths(reader, applied));
}

const quantizations: [string, Quantization | null][] = [
  ['int8', { kind: 'scalar', quantile: 1 }],
  ['binary', { kind: 'binary', bits: 1, queryBits: 4 }],
  ['turbo', { kind: 'turbo', bits: 4 }],
  ['product', { kind: 'product', dims: 4 }],
];
const cases = (['Cosine', 'Dot', 'Euclid', 'Manhattan'] as const).flatMap((distance) =>
  quantizations.map(([name, quantization], i): [Distance, Datatype, string, Quantization | null] => [
    distance,
    i % 2 === 0 ? 'float32' : 'float16',
    name,
    quantization,
  ]),
);

describe.each(cases)('%s of %s by %s codes', (distance, datatype, _name, quantization) => {
  const seed = 7;
  const schema = schemaOf(distance, datatype);
  const warm = replicaOf(schema, quantization, new Set(), seed);
  const cold = replicaOf(schema, quantization, new Set(['image', 'text']), seed);
  const inMemory = sealedOf(warm);
  const inFile = sealedOf(cold);
  const group = warm.applied;

  function expectSame(reader: SegmentReader, replica: TestReplica, draws: number): void {
    const searches = searchesOf(createRng(draws), inMemory.rowCount());
    for (const [i, search] of searches.entries()) {
      const want = runSteps(searchSegment(inMemory, warm.directory, search, group));
      const found = runSteps(searchSegment(reader, replica.directory, search, group));
      expect([...found.rows], `search ${i} of draw ${draws}`).toEqual([...want.rows]);
      expect([...found.scores], `search ${i} of draw ${draws}`).toEqual([...want.scores]);
    }
    for (let row = 0; row < inMemory.rowCount(); row += 7)
      expect(reader.vectors(row, null)).toEqual(inMemory.vectors(row, null));
  }

  test('answers are those of rows in memory, and so are vectors that are asked for', () => {
    expect(coldVectors(inFile.descriptor)).toEqual(new Set(['image']));
    const bytesOf = ({ descriptor }: SegmentReader): number => regionsOf(descriptor)[0]!.bytes;
    const rowBytes = inFile.rowCount() * (datatype === 'float32' ? 128 : 64);
    expect(bytesOf(inMemory) - bytesOf(inFile)).toBeGreaterThan(0.9 * rowBytes);
    expectSame(inFile, cold, 1);
  });

  test('a segment is saved the same and loaded either way', () => {
    expectSame(reloaded(cold, inFile, new Set(['image'])), cold, 2);
    expectSame(reloaded(cold, inFile, new Set()), cold, 3);
    expectSame(reloaded(warm, inMemory, new Set(['image'])), warm, 4);
  });

  test('a core is moved to one of its size, with or without the rows, and deaths go with it', () => {
    for (const [replica, reader, leaving] of [
      [warm, inMemory, new Set<string>()],
      [warm, inMemory, new Set(['image'])],
      [cold, inFile, new Set<string>()],
    ] as const) {
      const { pool, directory } = replica;
      const target = allocateRepacked(pool, reader, 1, leaving);
      runSteps(copyCore(reader, target, directory));
      const dead = reader.views.death.findIndex((death) => death === 0);
      killRow(reader, dead, group + 1);
      const moved = finishRepack(reader, target, directory);
      expect(moved.deadCount()).toBe(reader.deadCount());
      expect([moved.isVisible(dead, group), moved.isVisible(dead, group + 1)]).toEqual([true, false]);
      expectSame(moved, replica, 6);
      expect(storedSegment(moved)).toEqual(storedSegment(reader));
      if (leaving.size > 0)
        expect(target.core.bytes).toBeLessThan(reader.descriptor.core.bytes - 8 * reader.rowCount());
      // For the tests that follow.
      reader.views.death[dead] = 0;
      reader.views.header[headerWords.dead]! -= 1;
      reader.views.header[headerWords.blobDead]! -= blobBytesOfRow(reader.descriptor, reader.views, dead);
    }
    expect(residentRows(inMemory).map(({ vector }) => vector)).toEqual(['image']);
    expect(residentRows(inFile)).toEqual([]);
  });

  test('a search by the stored rows alone reads all of them, and deaths are seen', () => {
    for (let row = 0; row < inMemory.rowCount(); row += 3)
      if (inMemory.isVisible(row, group) && inFile.isVisible(row, group)) {
        killRow(inMemory, row, group + 1);
        killRow(inFile, row, group + 1);
      }
    for (const search of searchesOf(createRng(5), inMemory.rowCount())) {
      const ignoring = { ...search, quantization: { ignore: true, rescore: null, oversampling: null } };
      expect(planOf(inFile, ignoring).kind).toBe('scan');
      const exact = { ...search, exact: true };
      const want = runSteps(searchSegment(inMemory, warm.directory, exact, group + 1));
      const found = runSteps(searchSegment(inFile, cold.directory, ignoring, group + 1));
      expect([...found.rows]).toEqual([...want.rows]);
      expect([...found.scores]).toEqual([...want.scores]);
    }
  });
});

test('a graph whose codes became smaller leaves the room behind that it was built in', () => {
  const schema = segmentSchemaOf({
    vectors: { size: 384, distance: 'Cosine' },
    shard_number: 1,
    replication_factor: 1,
    write_consistency_factor: 1,
    on_disk_payload: false,
  });
  const replica = createTestReplica(schema, 500, new Set(['']));
  const rng = createRng(8);
  for (let i = 0; i < 500; i += 1)
    replica.upsert(i, '{}', new Map([['', { kind: 'dense', values: randomUnit(rng, 384) }]]));
  replica.publish();
  replica.upsert(1000, '{}', new Map());
  const built = (quantization: Quantization | null): SegmentReader => {
    replica.merge(new Map([['', { m: 16, efConstruct: 40, quantization }]]), 1);
    return sealedOf(replica);
  };
  const reader = built({ kind: 'turbo', bits: 4 });
  const { bytes } = reader.descriptor.core;
  expect(repackedCoreBytes(reader, 1, new Set())).toBeLessThan(0.75 * bytes);
});

test('rows that codes cannot tell apart are not left to a file', () => {
  const schema = schemaOf('Euclid', 'float32');
  const replica = createTestReplica(schema, 4096, new Set(['image']));
  const rng = createRng(3);
  // Tight groups far apart: steps of codes are larger than distances within a group.
  for (let i = 0; i < 3000; i += 1) {
    const values = new Float32Array(size).fill(1000 * (i % 30)).map((v) => v + rng.normal() * 1e-3);
    replica.upsert(i, '{}', new Map([['image', { kind: 'dense', values }]]));
  }
  replica.publish();
  for (let i = 0; i < 1200; i += 1) replica.upsert(10_000 + i, '{}', new Map());
  replica.publish();
  const result = replica.merge(new Map([['image', { m: 8, efConstruct: 40, quantization: null }]]), 1);
  expect(result.needsRows).toBe('image');
});
