import { createRng, elements, metrics, type Element, type Rng } from '@quiver/kernel';
import { describe, expect, test } from 'vitest';
import { buildIndex, recallOf, stageRows, writeBits } from '../testing/index-stage.ts';
import { checkHnsw } from './check.ts';
import { viewGraph } from './graph-view.ts';
import { openHnsw } from './search.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261124);

function normalised(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((value) => value / length);
}

function gaussian(rng: Rng, dim: number, spread = 1): Float32Array {
  return Float32Array.from({ length: dim }, () => rng.normal() * spread);
}

/** Integers of an element's range around its middle, or normal floats. */
function randomOf(rng: Rng, element: Element, dim: number): Float32Array {
  if (element === 'f32') return gaussian(rng, dim);
  const middle = element === 'u8' ? 128 : 0;
  return gaussian(rng, dim, 40).map((value) =>
    Math.max(middle - 128, Math.min(middle + 127, middle + Math.round(value))),
  );
}

/** Points around well separated centres: `clusters` of them, the same number in each. */
function clustered(rng: Rng, count: number, dim: number, clusters: number, spread: number): Float32Array[] {
  const centres = Array.from({ length: clusters }, () => gaussian(rng, dim, 10));
  return Array.from({ length: count }, (_, i) =>
    centres[i % clusters]!.map((value) => value + spread * rng.normal()),
  );
}

