/** What every index must do, run by the exact scan, the graph and the graph with neighbour codes. The oracle is the scan. */
import { createRng, isFloat, type Element, type Metric, type Rng } from '@quiver/kernel';
import { describe, expect, test } from 'vitest';
import { recallOf, stageRows, writeBits, type IndexStage, type StageParams } from './testing/index-stage.ts';
import type { VectorIndex, Walk } from './vector-index.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261125);

export interface IndexUnderTest {
  readonly name: string;
  /** Kinds of rows it is defined for. */
  readonly kinds: readonly (readonly [Metric, Element])[];
  readonly stage: Pick<StageParams, 'neighbourCodes' | 'quantization' | 'projection'>;
  readonly open: (stage: IndexStage, hasAbsent: boolean) => VectorIndex;
}

/** Points whose coordinates hang together, as those of embeddings do: `dim` mixtures of a third as many sources. */
export function mixed(
  rng: Rng,
  count: number,
  dim: number,
  sources = Math.max(2, Math.ceil(dim / 3)),
): Float32Array[] {
  const weights = Array.from({ length: dim }, () =>
    Float32Array.from({ length: sources }, () => rng.normal()),
  );
  return Array.from({ length: count }, () => {
    const values = Float32Array.from({ length: sources }, () => rng.normal());
    return Float32Array.from(
      weights,
      (row) => row.reduce((sum, weight, i) => sum + weight * values[i]!, 0) + 0.3 * rng.normal(),
    );
  });
}

