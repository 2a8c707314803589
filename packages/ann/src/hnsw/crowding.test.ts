import { createRng } from '@quiver/kernel';
import { describe, expect, test } from 'vitest';
import { buildIndex, recallOf, stageRows, writeBits, type IndexStage } from '../testing/index-stage.ts';
import { mixed } from '../vector-index.contract.ts';
import type { Walk } from '../vector-index.ts';
import type { LinkedField } from './payload-links.ts';
import { openHnsw } from './search.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);
const bands = 6;

interface Banded {
  readonly stage: IndexStage;
  readonly bandOf: readonly number[];
  readonly queries: readonly Float32Array[];
}

const distance2 = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);

/** Rows in bands by their distance from a point, with links in each; queries are near the point and were never inserted. */
function banded(metric: 'euclid' | 'dot'): Banded {
  const vectors = mixed(createRng(seed), 6600, 48);
  const anchor = vectors[0]!;
  const byNearness = (all: readonly Float32Array[]): number[] => {
    const distances = all.map((vector) => distance2(vector, anchor));
    return all.map((_, i) => i).sort((a, b) => distances[a]! - distances[b]!);
  };
  const others = vectors.slice(1, 600);
  const queries = byNearness(others)
    .slice(0, 80)
    .map((i) => others[i]!);
  const stored = vectors.slice(600);
  const bandOf = new Array<number>(stored.length);
  byNearness(stored).forEach((row, rank) => (bandOf[row] = Math.floor((rank * bands) / stored.length)));
  const field: LinkedField = {
    key: 'band',
    type: 'keyword',
    blocks: Array.from({ length: bands }, (_, band) => ({
      value: String(band),
      from: 0,
      to: 0,
      rows: Uint32Array.from(bandOf.flatMap((one, row) => (one === band ? [row] : []))),
    })),
  };
  const stage = stageRows({
    metric,
    vectors: stored,
    m: 8,
    payloadLinks: { m: 8, tables: 1, blockRowsMin: 64 },
  });
  buildIndex(stage, { m: 8, efConstruct: 60, linkedFields: [field] });
  return { stage, bandOf, queries };
}

/** Recall of a walk among the rows of the farthest band. */
function recallFar({ stage, bandOf, queries }: Banded, walk: Walk, ef: number): number {
  const filter = stage.kernel.bitsetAddress;
  writeBits(stage.kernel, filter, stage.count, (row) => bandOf[row] === bands - 1);
  const links = { field: 0, from: bands - 1, count: 1, expansionsMax: 1_000_000 };
  const index = openHnsw(stage.kernel, stage.region, stage.rows);
  const recall = recallOf(index, stage.flat, queries, { ef, filter, walk, links });
  expect(index.facts().walk).toBe(walk);
  return recall;
}

describe(`crowded distances (QUIVER_SEED=${seed})`, () => {
  const euclid = banded('euclid');
  for (const walk of ['filtered', 'linked'] as const)
    test(`a filter that leads away from the query lowers no recall at an equal width (${walk} walk)`, () => {
      const index = openHnsw(euclid.stage.kernel, euclid.stage.region, euclid.stage.rows);
      for (const ef of [10, 16, 32, 64]) {
        const unfiltered = recallOf(index, euclid.stage.flat, euclid.queries, { ef });
        expect(recallFar(euclid, walk, ef)).toBeGreaterThanOrEqual(unfiltered - 0.01);
      }
    });

  test('searches without a filter have the width that was asked for, whatever the graph says is usual', () => {
    const { kernel, region, rows } = euclid.stage;
    const usual = new Float32Array(kernel.arena.memory.buffer, region.offset, 64);
    const index = openHnsw(kernel, region, rows);
    const visited = (crowding: number): number[] => {
      usual[148 / 4] = crowding;
      return euclid.queries.map((query) => {
        index.search({ query, k: 10, ef: 16, visibility: null, filter: 0, walk: 'plain' });
        return index.facts().visited;
      });
    };
    const measured = usual[148 / 4]!;
    expect(measured).toBeGreaterThan(0);
    expect(visited(10 * measured)).toEqual(visited(measured));
  });

  test('of products, which are no distances, nothing is said to be usual', () => {
    const { stage } = banded('dot');
    expect(new Float32Array(stage.kernel.arena.memory.buffer, stage.region.offset, 64)[148 / 4]).toBe(0);
  });
});