describe(`HNSW (QUIVER_SEED=${seed})`, () => {
  for (const metric of metrics)
    for (const element of elements)
      test(`finds the nearest ${element} rows by ${metric} with exact scores`, () => {
        const rng = createRng(seed);
        const make = (): Float32Array => {
          const vector = randomOf(rng, element, 24);
          return metric === 'cosine' && element === 'f32' ? normalised(vector) : vector;
        };
        const vectors = Array.from({ length: 1500 }, make);
        const stage = stageRows({ metric, element, vectors });
        const index = buildIndex(stage);
        const queries = Array.from({ length: 50 }, make);
        expect(recallOf(index, stage.flat, queries)).toBeGreaterThanOrEqual(0.97);
        for (const query of queries.slice(0, 5)) {
          const request = { query, k: 10, ef: 200, visibility: null, filter: 0, walk: 'plain' } as const;
          const found = index.search(request);
          const scores = stage.kernel.score(stage.rows, query, found.rows);
          expect([...found.scores]).toEqual([...scores]);
        }
        expect(checkHnsw(viewGraph(stage.kernel.arena.memory.buffer, stage.region)).problems).toEqual([]);
      });

  test('recall does not collapse on many small, far clusters', () => {
    const rng = createRng(seed);
    const vectors = clustered(rng, 6000, 32, 400, 0.1);
    const stage = stageRows({ metric: 'euclid', vectors });
    const index = buildIndex(stage);
    const queries = vectors.slice(0, 200).map((v) => v.map((value) => value + 0.1 * rng.normal()));
    expect(recallOf(index, stage.flat, queries)).toBeGreaterThanOrEqual(0.95);
    expect(checkHnsw(viewGraph(stage.kernel.arena.memory.buffer, stage.region)).problems).toEqual([]);
  });

  test('groups tighter than the codes can tell apart are walked by the rows themselves', () => {
    const rng = createRng(seed);
    for (const metric of ['euclid', 'manhattan', 'dot'] as const) {
      const vectors = clustered(rng, 4000, 24, 20, 0.003);
      const stage = stageRows({ metric, vectors });
      const index = buildIndex(stage);
      const { buffer } = stage.kernel.arena.memory;
      const graph = viewGraph(buffer, stage.region);
      expect(checkHnsw(graph).problems).toEqual([]);
      const queries = vectors.slice(0, 100).map((v) => v.map((value) => value + 0.003 * rng.normal()));
      if (metric !== 'dot') expect(graph.walksRows).toBe(true);
      expect(recallOf(index, stage.flat, queries)).toBeGreaterThanOrEqual(metric === 'dot' ? 0.9 : 0.95);
    }
    const ordinary = stageRows({
      metric: 'euclid',
      vectors: Array.from({ length: 2000 }, () => gaussian(rng, 24)),
    });
    buildIndex(ordinary);
    expect(viewGraph(ordinary.kernel.arena.memory.buffer, ordinary.region).walksRows).toBe(false);
  });

  test('thousands of copies of a few rows leave the graph whole and are all found', () => {
    const rng = createRng(seed);
    const distinct = Array.from({ length: 600 }, () => gaussian(rng, 16));
    const vectors = Array.from({ length: 4000 }, (_, i) => (i < 600 ? distinct[i]! : distinct[i % 3]!));
    const stage = stageRows({ metric: 'euclid', vectors });
    const index = buildIndex(stage);
    const report = checkHnsw(viewGraph(stage.kernel.arena.memory.buffer, stage.region));
    expect(report.problems).toEqual([]);
    const queries = distinct.slice(0, 100).map((v) => v.map((value) => value + 0.2 * rng.normal()));
    expect(recallOf(index, stage.flat, queries)).toBeGreaterThanOrEqual(0.97);
    const copies = index.search({
      query: distinct[1]!,
      k: 500,
      ef: 64,
      visibility: null,
      filter: 0,
      walk: 'plain',
    });
    expect(copies.count).toBe(500);
    expect(copies.scores.every((score) => score === 0)).toBe(true);
    expect(new Set(copies.rows).size).toBe(500);
  });

  test('near copies, equal in their codes, are told apart by exact scores', () => {
    const rng = createRng(seed);
    const centre = gaussian(rng, 16);
    const vectors = Array.from({ length: 3000 }, (_, i) =>
      i < 1500 ? centre.map((value) => value + 1e-5 * rng.normal()) : gaussian(rng, 16),
    );
    const stage = stageRows({ metric: 'euclid', vectors });
    const index = buildIndex(stage);
    expect(checkHnsw(viewGraph(stage.kernel.arena.memory.buffer, stage.region)).problems).toEqual([]);
    const far = vectors.slice(1500, 1600).map((v) => v.map((value) => value + 0.1 * rng.normal()));
    expect(recallOf(index, stage.flat, far)).toBeGreaterThanOrEqual(0.97);
  });

  test('rows that are dead or unborn at the group are walked through and never returned', () => {
    const rng = createRng(seed);
    const vectors = Array.from({ length: 2000 }, () => gaussian(rng, 16));
    const stage = stageRows({ metric: 'euclid', vectors });
    const index = buildIndex(stage);
    const born = new Uint32Array(stage.kernel.arena.memory.buffer, stage.columns, 2000);
    const death = new Uint32Array(stage.kernel.arena.memory.buffer, stage.columns + 8000, 2000);
    for (let row = 0; row < 2000; row += 1) {
      born[row] = rng.below(4) === 0 ? 9 : 1;
      death[row] = rng.below(2) === 0 ? 0 : 1 + rng.below(10);
    }
    const visibility = { born: stage.columns, death: stage.columns + 8000, group: 5 };
    const queries = vectors.slice(0, 100);
    expect(recallOf(index, stage.flat, queries, { visibility })).toBeGreaterThanOrEqual(0.97);
    for (const query of queries) {
      const found = index.search({ query, k: 20, ef: 40, visibility, filter: 0, walk: 'plain' });
      expect(found.count).toBe(20);
      for (const row of found.rows)
        expect(born[row]! <= 5 && (death[row] === 0 || death[row]! > 5)).toBe(true);
    }
  });

  test('a filter keeps recall: plain walk at 60 %, filtered walk at 10 %, also where the filter is one region', () => {
    const rng = createRng(seed);
    const vectors = Array.from({ length: 5000 }, () => gaussian(rng, 16));
    const stage = stageRows({ metric: 'euclid', vectors });
    const index = buildIndex(stage);
    const queries = Array.from({ length: 100 }, () => gaussian(rng, 16));
    const filter = stage.columns;
    writeBits(stage.kernel, filter, 5000, () => rng.below(10) < 6);
    expect(recallOf(index, stage.flat, queries, { filter })).toBeGreaterThanOrEqual(0.97);
    writeBits(stage.kernel, filter, 5000, () => rng.below(10) === 0);
    expect(recallOf(index, stage.flat, queries, { filter, walk: 'filtered' })).toBeGreaterThanOrEqual(0.95);
    writeBits(stage.kernel, filter, 5000, (row) => vectors[row]![0]! > 1.2);
    expect(recallOf(index, stage.flat, queries, { filter, walk: 'filtered' })).toBeGreaterThanOrEqual(0.95);
  });

  test('copies pass a filter one by one', () => {
    const rng = createRng(seed);
    const copy = gaussian(rng, 8);
    const vectors = Array.from({ length: 900 }, (_, i) => (i % 3 === 0 ? copy : gaussian(rng, 8)));
    const stage = stageRows({ metric: 'euclid', vectors });
    const index = buildIndex(stage);
    writeBits(stage.kernel, stage.columns, 900, (row) => row % 30 === 27);
    for (const walk of ['plain', 'filtered'] as const) {
      const found = index.search({
        query: copy,
        k: 50,
        ef: 64,
        visibility: null,
        filter: stage.columns,
        walk,
      });
      expect([...found.rows].sort((a, b) => a - b)).toEqual(
        Array.from({ length: 30 }, (_, i) => 27 + 30 * i),
      );
    }
  });

  test('rows without the vector are never found', () => {
    const rng = createRng(seed);
    const vectors = Array.from({ length: 1000 }, () => gaussian(rng, 8));
    const stage = stageRows({ metric: 'euclid', vectors, present: (row) => row % 3 !== 0 });
    const index = buildIndex(stage, { hasAbsent: true });
    expect(recallOf(index, stage.flat, vectors.slice(0, 100))).toBeGreaterThanOrEqual(0.97);
    const found = index.search({
      query: vectors[0]!,
      k: 100,
      ef: 100,
      visibility: null,
      filter: 0,
      walk: 'plain',
    });
    expect([...found.rows].filter((row) => row % 3 === 0)).toEqual([]);
  });

  test('graphs of no row, one row and a few rows answer', () => {
    const rng = createRng(seed);
    for (const count of [1, 2, 5, 17, 70]) {
      const vectors = Array.from({ length: count }, () => gaussian(rng, 5));
      const stage = stageRows({ metric: 'dot', vectors });
      const index = buildIndex(stage);
      expect(recallOf(index, stage.flat, vectors)).toBe(1);
      const none = stageRows({ metric: 'dot', vectors, present: () => false });
      const request = {
        query: vectors[0]!,
        k: 3,
        ef: 9,
        visibility: null,
        filter: 0,
        walk: 'plain',
      } as const;
      expect(buildIndex(none, { hasAbsent: true }).search(request).count).toBe(0);
    }
  });

  test('very long vectors do not overflow the integer sums', () => {
    const rng = createRng(seed);
    const vectors = Array.from({ length: 60 }, () =>
      gaussian(rng, 20_000).map((value) => 1e3 * Math.sign(value)),
    );
    for (const metric of ['euclid', 'dot', 'manhattan'] as const) {
      const stage = stageRows({ metric, vectors });
      expect(recallOf(buildIndex(stage), stage.flat, vectors.slice(0, 10), { k: 3 })).toBe(1);
    }
  });

  test('the same rows, parameters and seed give the same bytes, and a copy of them opens elsewhere', () => {
    const rng = createRng(seed);
    const vectors = Array.from({ length: 700 }, () => gaussian(rng, 12));
    const bytesOf = (stepRows: number): Uint8Array => {
      const stage = stageRows({ metric: 'euclid', vectors, threads: 2 });
      buildIndex(stage, { seed: 5, threads: 2, stepRows });
      const { buffer } = stage.kernel.arena.memory;
      const { persistedBytes } = viewGraph(buffer, stage.region);
      return new Uint8Array(buffer, stage.region.offset, persistedBytes).slice();
    };
    const first = bytesOf(1);
    expect(first).toEqual(bytesOf(333));
    const other = stageRows({ metric: 'euclid', vectors, threads: 2 });
    new Uint8Array(other.kernel.arena.memory.buffer, other.region.offset, first.length).set(first);
    const index = openHnsw(other.kernel, other.region, other.rows);
    expect(recallOf(index, other.flat, vectors.slice(0, 50))).toBeGreaterThanOrEqual(0.99);
  });
});