function asRow(vector: Float32Array, metric: Metric, element: Element): Float32Array {
  if (!isFloat(element)) {
    const middle = element === 'u8' ? 128 : 0;
    return vector.map((value) => middle + Math.max(-127, Math.min(127, Math.round(12 * value))));
  }
  if (metric !== 'cosine') return vector;
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

const all = { visibility: null, filter: 0, walk: 'plain' } as const;

export function vectorIndexContract({ name, kinds, stage: options, open }: IndexUnderTest): void {
  describe(`${name} (QUIVER_SEED=${seed})`, () => {
    for (const [metric, element] of kinds)
      test(`finds the nearest ${element} rows by ${metric} with exact scores, nearest first`, () => {
        const rng = createRng(seed);
        const vectors = mixed(rng, 2100, 30).map((vector) => asRow(vector, metric, element));
        const stage = stageRows({ ...options, metric, element, vectors: vectors.slice(100) });
        const index = open(stage, false);
        const queries = vectors.slice(0, 100);
        // The largest products belong to the longest rows, whoever asks: graphs are weaker there, and exact scans are not.
        expect(recallOf(index, stage.flat, queries)).toBeGreaterThanOrEqual(metric === 'dot' ? 0.9 : 0.97);
        for (const query of queries.slice(0, 10)) {
          const found = index.search({ ...all, query, k: 10, ef: 100 });
          expect([...found.scores]).toEqual([...stage.kernel.score(stage.rows, query, found.rows)]);
          const order = [...found.scores].sort((a, b) => a - b);
          expect([...found.scores]).toEqual(
            metric === 'cosine' || metric === 'dot' ? order.reverse() : order,
          );
          expect(new Set(found.rows).size).toBe(10);
        }
      });

    test('rows that are dead or unborn at the group are never returned and cost no recall', () => {
      const rng = createRng(seed);
      const vectors = mixed(rng, 2100, 24);
      const stage = stageRows({ ...options, metric: 'euclid', vectors: vectors.slice(100) });
      const index = open(stage, false);
      const { buffer } = stage.kernel.arena.memory;
      const [born, death] = [0, 8000].map((at) => new Uint32Array(buffer, stage.columns + at, 2000));
      for (let row = 0; row < 2000; row += 1) {
        born![row] = rng.below(4) === 0 ? 9 : 1;
        death![row] = rng.below(2) === 0 ? 0 : 1 + rng.below(10);
      }
      const visibility = { born: stage.columns, death: stage.columns + 8000, group: 5 };
      const queries = vectors.slice(0, 100);
      expect(recallOf(index, stage.flat, queries, { visibility })).toBeGreaterThanOrEqual(0.97);
      for (const query of queries) {
        const found = index.search({ ...all, query, k: 20, ef: 40, visibility });
        expect(found.count).toBe(20);
        for (const row of found.rows)
          expect(born![row]! <= 5 && (death![row] === 0 || death![row]! > 5)).toBe(true);
      }
    });

    test('a filter keeps recall: plain walk at 60 %, filtered walk and scan of codes at 10 %, also where the filter is one region', () => {
      const rng = createRng(seed);
      const vectors = mixed(rng, 5000, 24);
      const stage = stageRows({ ...options, metric: 'euclid', vectors });
      const index = open(stage, false);
      const queries = mixed(rng, 60, 24);
      const filter = stage.columns;
      const recall = (walk: Walk): number => recallOf(index, stage.flat, queries, { filter, walk });
      writeBits(stage.kernel, filter, 5000, () => rng.below(10) < 6);
      expect(recall('plain')).toBeGreaterThanOrEqual(0.97);
      writeBits(stage.kernel, filter, 5000, () => rng.below(10) === 0);
      expect(recall('filtered')).toBeGreaterThanOrEqual(0.95);
      expect(recall('codes')).toBeGreaterThanOrEqual(0.99);
      writeBits(stage.kernel, filter, 5000, (row) => vectors[row]![0]! > 3);
      expect(recall('filtered')).toBeGreaterThanOrEqual(0.95);
      expect(recall('codes')).toBeGreaterThanOrEqual(0.99);
      // Nothing passes around most queries: the walk gives up, and what is done instead keeps the recall.
      for (const walk of ['filtered', 'codes'] as const)
        expect(
          recallOf(index, stage.flat, queries, { filter, fallback: { walk, expansionsMax: 200 } }),
        ).toBeGreaterThanOrEqual(0.95);
    });

    test('copies of one row are answers one by one, under a filter too', () => {
      const rng = createRng(seed);
      const others = mixed(rng, 2000, 16);
      const copy = others[0]!;
      const vectors = Array.from({ length: 3000 }, (_, i) => (i % 3 === 0 ? copy : others[(2 * i) % 2000]!));
      const stage = stageRows({ ...options, metric: 'euclid', vectors });
      const index = open(stage, false);
      const copies = index.search({ ...all, query: copy, k: 500, ef: 64 });
      expect(copies.scores.every((score) => score === 0)).toBe(true);
      expect(new Set(copies.rows).size).toBe(500);
      writeBits(stage.kernel, stage.columns, 3000, (row) => row % 300 === 27);
      for (const walk of ['plain', 'filtered', 'codes'] as const) {
        const found = index.search({ ...all, query: copy, k: 10, ef: 64, filter: stage.columns, walk });
        expect([...found.rows].sort((a, b) => a - b)).toEqual(
          Array.from({ length: 10 }, (_, i) => 27 + 300 * i),
        );
      }
    });

    test('rows without the vector are never found', () => {
      const rng = createRng(seed);
      const vectors = mixed(rng, 2000, 12);
      const stage = stageRows({ ...options, metric: 'euclid', vectors, present: (row) => row % 3 !== 0 });
      const index = open(stage, true);
      expect(recallOf(index, stage.flat, vectors.slice(0, 100))).toBeGreaterThanOrEqual(0.97);
      const found = index.search({ ...all, query: vectors[0]!, k: 100, ef: 100 });
      expect(found.count).toBe(100);
      expect([...found.rows].filter((row) => row % 3 === 0)).toEqual([]);
    });

    test('few rows, or none, are answered, and k beyond the rows gives all of them', () => {
      const rng = createRng(seed);
      for (const count of [1, 2, 5, 17, 70]) {
        const vectors = mixed(rng, count, 5);
        const stage = stageRows({ ...options, metric: 'dot', vectors });
        const index = open(stage, false);
        expect(recallOf(index, stage.flat, vectors)).toBe(1);
        expect(index.search({ ...all, query: vectors[0]!, k: 200, ef: 10 }).count).toBe(count);
        const none = stageRows({ ...options, metric: 'dot', vectors, present: () => false });
        expect(open(none, true).search({ ...all, query: vectors[0]!, k: 3, ef: 9 }).count).toBe(0);
      }
    });

    test('a query or a row that is no number is answered without one', () => {
      const rng = createRng(seed);
      const vectors = mixed(rng, 1500, 8);
      vectors[7] = new Float32Array(8).fill(NaN);
      const stage = stageRows({ ...options, metric: 'euclid', vectors });
      const index = open(stage, false);
      const found = index.search({ ...all, query: vectors[3]!, k: 10, ef: 50 });
      expect(found.rows[0]).toBe(3);
      expect(index.search({ ...all, query: vectors[7], k: 10, ef: 50 }).count).toBe(10);
    });
  });
}
