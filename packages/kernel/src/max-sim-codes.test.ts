/** The bound of the first pass of MaxSim against sums in double precision. */
import { expect, test } from 'vitest';
import { createArena } from './arena.ts';
import {
  encodeMaxSim,
  encodeMaxSimQuery,
  maxSimCodeBytes,
  maxSimEstimator,
  type CodedMetric,
} from './max-sim-codes.ts';
import { createRng, type Rng } from './rng.ts';
import { strideOf } from './rows.ts';
import { scratchBytesPerThread } from './scratch.ts';
import { createSimdKernel } from './simd.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);
const replay = (own: number): string =>
  `QUIVER_SEED=${own} npx vitest run packages/kernel/src/max-sim-codes.test.ts`;

type Shape = (rng: Rng) => number;
const shapes: Readonly<Record<string, Shape>> = {
  normal: (rng) => rng.normal(),
  'few large elements': (rng) => rng.normal() * (rng.below(40) === 0 ? 30 : 1),
  'elements of one size': (rng) => (rng.below(2) === 0 ? 1 : -1),
  bytes: (rng) => rng.below(256) - 128,
  'very small': (rng) => rng.normal() * 1e-30,
  'mostly zero': (rng) => (rng.below(10) === 0 ? rng.normal() : 0),
};

function randomRows(rng: Rng, shape: Shape, count: number, dim: number): Float32Array {
  const values = new Float32Array(count * dim);
  for (let row = 0; row < count; row += 1) {
    const factor = rng.below(8) === 0 ? 0 : 10 ** (rng.below(3) - 1);
    for (let i = 0; i < dim; i += 1) values[row * dim + i] = shape(rng) * factor;
  }
  return values;
}

function near(metric: CodedMetric, a: Float32Array, b: Float32Array): number {
  let [product, square, aa, bb] = [0, 0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    product += a[i]! * b[i]!;
    square += (a[i]! - b[i]!) ** 2;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  if (metric === 'cosine') return aa * bb === 0 ? 0 : product / Math.sqrt(aa * bb);
  return metric === 'dot' ? product : -square;
}

function maxSim(metric: CodedMetric, query: Float32Array, point: Float32Array, dim: number): number {
  let sum = 0;
  for (let q = 0; q < query.length; q += dim) {
    let best = -Infinity;
    for (let p = 0; p < point.length; p += dim)
      best = Math.max(best, near(metric, query.subarray(q, q + dim), point.subarray(p, p + dim)));
    sum += best;
  }
  return sum;
}

function createStage(bytes = 1 << 20): {
  /** Stores the points and returns the estimates of the query with their bounds; null when the query has no codes. */
  estimate(
    metric: CodedMetric,
    dim: number,
    query: Float32Array,
    points: readonly Float32Array[],
  ): { estimate: number; bound: number }[] | null;
} {
  const arena = createArena(1, bytes, scratchBytesPerThread);
  const kernel = createSimdKernel(arena, 0);
  return {
    estimate(metric, dim, query, points) {
      const coded = encodeMaxSimQuery(metric, dim, query);
      if (coded === null) return null;
      const estimator = maxSimEstimator(kernel);
      estimator.setQuery(coded);
      let at = arena.scratchBytes;
      for (const [i, values] of points.entries()) {
        const count = values.length / dim;
        const address = at;
        const padded = strideOf('f32', dim) / 4;
        const rows = new Float32Array(arena.memory.buffer, at, padded * count).fill(0);
        for (let row = 0; row < count; row += 1)
          rows.set(values.subarray(row * dim, (row + 1) * dim), row * padded);
        at += rows.byteLength;
        new Uint8Array(arena.memory.buffer, at, maxSimCodeBytes(dim, count)).fill(0xaa);
        encodeMaxSim(kernel, metric, { address, dim, count }, at);
        estimator.points.set([at, count], 2 * i);
        at += maxSimCodeBytes(dim, count);
      }
      const found = estimator.estimate(points.length);
      return points.map((_, i) => ({ estimate: found[2 * i]!, bound: found[2 * i + 1]! }));
    },
  };
}

const metrics = ['dot', 'euclid', 'cosine'] as const;
const cases = metrics.flatMap((metric) => Object.keys(shapes).map((shape) => [metric, shape] as const));

test.each(cases)('the exact sum by %s of %s elements is within the bound', (metric, name) => {
  const rng = createRng(seed);
  const stage = createStage();
  for (let round = 0; round < 40; round += 1) {
    const dim = 1 + rng.below(round % 4 === 0 ? 400 : 70);
    const query = randomRows(rng, shapes[name]!, 1 + rng.below(9), dim);
    const points = Array.from({ length: 8 }, () => randomRows(rng, shapes[name]!, 1 + rng.below(6), dim));
    const found = stage.estimate(metric, dim, query, points);
    expect(found, replay(seed)).not.toBeNull();
    for (const [i, point] of points.entries()) {
      const exact = maxSim(metric, query, point, dim);
      const { estimate: estimated, bound } = found![i]!;
      expect(Math.abs(exact - estimated), `round ${round}, ${replay(seed)}`).toBeLessThanOrEqual(bound);
    }
  }
});

test('the bound of unit vectors is a few hundredths for each row of the query', () => {
  const rng = createRng(seed);
  const dim = 384;
  const unit = (count: number): Float32Array => {
    const values = Float32Array.from({ length: count * dim }, () => rng.normal());
    for (let row = 0; row < count; row += 1) {
      const own = values.subarray(row * dim, (row + 1) * dim);
      const length = Math.hypot(...own);
      for (let i = 0; i < dim; i += 1) own[i]! /= length;
    }
    return values;
  };
  const found = createStage().estimate('dot', dim, unit(8), [unit(16), unit(1)])!;
  for (const { bound } of found) expect(bound / 8).toBeLessThan(0.04);
});

test.each([NaN, Infinity, -Infinity])('a point with %s is never ruled out', (value) => {
  const stage = createStage();
  for (const metric of metrics) {
    const point = Float32Array.of(1, 2, 3, 4, value, 6, 7, 8);
    const [found] = stage.estimate(metric, 4, Float32Array.of(1, -1, 1, 1), [point])!;
    expect(found!.estimate + found!.bound < 1e30, `${metric} ${JSON.stringify(found)}`).toBe(false);
  }
});

test('a query that is not of finite numbers or has no room has no codes', () => {
  expect(encodeMaxSimQuery('dot', 2, Float32Array.of(1, NaN))).toBeNull();
  expect(encodeMaxSimQuery('dot', 2, Float32Array.of(1, Infinity))).toBeNull();
  expect(encodeMaxSimQuery('dot', 1024, new Float32Array(1024 * 2048))).toBeNull();
});
