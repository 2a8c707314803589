import { createRng, type Metric } from '@quiver/kernel';
import type { Datatype, Distance, Vector } from '@quiver/model';
import { expect, test } from 'vitest';
import { prepareQuery } from './prepare-vector.ts';
import { segmentSchemaOf, vectorSchema, type SegmentSchema } from './schema.ts';
import { planOf, searchSegment, type SegmentSearch } from './search.ts';
import { sparseDocumentCounts } from './search-sparse.ts';
import type { SegmentReader } from './segment.ts';
import { runSteps } from './steps.ts';
import { createTestReplica, randomUnit, randomVectors, testId, type TestReplica } from './testing/replica.ts';

function schemaOf(distance: Distance, datatype: Datatype, size = 20): SegmentSchema {
  return segmentSchemaOf({
    vectors: {
      dense: { size, distance, datatype },
      late: { size: 6, distance, datatype, multivector_config: { comparator: 'max_sim' } },
    },
    sparse_vectors: { words: {} },
    shard_number: 1,
    replication_factor: 1,
    write_consistency_factor: 1,
    on_disk_payload: false,
  });
}

const plain: Omit<SegmentSearch, 'vector' | 'name' | 'k'> = {
  ef: null,
  targetRecall: null,
  exact: false,
  fullScanThresholdKib: 10,
  quantization: null,
  filter: null,
  passing: 0,
  floor: null,
  filteredWalkBelow: null,
};

/** Larger is nearer, in double precision. */
function nearness(metric: Metric, a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, square, absolute, lengthA, lengthB] = [0, 0, 0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    dot += a[i]! * b[i]!;
    square += (a[i]! - b[i]!) ** 2;
    absolute += Math.abs(a[i]! - b[i]!);
    lengthA += a[i]! ** 2;
    lengthB += b[i]! ** 2;
  }
  if (metric === 'dot') return dot;
  if (metric === 'cosine') return lengthA === 0 || lengthB === 0 ? 0 : dot / Math.sqrt(lengthA * lengthB);
  return metric === 'euclid' ? -square : -absolute;
}

function reported(metric: Metric, value: number): number {
  if (metric === 'euclid') return Math.sqrt(Math.abs(value));
  return metric === 'manhattan' ? -value : value;
}

/** Scores of all hits that there are, nearest first, by plain loops over what the reader returns. */
function oracle(
  reader: SegmentReader,
  name: string,
  query: Vector,
  group: number,
  passes: (row: number) => boolean,
): Map<number, number> {
  const schema = vectorSchema(reader.descriptor.schema, name)!;
  const scored: [row: number, near: number][] = [];
  for (const row of reader.visibleRows(group)) {
    const vector = reader.vector(row, name);
    if (vector === null || !passes(row)) continue;
    if (vector.kind === 'sparse' && query.kind === 'sparse') {
      const values = new Map(Array.from(vector.indices, (index, i) => [index, vector.values[i]!]));
      const shared = Array.from(query.indices, (index, i) => [values.get(index), query.values[i]!] as const);
      if (shared.every(([value]) => value === undefined)) continue;
      scored.push([row, shared.reduce((sum, [a, b]) => sum + (a ?? 0) * b, 0)]);
    } else if (vector.kind !== 'sparse' && query.kind !== 'sparse' && schema.kind !== 'sparse') {
      const values = prepareQuery(schema, query.values);
      let sum = 0;
      for (let at = 0; at < values.length; at += schema.dim) {
        let best = -Infinity;
        for (let from = 0; from < vector.values.length; from += schema.dim)
          best = Math.max(
            best,
            nearness(
              schema.metric,
              values.subarray(at, at + schema.dim),
              vector.values.subarray(from, from + schema.dim),
            ),
          );
        sum += best;
      }
      scored.push([row, sum]);
    }
  }
  scored.sort((a, b) => b[1] - a[1]);
  const metric = schema.kind === 'sparse' ? 'dot' : schema.metric;
  return new Map(scored.map(([row, near]) => [row, reported(metric, near)]));
}

function fill(replica: TestReplica, seed: number, points: number): void {
  const rng = createRng(seed);
  for (let i = 0; i < points; i += 1) {
    const id = testId(rng.below(points));
    if (rng.below(6) === 0) replica.remove(id);
    else replica.upsert(id, '{}', scaled(randomVectors(rng, replica.schema), rng.below(2) === 0 ? 1 : 30));
    if (rng.below(5) === 0) replica.publish();
  }
}

/** Values of some size, so that byte vectors are not all zero. */
function scaled(vectors: ReadonlyMap<string, Vector>, factor: number): ReadonlyMap<string, Vector> {
  return new Map(
    [...vectors].map(([name, vector]) => [name, { ...vector, values: vector.values.map((v) => v * factor) }]),
  );
}

