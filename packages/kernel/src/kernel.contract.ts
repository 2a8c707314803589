/**
 * What every kernel must do, run by the scalar and the SIMD one. Tolerance: 1e-5 of the sum of the absolute terms;
 * beyond 4,096 dimensions f32 accumulation may err by 1e-4 of it.
 */
import { describe, expect, test } from 'vitest';
import { createArena, type Arena } from './arena.ts';
import type { Kernel, ScanRange } from './kernel.ts';
import { distanceAtMost, elements, metrics, reportedScore, type Element, type Metric } from './metric.ts';
import { createRng, type Rng } from './rng.ts';
import { readRow, strideOf, writeRow, type Rows } from './rows.ts';
import { distanceOf } from './scalar.ts';
import { scratchBytesPerThread } from './scratch.ts';
import { compareScores, createTopK, foundIn, type Found } from './top-k.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261124);

function randomVector(rng: Rng, element: Element, dim: number): Float32Array {
  return Float32Array.from({ length: dim }, () => {
    if (element === 'f32' || element === 'q4') return rng.normal();
    if (element === 'f16') return Math.f16round(rng.normal());
    return element === 'u8' ? rng.below(256) : rng.below(256) - 128;
  });
}

/** Sum of the absolute terms of a score: what rounding errors are relative to. */
function magnitude(metric: Metric, query: Float32Array, row: Float32Array): number {
  if (metric === 'cosine' || metric === 'dot')
    return query.reduce((sum, value, i) => sum + Math.abs(value * row[i]!), 1e-30);
  return 0;
}

export interface Stage {
  readonly kernel: Kernel;
  readonly rows: Rows;
  readonly count: number;
  readonly query: Float32Array;
}

/** A stage with `count` random rows behind the scratch space. */
function stage(
  create: (arena: Arena, thread: number) => Kernel,
  rng: Rng,
  shape: { metric: Metric; element: Element; dim: number; count: number },
): Stage {
  const { metric, element, dim, count } = shape;
  const stride = strideOf(element, dim);
  const arena = createArena(1, stride * count + 64 * count + 65_536, 2 * scratchBytesPerThread);
  const rows: Rows = { metric, element, dim, stride, address: arena.scratchBytes };
  for (let row = 0; row < count; row += 1) writeRow(arena.memory, rows, row, randomVector(rng, element, dim));
  return { kernel: create(arena, 1), rows, count, query: randomVector(rng, element, dim) };
}

function expectedScore({ kernel, rows, query }: Stage, row: number): number {
  const stored = readRow(kernel.arena.memory, rows, row);
  return reportedScore(rows.metric, Math.fround(distanceOf(rows, query, stored)));
}

const allRows = { visibility: null, filter: 0, present: 0 };

