import type { Vector } from '@quiver/model';
import { expect, test } from 'vitest';
import { segmentSchemaOf } from './schema.ts';
import { createTestReplica, testId } from './testing/replica.ts';
import { vectorCounts } from './vector-counts.ts';

const dense = (n: number): Vector => ({ kind: 'dense', values: Float32Array.of(n, 1) });
const sparse = (n: number): Vector => ({
  kind: 'sparse',
  indices: Uint32Array.of(n),
  values: Float32Array.of(1),
});

test('vectors are counted by name: of living points, and of those alone that have the vector', () => {
  const replica = createTestReplica(
    segmentSchemaOf({
      vectors: { image: { size: 2, distance: 'Dot' } },
      sparse_vectors: { words: {} },
      shard_number: 1,
      replication_factor: 1,
      write_consistency_factor: 1,
      on_disk_payload: false,
    }),
  );
  const counted = (name: string): number =>
    replica.segments.reduce((sum, reader) => sum + vectorCounts(reader).get(name)!, 0);
  for (let n = 0; n < 100; n += 1)
    replica.upsert(
      testId(n),
      '{}',
      new Map([['image', dense(n)], ...(n % 4 === 0 ? [['words', sparse(n)] as const] : [])]),
    );
  replica.publish();
  expect([counted('image'), counted('words')]).toEqual([100, 25]);
  // Written anew without words: the row that has them is dead.
  replica.upsert(testId(0), '{}', new Map([['image', dense(0)]]));
  replica.remove(testId(1));
  replica.publish();
  expect([counted('image'), counted('words')]).toEqual([99, 24]);
});