/** Heads of 1,024 rows are scanned by codes of their rows of floats (testing/replica.ts). */
const cases: [Distance, Datatype, headRows: number][] = [
  ['Cosine', 'float32', 128],
  ['Cosine', 'float32', 1_024],
  ['Dot', 'float32', 128],
  ['Dot', 'float32', 1_024],
  ['Euclid', 'float32', 128],
  ['Euclid', 'float32', 1_024],
  ['Manhattan', 'float32', 1_024],
  ['Cosine', 'uint8', 128],
  ['Euclid', 'int8', 128],
  ['Dot', 'float16', 1_024],
];

test.each(cases)(
  'an exact search over %s %s in heads of %i rows returns the scores of plain loops',
  (distance, datatype, headRows) => {
    const seed = 21;
    const rng = createRng(seed);
    const replica = createTestReplica(schemaOf(distance, datatype), headRows);
    fill(replica, seed, 400);
    // Rows above the last group stay unseen.
    const queries = (): [string, Vector][] => [
      ['dense', { kind: 'dense', values: randomUnit(rng, 20).map((v) => v * 20) }],
      ['late', { kind: 'multi', dim: 6, values: randomUnit(rng, 6 * (1 + rng.below(3))) }],
      ['words', { kind: 'sparse', indices: Uint32Array.of(3, 7, 20, 33), values: randomUnit(rng, 4) }],
    ];
    let compared = 0;
    for (let round = 0; round < 8; round += 1) {
      if (round === 4) {
        replica.publish();
        replica.merge(new Map(), 0);
      }
      for (const [name, vector] of queries())
        for (const reader of replica.segments) {
          const words = Uint32Array.from({ length: Math.ceil(reader.rowCount() / 32) }, () => rng.u32());
          const filter = round % 2 === 0 ? null : words;
          const passes = (row: number): boolean =>
            filter === null || ((words[row >>> 5]! >>> (row & 31)) & 1) === 1;
          const want = oracle(reader, name, vector, replica.applied, passes);
          const k = [1, 10, 1000][round % 3]!;
          const request = { ...plain, vector, name, k, filter, passing: reader.rowCount() >> 1 };
          const hits = runSteps(searchSegment(reader, replica.directory, request, replica.applied));
          const best = [...want.values()].slice(0, k);
          expect(hits.count, `seed ${seed} ${name}`).toBe(best.length);
          for (let i = 0; i < hits.count; i += 1) {
            const tolerance = 2e-4 * Math.max(1, Math.abs(best[i]!));
            expect(Math.abs(hits.scores[i]! - best[i]!), `${name} place ${i}`).toBeLessThan(tolerance);
            expect(Math.abs(hits.scores[i]! - want.get(hits.rows[i]!)!)).toBeLessThan(tolerance);
            compared += 1;
          }
        }
    }
    expect(compared).toBeGreaterThan(500);
  },
);

test('a graph search under deaths and filters finds what an exact search finds', () => {
  const seed = 31;
  const rng = createRng(seed);
  const replica = createTestReplica(schemaOf('Cosine', 'float32'), 512);
  for (let n = 0; n < 3000; n += 1)
    replica.upsert(n, '{}', new Map([['dense', { kind: 'dense', values: randomUnit(rng, 20) }]]));
  replica.upsert(9_999_999, '{}', new Map());
  replica.publish();
  replica.merge(new Map([['dense', { m: 16, efConstruct: 100, quantization: null }]]), 1);
  const sealed = replica.segments[0]!;
  expect(sealed.descriptor.graphs.length).toBe(1);
  for (let n = 0; n < 3000; n += 10) if (sealed.findAlive(n) >= 0) replica.remove(n);
  replica.publish();
  const used = new Set<string>();
  let [found, wanted] = [0, 0];
  for (let round = 0; round < 60; round += 1) {
    const passOneIn = [1, 2, 4, 30][round % 4]!;
    const filter = new Uint32Array(Math.ceil(sealed.rowCount() / 32));
    let passing = 0;
    for (let row = 0; row < sealed.rowCount(); row += 1) {
      if (passOneIn > 1 && rng.below(passOneIn * 2) > 1) continue;
      filter[row >>> 5]! |= 1 << (row & 31);
      passing += 1;
    }
    const vector: Vector = { kind: 'dense', values: randomUnit(rng, 20) };
    const request = {
      ...plain,
      vector,
      name: 'dense',
      k: 10,
      filter: passOneIn === 1 ? null : filter,
      passing,
      filteredWalkBelow: round % 8 < 4 ? null : 0.4,
    };
    const approximate = { ...request, ef: 64 };
    used.add(planOf(sealed, approximate).kind);
    const exact = runSteps(
      searchSegment(sealed, replica.directory, { ...request, exact: true }, replica.applied),
    );
    const hits = runSteps(searchSegment(sealed, replica.directory, approximate, replica.applied));
    const expected = new Map(Array.from(exact.rows, (row, i) => [row, exact.scores[i]!]));
    for (const [i, row] of hits.rows.entries()) {
      expect(sealed.isVisible(row, replica.applied)).toBe(true);
      if (expected.has(row)) expect(hits.scores[i]).toBeCloseTo(expected.get(row)!, 5);
      if (request.filter !== null) expect((filter[row >>> 5]! >>> (row & 31)) & 1).toBe(1);
    }
    found += hits.rows.filter((row) => expected.has(row)).length;
    wanted += exact.count;
  }
  expect([...used].sort()).toEqual(['filtered_graph', 'graph', 'scan_codes']);
  expect(found / wanted, `recall, seed ${seed}`).toBeGreaterThan(0.95);
});

