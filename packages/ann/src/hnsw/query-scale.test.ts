import { createRng } from '@quiver/kernel';
import { describe, expect, test } from 'vitest';
import { buildIndex, recallOf, stageRows } from '../testing/index-stage.ts';
import { viewGraph } from './graph-view.ts';
import { queryScaling } from './query-scale.ts';

const dim = 24;
const lengths = [1e-30, 1e-20, 0.001, 0.1, 10, 1e15];

function drawnSet(shift: number) {
  const rng = createRng(7);
  const centres = Array.from({ length: 20 }, () => Float32Array.from({ length: dim }, () => rng.normal()));
  const draw = (): Float32Array => centres[rng.below(20)]!.map((x) => x + 0.6 * rng.normal() + shift);
  return {
    vectors: Array.from({ length: 2000 }, draw),
    queries: Array.from({ length: 40 }, draw),
  };
}

describe.each(['never', 'always'] as const)('products, neighbour codes %s', (neighbourCodes) => {
  test.each([0, 0.5, 5])('queries of any length find as much as queries like the rows; mean %d', (shift) => {
    const { vectors, queries } = drawnSet(shift);
    const stage = stageRows({ metric: 'dot', vectors, neighbourCodes });
    const index = buildIndex(stage);
    const recall = (length: number): number =>
      recallOf(
        index,
        stage.flat,
        queries.map((query) => query.map((x) => length * x)),
        { ef: 48 },
      );
    const usual = recall(1);
    for (const length of lengths) expect(recall(length)).toBeGreaterThan(usual - 0.02);
  });
});

describe.each(['measured', 'always'] as const)(
  'products of rows around zero, neighbour codes %s',
  (neighbourCodes) => {
    test('queries along what mean there is, and short ones, find as much as others', () => {
      const rng = createRng(11);
      const draw = (): Float32Array => Float32Array.from({ length: 16 }, () => rng.normal());
      const vectors = Array.from({ length: 4000 }, draw);
      const stage = stageRows({ metric: 'dot', vectors, neighbourCodes });
      const index = buildIndex(stage);
      const { mean } = viewGraph(stage.kernel.arena.memory.buffer, stage.region);
      const along = (query: Float32Array): number =>
        query.reduce((sum, x, i) => sum + x * mean[i]!, 0) / (Math.hypot(...query) * Math.hypot(...mean));
      const queries = Array.from({ length: 4000 }, draw);
      const recall = (asked: Float32Array[]): number => recallOf(index, stage.flat, asked, { ef: 64 });
      const usual = recall(queries.slice(0, 100));
      const near = queries.filter((query) => along(query) >= 0.5).slice(0, 50);
      expect(near.length).toBeGreaterThan(20);
      expect(recall(near)).toBeGreaterThan(usual - 0.02);
      expect(recall(queries.slice(0, 100).map((query) => query.map((x) => x / 1000)))).toBeGreaterThan(
        usual - 0.02,
      );
    });
  },
);

test('scores are those of the query as it was asked, bit for bit', () => {
  const { vectors, queries } = drawnSet(1);
  const stage = stageRows({ metric: 'dot', vectors });
  const index = buildIndex(stage);
  for (const query of queries) {
    const short = query.map((x) => x / 1000);
    const request = { query: short, k: 10, ef: 64, visibility: null, filter: 0, walk: 'plain' } as const;
    const { rows, scores } = index.search(request);
    for (const [i, row] of rows.entries())
      expect(scores[i]).toBe(stage.kernel.score(stage.rows, short, Uint32Array.of(row))[0]);
  }
});

test('only products are scaled, by powers of two, and what is of about the right length is not', () => {
  const mean = Float32Array.of(3, 4);
  const tiny = Float32Array.of(1e-3, 0);
  expect(queryScaling({ metric: 'euclid', element: 'f32' }, mean, 1)(tiny)).toBe(1);
  expect(queryScaling({ metric: 'cosine', element: 'u8' }, mean, 1)(tiny)).toBe(1);
  expect(queryScaling({ metric: 'dot', element: 'i8' }, mean, 1)(tiny)).toBe(1);
  expect(queryScaling({ metric: 'dot', element: 'f32' }, mean, 0)(tiny)).toBe(1);
  expect(queryScaling({ metric: 'dot', element: 'f32' }, Float32Array.of(1e30, 0), 1)(tiny)).toBe(1);
  expect(queryScaling({ metric: 'dot', element: 'f32' }, mean, 1e30)(tiny)).toBe(1);
  const scale = queryScaling({ metric: 'dot', element: 'f32' }, mean, 1);
  expect(scale(Float32Array.of(0, 0))).toBe(1);
  expect(scale(Float32Array.of(3, 4))).toBe(1);
  expect(scale(Float32Array.of(300, 400))).toBe(2 ** -7);
  expect(scale(Float32Array.of(0.03, 0.04))).toBe(2 ** 7);
  // At a right angle to the mean: four times as long as it, or longer.
  expect(scale(Float32Array.of(0.04, -0.03))).toBe(2 ** 9);
  expect(scale(Float32Array.of(400, -300))).toBe(1);
  // As long as rows are, where the mean is short.
  const wide = queryScaling({ metric: 'dot', element: 'f32' }, mean, 640);
  expect(wide(Float32Array.of(3, 4))).toBe(2 ** 7);
  expect(wide(Float32Array.of(300, 400))).toBe(1);
  expect(wide(Float32Array.of(4, -3))).toBe(2 ** 7);
  expect(
    queryScaling({ metric: 'dot', element: 'f32' }, Float32Array.of(0, 0), 8)(Float32Array.of(0, 1)),
  ).toBe(8);
});

test('a query of cosines that was too short to be brought to length one finds what a longer one does', () => {
  const { vectors, queries } = drawnSet(0.5);
  const normalised = [...vectors, ...queries].map((vector) => vector.map((x) => x / Math.hypot(...vector)));
  const stage = stageRows({ metric: 'cosine', vectors: normalised.slice(0, 2000) });
  const index = buildIndex(stage);
  const short = normalised.slice(2000).map((query) => query.map((x) => x * 1e-20));
  expect(recallOf(index, stage.flat, short, { ef: 48 })).toBeGreaterThan(0.95);
});
