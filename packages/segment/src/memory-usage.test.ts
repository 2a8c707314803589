import { sumMemory, type Vector } from '@quiver/model';
import { expect, test } from 'vitest';
import { regionsOf } from './descriptor.ts';
import { memoryUsage } from './memory-usage.ts';
import { segmentSchemaOf } from './schema.ts';
import { createTestReplica, testId } from './testing/replica.ts';

const rows = 500;
const dim = 32;

test('what a segment takes is told whole: its parts add up to its regions, and each is as large as what is in it', () => {
  const replica = createTestReplica(
    segmentSchemaOf({
      vectors: { size: dim, distance: 'Dot' },
      sparse_vectors: { words: {} },
      shard_number: 1,
      replication_factor: 1,
      write_consistency_factor: 1,
      on_disk_payload: false,
    }),
  );
  for (let n = 0; n < rows; n += 1)
    replica.upsert(
      testId(n),
      `{"n":${n}}`,
      new Map<string, Vector>([
        ['', { kind: 'dense', values: Float32Array.from({ length: dim }, (_, i) => Math.sin(n * dim + i)) }],
        ['words', { kind: 'sparse', indices: Uint32Array.of(1, 2, n), values: Float32Array.of(1, 2, 3) }],
      ]),
    );
  replica.publish();
  const graph = { m: 8, efConstruct: 40, quantization: null };
  replica.merge(new Map([['', graph]]), 1);

  for (const reader of replica.segments) {
    const regions = regionsOf(reader.descriptor).reduce((sum, { bytes }) => sum + bytes, 0);
    expect(memoryUsage(reader).reduce((sum, { bytes }) => sum + bytes, 0)).toBe(regions);
  }
  const [sealed] = replica.segments;
  const bytes = Object.fromEntries(
    memoryUsage(sealed!).map((part) => [`${part.component}/${part.name}`, part.bytes]),
  );
  const sealedRows = sealed!.rowCount();
  expect(sealedRows).toBeGreaterThan(rows / 2);
  expect(bytes['vectors/']).toBeGreaterThanOrEqual(4 * dim * sealedRows);
  expect(bytes['index/']).toBeGreaterThan(dim * sealedRows);
  expect(bytes['sparse_vectors/words']).toBeGreaterThanOrEqual((3 + 1) * 8 * sealedRows);
  expect(bytes['index/words']).toBeGreaterThan((3 + 1) * sealedRows);
  expect(bytes['payload/']).toBeGreaterThanOrEqual('{"n":1}'.length * sealedRows);
  expect(bytes['ids/']).toBeGreaterThanOrEqual(45 * sealedRows);
});

test('parts of the same component and name are one part', () => {
  expect(
    sumMemory([
      { component: 'vectors', name: 'a', bytes: 1 },
      { component: 'vectors', name: 'b', bytes: 2 },
      { component: 'index', name: 'a', bytes: 4 },
      { component: 'vectors', name: 'a', bytes: 8 },
    ]),
  ).toEqual([
    { component: 'vectors', name: 'a', bytes: 9 },
    { component: 'vectors', name: 'b', bytes: 2 },
    { component: 'index', name: 'a', bytes: 4 },
  ]);
});