test('a sparse search through the inverted index is exact, under deaths and filters and with weights of both signs', () => {
  const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);
  const rng = createRng(seed);
  const replica = createTestReplica(schemaOf('Dot', 'float32'), 4_096);
  // Few dimensions are in most rows and many in few, as words are.
  const sparseOf = (count: number, isSigned: boolean): Vector => {
    const drawn = Array.from({ length: count }, () => Math.floor(400 * rng.float() ** 3));
    const indices = Uint32Array.from(new Set(drawn)).sort();
    const values = Float32Array.from(indices, (dimension) => {
      const weight = 0.1 + rng.float() * Math.log(2 + dimension);
      return isSigned && rng.below(4) === 0 ? -weight : weight;
    });
    return { kind: 'sparse', indices, values };
  };
  for (let n = 0; n < 3_500; n += 1)
    replica.upsert(n, '{}', n % 11 === 0 ? new Map() : new Map([['words', sparseOf(12, n % 5 === 0)]]));
  for (let n = 0; n < 300; n += 1) replica.upsert(n, '{}', new Map([['words', sparseOf(9, false)]]));
  for (let n = 0; n < 3_500; n += 17) if (n % 34 === 0) replica.remove(n);
  replica.publish();
  const [reader] = replica.segments;
  expect(reader!.rowCount()).toBeGreaterThan(3_700);
  for (let round = 0; round < 120; round += 1) {
    const vector = sparseOf(1 + rng.below(20), round % 3 === 0);
    const modulus = [1, 2, 50][round % 3]!;
    const filter = new Uint32Array(Math.ceil(reader!.rowCount() / 32));
    for (let row = 0; row < reader!.rowCount(); row += modulus) filter[row >>> 5]! |= 1 << (row & 31);
    const k = [1, 10, 200][rng.below(3)]!;
    const request = {
      ...plain,
      vector,
      name: 'words',
      k,
      filter: modulus === 1 ? null : filter,
      passing: Math.ceil(reader!.rowCount() / modulus),
    };
    const hits = runSteps(searchSegment(reader!, replica.directory, request, replica.applied));
    const want = oracle(reader!, 'words', vector, replica.applied, (row) => row % modulus === 0);
    const best = [...want.values()].sort((a, b) => b - a).slice(0, k);
    expect(hits.count, `seed ${seed} round ${round}`).toBe(best.length);
    for (let i = 0; i < hits.count; i += 1) {
      expect(hits.scores[i]).toBeCloseTo(best[i]!, 4);
      expect(hits.scores[i]).toBeCloseTo(want.get(hits.rows[i]!)!, 4);
    }
  }
  // Rows that came after the index was made are found too.
  const newest: Vector = {
    kind: 'sparse',
    indices: Uint32Array.of(3, 9_000),
    values: Float32Array.of(1, 50),
  };
  replica.upsert(77_777, '{}', new Map([['words', newest]]));
  replica.publish();
  const request = { ...plain, vector: newest, name: 'words', k: 3 };
  const hits = runSteps(searchSegment(reader!, replica.directory, request, replica.applied));
  expect(reader!.id(hits.rows[0]!)).toBe(77_777);
  const { counts } = runSteps(
    sparseDocumentCounts(reader!, replica.directory, 'words', Uint32Array.of(0, 3, 9_000)),
  );
  const all = Array.from({ length: reader!.rowCount() }, (_, row) => reader!.vector(row, 'words'));
  expect([...counts]).toEqual(
    [0, 3, 9_000].map(
      (index) => all.filter((one) => one?.kind === 'sparse' && one.indices.includes(index)).length,
    ),
  );
});

