import { createRng } from '@quiver/kernel';
import { expect, test } from 'vitest';
import { pointsWithValue } from './points-with-value.ts';
import { segmentSchemaOf } from './schema.ts';
import { buildSegmentColumn, placeColumn, withColumn } from './segment-columns.ts';
import { openSegment } from './segment-reader.ts';
import { runSteps } from './steps.ts';
import { createTestReplica } from './testing/replica.ts';

const schema = segmentSchemaOf({
  sparse_vectors: { words: {} },
  shard_number: 1,
  replication_factor: 1,
  write_consistency_factor: 1,
  on_disk_payload: false,
});
const keyword = { data_type: 'keyword', params: null } as const;
const payloads = ['{"k":"a"}', '{"k":["a","b"]}', '{"k":[]}', '{"k":null}', '{"n":1}', ''];

test('points with a value are counted without those that were replaced, lost it or were deleted', () => {
  const seed = 23;
  const rng = createRng(seed);
  const replica = createTestReplica(schema);
  for (let round = 0; round < 40; round += 1) {
    for (let n = 0; n < 15; n += 1)
      replica.upsert(rng.below(120), payloads[rng.below(payloads.length)]!, new Map());
    for (let n = 0; n < 5; n += 1) replica.remove(rng.below(120));
    replica.publish();
    if (round % 10 === 9) {
      replica.merge(new Map(), 0);
      const plain = replica.segments[0]!;
      const bytes = runSteps(buildSegmentColumn(plain, 'k', keyword, replica.applied));
      const column = placeColumn(replica.pool, replica.directory, 'k', keyword, bytes);
      replica.segments[0] = openSegment(withColumn(plain.descriptor, column), replica.directory);
    }
    const counted = replica.segments.reduce(
      (sum, reader) => sum + pointsWithValue(reader, replica.directory, 'k', keyword),
      0,
    );
    const wanted = [...replica.model.values()].filter(({ payload }) => payload.includes('"a"')).length;
    expect(counted, `seed ${seed} round ${round}`).toBe(wanted);
  }
});
