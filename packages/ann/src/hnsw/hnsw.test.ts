import { createRng, type Rng } from '@quiver/kernel';
import { describe, expect, test } from 'vitest';
import { buildIndex, recallOf, stageRows, writeBits } from '../testing/index-stage.ts';
import type { SearchFacts } from '../vector-index.ts';
import { checkHnsw } from './check.ts';
import { viewGraph } from './graph-view.ts';
import { openHnsw } from './search.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261124);

function gaussian(rng: Rng, dim: number, spread = 1): Float32Array {
  return Float32Array.from({ length: dim }, () => rng.normal() * spread);
}

/** Points around well separated centres: `clusters` of them, the same number in each. */
function clustered(rng: Rng, count: number, dim: number, clusters: number, spread: number): Float32Array[] {
  const centres = Array.from({ length: clusters }, () => gaussian(rng, dim, 10));
  return Array.from({ length: count }, (_, i) =>
    centres[i % clusters]!.map((value) => value + spread * rng.normal()),
  );
}

describe(`HNSW (QUIVER_SEED=${seed})`, () => {
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
    const halves = clustered(rng, 4000, 24, 20, 0.02);
    const stage = stageRows({ metric: 'euclid', element: 'f16', vectors: halves });
    const index = buildIndex(stage);
    expect(viewGraph(stage.kernel.arena.memory.buffer, stage.region).walksRows).toBe(true);
    expect(recallOf(index, stage.flat, halves.slice(0, 100))).toBeGreaterThanOrEqual(0.95);
    const ordinary = stageRows({
      metric: 'euclid',
      vectors: Array.from({ length: 2000 }, () => gaussian(rng, 24)),
    });
    buildIndex(ordinary);
    expect(viewGraph(ordinary.kernel.arena.memory.buffer, ordinary.region).walksRows).toBe(false);
  });

  test('a copy among the entry rows does not end a search: as many are found as there are', () => {
    const rng = createRng(seed);
    const distinct = Array.from({ length: 200 }, () => gaussian(rng, 16));
    const stage = stageRows({
      metric: 'euclid',
      vectors: Array.from({ length: 4000 }, (_, i) => distinct[i % 200]!),
    });
    const index = buildIndex(stage);
    for (const query of distinct.map((v) => v.map((value) => value + 0.05 * rng.normal())))
      expect(recallOf(index, stage.flat, [query], { k: 60 })).toBe(1);
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

  test('a walk that meets too few passing rows gives up early, and one that meets enough does not', () => {
    const rng = createRng(seed);
    const vectors = clustered(rng, 8000, 16, 8, 3);
    for (const neighbourCodes of ['never', 'always'] as const) {
      const stage = stageRows({ metric: 'euclid', vectors, neighbourCodes });
      const index = buildIndex(stage);
      const search = (query: Float32Array): SearchFacts => {
        index.search({
          query,
          k: 10,
          ef: 40,
          visibility: null,
          filter: stage.columns,
          walk: 'plain',
          fallback: { walk: 'codes', expansionsMax: 500 },
        });
        return index.facts();
      };
      // Only the first cluster passes: 1,000 rows.
      writeBits(stage.kernel, stage.columns, 8000, (row) => row % 8 === 0);
      for (let i = 0; i < 80; i += 8) {
        const inside = search(vectors[i]!);
        expect(inside).toMatchObject({ walk: 'plain', hasFallenBack: false });
        const outside = search(vectors[i + 3]!);
        expect(outside).toMatchObject({ walk: 'codes', hasFallenBack: true, visited: 32 });
        expect(outside.estimated).toBeGreaterThanOrEqual(1000);
        expect(outside.exact).toBeGreaterThanOrEqual(10);
      }
    }
  });
});