test('document counts for IDF count rows that have the vector, and those that have the index, dead ones until they are merged', () => {
  const replica = createTestReplica(schemaOf('Dot', 'float32'), 128);
  fill(replica, 41, 300);
  replica.publish();
  const indices = Uint32Array.of(0, 5, 39, 100);
  for (const reader of replica.segments) {
    const { vectors, counts } = runSteps(sparseDocumentCounts(reader, replica.directory, 'words', indices));
    const sparse = Array.from({ length: reader.rowCount() }, (_, row) => reader.vector(row, 'words')).flatMap(
      (vector) => (vector?.kind === 'sparse' ? [vector] : []),
    );
    expect(vectors).toBe(sparse.length);
    expect([...counts]).toEqual(
      [...indices].map((index) => sparse.filter((v) => v.indices.includes(index)).length),
    );
  }
});

test('a wrong name, kind or size of the query is refused', () => {
  const replica = createTestReplica(schemaOf('Dot', 'float32'));
  replica.upsert(1, '{}', new Map());
  replica.publish();
  const search = (name: string, vector: Vector): unknown =>
    runSteps(searchSegment(replica.segments[0]!, replica.directory, { ...plain, vector, name, k: 1 }, 1));
  const dense: Vector = { kind: 'dense', values: new Float32Array(20) };
  expect(() => search('other', dense)).toThrow('Not existing vector name error: other');
  expect(() => search('words', dense)).toThrow('is sparse');
  expect(() => search('dense', { kind: 'dense', values: new Float32Array(3) })).toThrow(
    'expected dim: 20, got 3',
  );
  expect(search('dense', dense)).toEqual({ rows: new Uint32Array(0), scores: new Float32Array(0), count: 0 });
});

test('search parameters of quantisation mean what Qdrant says they mean', () => {
  const rng = createRng(57);
  const replica = createTestReplica(schemaOf('Cosine', 'float32', 64), 512);
  const vectors = Array.from({ length: 2000 }, () => randomUnit(rng, 64));
  for (const [n, values] of vectors.entries())
    replica.upsert(n, '{}', new Map([['dense', { kind: 'dense', values }]]));
  replica.publish();
  const quantization = { kind: 'turbo', bits: 1 } as const;
  replica.merge(new Map([['dense', { m: 16, efConstruct: 100, quantization }]]), 1);
  const sealed = replica.segments[0]!;
  expect(sealed.descriptor.graphs[0]!.quantization).toEqual(quantization);
  const search = (query: Float32Array, params: SegmentSearch['quantization'], exact = false): number[][] => {
    const vector = { kind: 'dense', values: query } as const;
    const request = { ...plain, vector, name: 'dense', k: 10, ef: 200, exact, quantization: params };
    const found = runSteps(searchSegment(sealed, replica.directory, request, replica.applied));
    return [[...found.rows], [...found.scores]];
  };
  const recalls = { codes: 0, rescored: 0, oversampled: 0, ignored: 0, own: 0 };
  const none = { ignore: false, rescore: null, oversampling: null };
  for (let round = 0; round < 50; round += 1) {
    const query = randomUnit(rng, 64);
    const [rows, scores] = search(query, null, true) as [number[], number[]];
    const scoreOf = (row: number): number => {
      const stored = sealed.vector(row, 'dense')!;
      return nearness('cosine', query, stored.kind === 'dense' ? stored.values : []);
    };
    const ask = (key: keyof typeof recalls, params: SegmentSearch['quantization']): number[][] => {
      const found = search(query, params);
      recalls[key] += found[0]!.filter((row) => rows.includes(row)).length / 500;
      return found;
    };
    const codes = ask('codes', { ...none, rescore: false });
    expect(codes[0]!.some((row, i) => Math.abs(codes[1]![i]! - scoreOf(row)) > 1e-3)).toBe(true);
    // Without rescoring more candidates change neither the answer nor its scores.
    expect(search(query, { ...none, rescore: false, oversampling: 3 })).toEqual(codes);
    const rescored = ask('rescored', { ...none, rescore: true, oversampling: 1 });
    expect([...rescored[0]!].sort()).toEqual([...codes[0]!].sort());
    rescored[0]!.forEach((row, i) => expect(rescored[1]![i]).toBeCloseTo(scoreOf(row), 4));
    ask('oversampled', { ...none, oversampling: 4 });
    const ignored = ask('ignored', { ...none, ignore: true, rescore: false });
    expect(
      ignored[1]!.every((score, i) => Math.abs(score - scores[i]!) < 1e-5 || !rows.includes(ignored[0]![i]!)),
    ).toBe(true);
    ask('own', null);
  }
  expect(recalls.codes).toBeLessThan(0.9);
  expect(recalls.oversampled).toBeGreaterThan(recalls.rescored + 0.1);
  expect(recalls.own).toBeGreaterThanOrEqual(recalls.oversampled);
  expect(recalls.ignored).toBeGreaterThanOrEqual(0.97);
});
