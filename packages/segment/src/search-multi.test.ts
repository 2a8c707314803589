/**
 * Searches of multivectors against sums in double precision: every distance and datatype, plain and sealed segments, filters, deaths,
 * points of one row and of many. Tolerance: 1e-5 of the lengths that were multiplied, f32's.
 */
import { createRng, type Rng } from '@quiver/kernel';
import type { Datatype, Distance, Vector } from '@quiver/model';
import { expect, test } from 'vitest';
import { prepareQuery } from './prepare-vector.ts';
import { isByte, segmentSchemaOf, vectorSchema, type MultiSchema } from './schema.ts';
import { searchSegment, type Hits, type SegmentSearch } from './search.ts';
import { multiSearchFacts } from './search-multi.ts';
import type { SegmentReader } from './segment.ts';
import { runSteps } from './steps.ts';
import { allocateStored, finishLoad, savedDeaths, segmentParts, storedSegment } from './stored-segment.ts';
import { createTestReplica, randomUnit, testId, type TestReplica } from './testing/replica.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);
const replay = `QUIVER_SEED=${seed} npx vitest run packages/segment/src/search-multi.test.ts`;

function replicaOf(distance: Distance, datatype: Datatype, size: number, headRows = 512): TestReplica {
  return createTestReplica(
    segmentSchemaOf({
      vectors: { late: { size, distance, datatype, multivector_config: { comparator: 'max_sim' } } },
      shard_number: 1,
      replication_factor: 1,
      write_consistency_factor: 1,
      on_disk_payload: false,
    }),
    headRows,
  );
}

/** Rows near one of a few centres, so that some points are nearer than others; for byte rows of some size. */
function randomMulti(rng: Rng, centres: readonly Float32Array[], rows: number, factor: number): Vector {
  const [dim, spread] = [centres[0]!.length, 0.3];
  const values = new Float32Array(rows * dim);
  for (let row = 0; row < rows; row += 1) {
    const centre = centres[rng.below(centres.length)]!;
    const size = factor * (rng.below(4) === 0 ? 2 : 1);
    for (let i = 0; i < dim; i += 1) values[row * dim + i] = size * (centre[i]! + spread * rng.normal());
  }
  return { kind: 'multi', dim, values };
}