export function kernelContract(name: string, create: (arena: Arena, thread: number) => Kernel): void {
  describe(`${name} kernel (QUIVER_SEED=${seed})`, () => {
    for (const metric of metrics)
      for (const element of elements)
        test(`scores ${element} rows by ${metric} as a loop in f64 does, at any dimension`, () => {
          const rng = createRng(seed);
          for (const dim of [1, 2, 3, 15, 16, 17, 63, 64, 65, 128, 384, 1000, 4097, 65_536]) {
            const set = stage(create, rng, { metric, element, dim, count: 5 });
            const list = new Uint32Array([4, 0, 2, 2]);
            const scores = set.kernel.score(set.rows, set.query, list);
            const tolerance = dim > 4096 ? 1e-4 : 1e-5;
            list.forEach((row, i) => {
              const want = expectedScore(set, row);
              const stored = readRow(set.kernel.arena.memory, set.rows, row);
              const scale = Math.max(Math.abs(want), magnitude(metric, set.query, stored) / 10);
              expect(Math.abs(scores[i]! - want)).toBeLessThanOrEqual(tolerance * scale);
            });
            const range = set.kernel.scoreRange(set.rows, set.query, 1, 4);
            expect(range.length).toBe(3);
            const want = expectedScore(set, 2);
            expect(Math.abs(range[1]! - want)).toBeLessThanOrEqual(
              tolerance * (Math.abs(want) + Math.sqrt(dim)),
            );
          }
        });

    test('a scan in uneven chunks finds the best k of what is visible, passes the filter and is present', () => {
      const rng = createRng(seed);
      for (let round = 0; round < 30; round += 1) {
        const metric = metrics[rng.below(4)]!;
        const element = elements[rng.below(elements.length)]!;
        const count = 1 + rng.below(300);
        const set = stage(create, rng, { metric, element, dim: 1 + rng.below(40), count });
        const { range, passes } = randomRange(rng, set);
        const k = 1 + rng.below(40);
        const top = createTopK(k);
        for (let from = 0; from < count;) {
          const to = Math.min(count, from + 1 + rng.below(100));
          set.kernel.scan(set.rows, set.query, { ...range, from, to }, top);
          from = to;
        }
        const found = foundIn(top, metric);
        const passing = Array.from({ length: count }, (_, row) => row).filter(passes);
        expectWithin(set, range, k, found);
        const all = set.kernel.score(set.rows, set.query, Uint32Array.from(passing)).slice();
        const sign = metric === 'cosine' || metric === 'dot' ? -1 : 1;
        const order = passing
          .map((row, i) => ({ row, score: all[i]! }))
          .sort((a, b) => sign * (a.score - b.score) || a.row - b.row)
          .slice(0, k);
        expect([...found.rows]).toEqual(order.map((entry) => entry.row));
        expect([...found.scores]).toEqual(order.map((entry) => entry.score));
      }
    });

    test('equal scores come out by the lower row', () => {
      const set = stage(create, createRng(seed), { metric: 'dot', element: 'f32', dim: 3, count: 50 });
      for (let row = 0; row < 50; row += 1)
        writeRow(set.kernel.arena.memory, set.rows, row, new Float32Array([1, 2, 3]));
      const top = createTopK(4);
      set.kernel.scan(set.rows, set.query, { ...allRows, from: 7, to: 50 }, top);
      expect([...foundIn(top, 'dot').rows]).toEqual([7, 8, 9, 10]);
    });

    test('a score that is not a number is never nearest', () => {
      const set = stage(create, createRng(seed), { metric: 'dot', element: 'f32', dim: 2, count: 3 });
      writeRow(set.kernel.arena.memory, set.rows, 0, new Float32Array([Infinity, -Infinity]));
      writeRow(set.kernel.arena.memory, set.rows, 1, new Float32Array([-5, -5]));
      writeRow(set.kernel.arena.memory, set.rows, 2, new Float32Array([1, 1]));
      const top = createTopK(2);
      set.kernel.scan(set.rows, new Float32Array([1, 1]), { ...allRows, from: 0, to: 3 }, top);
      expect([...foundIn(top, 'dot').rows]).toEqual([2, 1]);
    });
  });
}

/** A scan that is told the score that one of those found has finds those that are as good. */
function expectWithin(set: Stage, range: ScanRange, k: number, found: Found): void {
  if (found.count === 0) return;
  const { metric } = set.rows;
  const worst = found.scores[found.count >>> 1]!;
  const top = createTopK(k);
  set.kernel.scan(set.rows, set.query, { ...range, farthest: distanceAtMost(metric, worst) }, top);
  const isAsGood = (score: number): boolean => compareScores(metric, score, worst) <= 0;
  const near = foundIn(top, metric);
  const within = near.scores.filter(isAsGood);
  expect([...within]).toEqual([...found.scores.filter(isAsGood)]);
  expect([...near.rows.subarray(0, within.length)]).toEqual([...found.rows.subarray(0, within.length)]);
  // Beyond it by no more than rounding.
  for (const score of near.scores)
    if (!isAsGood(score)) expect(Math.abs(score - worst)).toBeLessThanOrEqual(1e-5 * Math.abs(worst));
}

/** Random born and death columns and bitsets behind the rows, and the rule they stand for in plain words. */
function randomRange(
  rng: Rng,
  { kernel, rows, count }: Stage,
): { range: ScanRange; passes: (row: number) => boolean } {
  const { buffer } = kernel.arena.memory;
  const born = Uint32Array.from({ length: count }, () => rng.below(6));
  const death = Uint32Array.from({ length: count }, () => rng.below(8));
  const group = 3;
  const bitsets = [0, 1].map(() => Uint8Array.from({ length: 64 }, () => rng.below(256)));
  const columns = rows.address + rows.stride * count;
  new Uint32Array(buffer, columns, count).set(born);
  new Uint32Array(buffer, columns + 4 * count, count).set(death);
  bitsets.forEach((bits, i) => new Uint8Array(buffer, columns + 8 * count + 64 * i, 64).set(bits));
  const used = [rng.below(2) === 1, rng.below(2) === 1];
  const isVisible = rng.below(2) === 1;
  const range: ScanRange = {
    from: 0,
    to: count,
    visibility: isVisible ? { born: columns, death: columns + 4 * count, group } : null,
    filter: used[0]! ? columns + 8 * count : 0,
    present: used[1]! ? columns + 8 * count + 64 : 0,
  };
  const has = (i: number, row: number): boolean =>
    !used[i]! || ((bitsets[i]![row >> 3]! >> (row & 7)) & 1) === 1;
  const alive = (row: number): boolean =>
    !isVisible || (born[row]! <= group && (death[row] === 0 || death[row]! > group));
  return { range, passes: (row) => has(0, row) && has(1, row) && alive(row) };
}
