import { createRng } from '@quiver/kernel';
import { emptyFilter, parsePayload, type PayloadFieldSchema } from '@quiver/model';
import { expect, test } from 'vitest';
import { Bitset } from './bitset.ts';
import { evaluateFilter } from './filter-evaluate.ts';
import { compileFilter } from './filter-match.ts';
import { createSegmentFields, filterSource } from './filter-source.ts';
import { segmentSchemaOf } from './schema.ts';
import {
  buildSegmentColumn,
  openColumns,
  placeColumn,
  withColumn,
  withoutColumn,
} from './segment-columns.ts';
import { openSegment } from './segment-reader.ts';
import { runSteps } from './steps.ts';
import { allocateStored, finishLoad, savedDeaths, segmentParts, storedSegment } from './stored-segment.ts';
import { createTestReplica, testId } from './testing/replica.ts';

const keyword: PayloadFieldSchema = { data_type: 'keyword', params: null };
const integer: PayloadFieldSchema = { data_type: 'integer', params: null };
const cities = ['Berlin', 'Oslo', 'Rome', 'Kyoto'];

test('columns built beside a serving segment answer filters as payloads do, also when loaded from disk', () => {
  const seed = 17;
  const rng = createRng(seed);
  const schema = segmentSchemaOf({
    sparse_vectors: { words: {} },
    shard_number: 1,
    replication_factor: 1,
    write_consistency_factor: 1,
    on_disk_payload: false,
  });
  const replica = createTestReplica(schema);
  for (let n = 0; n < 600; n += 1) {
    const city = rng.below(5) === 0 ? '' : `"city":"${cities[rng.below(4)]!}",`;
    replica.upsert(testId(rng.below(500)), `{${city}"n":${rng.below(20)}}`, new Map());
    if (rng.below(10) === 0) replica.remove(testId(rng.below(500)));
  }
  replica.publish();
  replica.merge(new Map(), 0);
  const { pool, directory } = replica;
  const plain = replica.segments[0]!;
  for (let n = 0; n < 40; n += 1) replica.remove(testId(rng.below(500)));
  replica.publish();
  let descriptor = plain.descriptor;
  for (const [key, field] of [
    ['city', keyword],
    ['n', keyword],
    ['n', integer],
  ] as const) {
    const bytes = runSteps(buildSegmentColumn(plain, key, field, replica.applied));
    descriptor = withColumn(descriptor, placeColumn(pool, directory, key, field, bytes));
  }
  expect(descriptor.columns!.map((column) => [column.key, column.schema])).toEqual([
    ['city', keyword],
    ['n', integer],
  ]);
  expect(withoutColumn(descriptor, 'city').columns!.length).toBe(1);
  const withColumns = openSegment(descriptor, directory);
  const stored = storedSegment(withColumns);
  const target = allocateStored(pool, stored, 1);
  const to = segmentParts(target, stored, directory);
  for (const [i, part] of segmentParts(descriptor, stored, directory).entries())
    for (const [j, bytes] of part.bytes!.entries()) to[i]!.bytes![j]!.set(bytes);
  const loaded = finishLoad(target, stored, directory, savedDeaths(withColumns, replica.applied));

  for (const reader of [withColumns, loaded]) {
    const fields = createSegmentFields(reader, openColumns(reader.descriptor, directory));
    const source = filterSource(reader, fields, replica.applied);
    let compared = 0;
    for (const city of cities)
      for (const below of [3, 11]) {
        const node = compileFilter(
          {
            ...emptyFilter,
            must: [
              { kind: 'match', key: 'city', value: city },
              { kind: 'range', key: 'n', range: { lt: below, lte: null, gt: null, gte: null } },
            ],
          },
          { city: keyword, n: integer },
        );
        const found = new Bitset(source.rowCount);
        runSteps(evaluateFilter(node, source, found));
        const want = [...reader.visibleRows(replica.applied)].filter((row) => {
          const payload = parsePayload(reader.payload(row));
          return payload['city'] === city && Number(payload['n']) < below;
        });
        expect([...found.rows()], `seed ${seed}, ${city} below ${below}`).toEqual(want);
        compared += want.length;
      }
    expect(compared).toBeGreaterThan(50);
  }
});