/** Larger is nearer. Floats are stored at length one for the cosine, halves nearly so. */
function nearness({ metric, datatype }: MultiSchema, a: Float32Array, b: Float32Array): number {
  let [dot, square, absolute, aa, bb] = [0, 0, 0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    dot += a[i]! * b[i]!;
    square += (a[i]! - b[i]!) ** 2;
    absolute += Math.abs(a[i]! - b[i]!);
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  if (metric === 'dot' || (metric === 'cosine' && !isByte(datatype))) return dot;
  if (metric === 'cosine') return aa * bb === 0 ? 0 : dot / Math.sqrt(aa * bb);
  return metric === 'euclid' ? -square : -absolute;
}

function reported({ metric }: MultiSchema, sum: number): number {
  if (metric === 'euclid') return Math.sqrt(Math.abs(sum));
  return metric === 'manhattan' ? -sum : sum;
}

/** Scores of the rows that may be hits. */
function bruteForce(
  reader: SegmentReader,
  query: Vector,
  group: number,
  passes: (row: number) => boolean,
): Map<number, number> {
  const schema = vectorSchema(reader.descriptor.schema, 'late') as MultiSchema;
  if (query.kind === 'sparse') throw new Error('a sparse query');
  const { dim } = schema;
  const values = prepareQuery(schema, query.values);
  const scores = new Map<number, number>();
  for (const row of reader.visibleRows(group)) {
    const vector = reader.vector(row, 'late');
    if (vector?.kind !== 'multi' || !passes(row)) continue;
    let sum = 0;
    for (let q = 0; q < values.length; q += dim) {
      let best = -Infinity;
      for (let p = 0; p < vector.values.length; p += dim)
        best = Math.max(
          best,
          nearness(schema, values.subarray(q, q + dim), vector.values.subarray(p, p + dim)),
        );
      sum += best;
    }
    scores.set(row, reported(schema, sum));
  }
  return scores;
}

const plain: Omit<SegmentSearch, 'vector' | 'k'> = {
  name: 'late',
  ef: null,
  targetRecall: null,
  exact: true,
  fullScanThresholdKib: 10,
  quantization: null,
  filter: null,
  passing: 0,
  floor: null,
  filteredWalkBelow: null,
};

function search(replica: TestReplica, reader: SegmentReader, asked: Partial<SegmentSearch>): Hits {
  const request = { ...plain, ...asked } as SegmentSearch;
  return runSteps(searchSegment(reader, replica.directory, request, replica.applied));
}

/** The hits are the best of `scores` (as many as there are, to k), each with its own score. */
function expectBest(
  hits: Hits,
  scores: ReadonlyMap<number, number>,
  k: number,
  isLarger: boolean,
  what: string,
): void {
  const sorted = [...scores.values()].sort((a, b) => (isLarger ? b - a : a - b)).slice(0, k);
  expect(hits.count, what).toBe(sorted.length);
  const size = Math.max(1, ...sorted.map(Math.abs));
  for (const [i, want] of sorted.entries()) {
    expect(Math.abs(hits.scores[i]! - want), `${what}, place ${i}`).toBeLessThan(1e-5 * size);
    expect(Math.abs(hits.scores[i]! - scores.get(hits.rows[i]!)!), `${what}, row`).toBeLessThan(1e-5 * size);
  }
  expect(new Set(hits.rows.subarray(0, hits.count)).size, what).toBe(hits.count);
}

const distances: Distance[] = ['Cosine', 'Dot', 'Euclid', 'Manhattan'];
const datatypes: Datatype[] = ['float32', 'float16', 'uint8', 'int8'];
const cases = distances.flatMap((distance) => datatypes.map((datatype) => [distance, datatype] as const));

test.each(cases)(
  'hits by %s of %s are those of brute force, of plain and sealed segments',
  (distance, datatype) => {
    const rng = createRng(seed);
    const isLarger = distance === 'Cosine' || distance === 'Dot';
    const dim = [5, 24, 64, 100][rng.below(4)]!;
    const replica = replicaOf(distance, datatype, dim);
    const centres = Array.from({ length: 6 }, () => randomUnit(rng, dim));
    const factor = datatype === 'uint8' || datatype === 'int8' ? 40 : 1;
    const write = (count: number): void => {
      for (let i = 0; i < count; i += 1) {
        const id = testId(rng.below(300));
        const rows = rng.below(3) === 0 ? 1 : 1 + rng.below(7);
        if (rng.below(6) === 0) replica.remove(id);
        else if (rng.below(12) === 0) replica.upsert(id, '{"a":1}', new Map());
        else replica.upsert(id, '{}', new Map([['late', randomMulti(rng, centres, rows, factor)]]));
        if (rng.below(9) === 0) replica.publish();
      }
    };
    const compare = (rounds: number): void => {
      for (let round = 0; round < rounds; round += 1) {
        const query = randomMulti(rng, centres, 1 + rng.below(6), factor);
        const k = [1, 3, 10, 1000][rng.below(4)]!;
        for (const reader of replica.segments) {
          const filter = new Uint32Array((reader.rowCount() + 31) >>> 5).map(() => rng.below(2 ** 32));
          for (const words of [null, filter]) {
            const passes = (row: number): boolean =>
              words === null || ((words[row >>> 5]! >>> (row & 31)) & 1) === 1;
            const scores = bruteForce(reader, query, replica.applied, passes);
            const what = `segment ${reader.descriptor.id}, round ${round}, k ${k}: ${replay}`;
            const hits = search(replica, reader, { vector: query, k, filter: words });
            expectBest(hits, scores, k, isLarger, what);
            // A score that some reach: the same hits, less those below it.
            const floor = hits.count === 0 ? 1 : hits.scores[rng.below(hits.count)]!;
            const above = search(replica, reader, { vector: query, k, filter: words, floor });
            const kept = Array.from(hits.scores).filter((score) =>
              isLarger ? score >= floor : score <= floor,
            );
            expect(Array.from(above.scores.subarray(0, kept.length)), what).toEqual(kept);
          }
        }
      }
    };
    write(400);
    replica.publish();
    compare(3);
    // Everything but the head in one sealed segment; then deaths in it and new rows beside it.
    replica.merge(new Map(), 0);
    compare(3);
    write(150);
    replica.publish();
    compare(3);
    reload(replica);
    compare(2);
  },
);

/** Puts segments that were stored and loaded again in place of all. */
function reload(replica: TestReplica): void {
  const { directory, pool } = replica;
  replica.segments = replica.segments.map((reader) => {
    const stored = storedSegment(reader);
    const target = allocateStored(pool, stored, 1);
    const from = segmentParts(reader.descriptor, stored, directory);
    for (const [i, { bytes }] of segmentParts(target, stored, directory).entries())
      for (const [piece, part] of bytes!.entries()) part.set(from[i]!.bytes![piece]!);
    return finishLoad(target, stored, directory, savedDeaths(reader, replica.applied));
  });
}

test.each(['Cosine', 'Dot', 'Euclid'] as const)(
  'a first pass leaves few points by %s to be scored',
  (distance) => {
    const rng = createRng(seed);
    const dim = 48;
    const replica = replicaOf(distance, 'float32', dim, 4096);
    const centres = Array.from({ length: 200 }, () => randomUnit(rng, dim));
    for (let id = 0; id < 1500; id += 1)
      replica.upsert(id, '{}', new Map([['late', randomMulti(rng, centres, 1 + rng.below(5), 1)]]));
    replica.publish();
    const reader = replica.segments.toSorted((a, b) => b.rowCount() - a.rowCount())[0]!;
    search(replica, reader, { vector: randomMulti(rng, centres, 4, 1), k: 5 });
    const { estimated, exact } = multiSearchFacts();
    expect(estimated).toBe(reader.rowCount());
    expect(exact, replay).toBeLessThan(estimated / 4);
  },
);

test('searches of segments without a row, without the vector, and of one point return what there is', () => {
  const rng = createRng(seed);
  const replica = replicaOf('Dot', 'float32', 8);
  const vector = { kind: 'multi', dim: 8, values: randomUnit(rng, 16) } as const;
  const [head] = replica.segments;
  expect(search(replica, head!, { vector, k: 5 }).count).toBe(0);
  replica.upsert(1, '{}', new Map());
  replica.publish();
  expect(search(replica, head!, { vector, k: 5 }).count).toBe(0);
  replica.upsert(2, '{}', new Map([['late', { ...vector, values: vector.values.slice(0, 8) }]]));
  replica.publish();
  const one = search(replica, head!, { vector: { kind: 'dense', values: vector.values.slice(0, 8) }, k: 5 });
  expect(Array.from(one.rows.subarray(0, one.count), (row) => head!.id(row))).toEqual([2]);
});

test('vectors that are not of finite numbers are scored, and do not hide the others', () => {
  const rng = createRng(seed);
  const replica = replicaOf('Dot', 'float32', 8);
  for (let id = 0; id < 60; id += 1) {
    const values = randomUnit(rng, 16);
    if (id % 20 === 7) values[3] = Infinity;
    replica.upsert(id, '{}', new Map([['late', { kind: 'multi', dim: 8, values }]]));
  }
  replica.publish();
  const values = randomUnit(rng, 8).map(Math.abs);
  const [head] = replica.segments;
  const hits = search(replica, head!, { vector: { kind: 'multi', dim: 8, values }, k: 5 });
  expect(
    Array.from(hits.rows.subarray(0, 3), (row) => head!.id(row)),
    replay,
  ).toEqual([7, 27, 47]);
  const scores = bruteForce(
    head!,
    { kind: 'multi', dim: 8, values },
    replica.applied,
    (row) => row % 20 !== 7,
  );
  const best = [...scores.values()].sort((a, b) => b - a)[0]!;
  expect(Math.abs(hits.scores[3]! - best), replay).toBeLessThan(1e-5 * Math.abs(best));
});
