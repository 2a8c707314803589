/** A scan by codes against the same scan without: the same rows and the same scores, bit for bit, whatever the rows are. */
import { describe, expect, test } from 'vitest';
import { createArena } from './arena.ts';
import type { Metric } from './metric.ts';
import { createRng, type Rng } from './rng.ts';
import { readRow, strideOf, writeRow, type Rows } from './rows.ts';
import { encodeScanCodes, hasScanCodes, scanRecordBytes } from './scan-codes.ts';
import { scratchBytesPerThread } from './scratch.ts';
import { createSimdKernel, type SimdKernel } from './simd.ts';
import { createTopK, foundIn } from './top-k.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);

interface Stage {
  readonly kernel: SimdKernel;
  readonly rows: Rows;
  readonly codes: number;
  readonly count: number;
}

function stage(metric: Metric, dim: number, vectors: readonly Float32Array[]): Stage {
  const stride = strideOf('f32', dim);
  const count = vectors.length;
  const bytes = (stride + scanRecordBytes(dim)) * count + 65_536;
  const arena = createArena(1, bytes, 2 * scratchBytesPerThread);
  const kernel = createSimdKernel(arena, 1);
  const rows: Rows = { metric, element: 'f32', dim, stride, address: arena.scratchBytes };
  const codes = rows.address + stride * count;
  // What lay there before is not read.
  new Uint8Array(arena.memory.buffer, codes, scanRecordBytes(dim) * count).fill(0xff);
  for (const [row, vector] of vectors.entries()) {
    writeRow(arena.memory, rows, row, vector);
    encodeScanCodes(kernel, rows, row, codes);
  }
  return { kernel, rows, codes, count };
}

function scanned({ kernel, rows, count }: Stage, query: Float32Array, k: number, codes: number): object {
  const top = createTopK(k);
  for (let from = 0; from < count; from += 100)
    kernel.scan(
      rows,
      query,
      { from, to: Math.min(count, from + 100), visibility: null, filter: 0, present: 0, codes },
      top,
    );
  const { rows: found, scores } = foundIn(top, rows.metric);
  return { rows: [...found], scores: [...scores] };
}

function expectSame(set: Stage, query: Float32Array, k: number): void {
  expect(scanned(set, query, k, set.codes)).toEqual(scanned(set, query, k, 0));
}

/** Rows in tight bunches, so that many are nearly as near as the best. */
function bunched(rng: Rng, dim: number, count: number, spread: number, scale: number): Float32Array[] {
  const centres = Array.from({ length: 5 }, () => Float32Array.from({ length: dim }, () => rng.normal()));
  return Array.from({ length: count }, () => {
    const centre = centres[rng.below(centres.length)]!;
    return centre.map((value) => scale * (value + spread * rng.normal()));
  });
}

const metrics = ['cosine', 'dot', 'euclid'] as const;

describe(`a scan by codes (QUIVER_SEED=${seed})`, () => {
  for (const metric of metrics)
    test(`finds by ${metric} what a scan of the rows finds, for near and far rows of any size`, () => {
      const rng = createRng(seed);
      for (const dim of [1, 15, 16, 17, 48, 384, 1_000, 4_097])
        for (const spread of [1, 0.1, 0.001, 0])
          for (const scale of [1, 1e-9, 1e9]) {
            const set = stage(metric, dim, bunched(rng, dim, dim > 1_000 ? 60 : 250, spread, scale));
            const [near] = bunched(rng, dim, 1, 1, scale);
            expectSame(set, near!, 1 + rng.below(20));
            const { kernel, rows } = set;
            const stored = new Float32Array(
              kernel.arena.memory.buffer,
              rows.address + 7 * rows.stride,
              dim,
            ).slice();
            expectSame(set, stored, 1 + rng.below(20));
          }
    });

  for (const metric of metrics)
    test(`finds by ${metric} what a scan of the rows finds where numbers are no usual ones`, () => {
      const rng = createRng(seed);
      const odd = [0, -0, 1e-40, 1e-20, 1e20, 3e38, -3e38, Infinity, -Infinity, NaN];
      const dim = 24;
      for (let round = 0; round < 200; round += 1) {
        const vector = (): Float32Array =>
          Float32Array.from({ length: dim }, () =>
            rng.below(30) === 0 ? odd[rng.below(odd.length)]! : rng.normal(),
          );
        const vectors = Array.from({ length: 150 }, vector);
        vectors[3] = new Float32Array(dim);
        vectors[4] = new Float32Array(dim).fill(1e-42);
        expectSame(
          stage(metric, dim, vectors),
          round % 5 === 0 ? new Float32Array(dim) : vector(),
          1 + rng.below(30),
        );
      }
    });

  test('finds what a scan of the rows finds at the largest dimensions, of rows along the query, against it and far from it', () => {
    const rng = createRng(seed);
    for (const dim of [65_505, 65_520, 65_536])
      for (const metric of metrics) {
        const query = Float32Array.from({ length: dim }, () => (rng.below(2) === 0 ? 1 : -1));
        const rows = bunched(rng, dim, 6, 0.1, 0.01);
        for (const factor of [1, -1, 0.5]) rows.push(query.map((value) => factor * value));
        rows.push(query.map((value, i) => (i < 100 ? 50 * value : value)));
        const set = stage(metric, dim, rows);
        for (const k of [1, 3, 10]) expectSame(set, query, k);
      }
  });

  test('reads few of the rows that are far', () => {
    const rng = createRng(seed);
    const dim = 384;
    const set = stage('cosine', dim, bunched(rng, dim, 2_000, 0.3, 1 / Math.sqrt(dim)));
    const query = readRow(set.kernel.arena.memory, set.rows, 7).map(
      (value) => value + (0.3 * rng.normal()) / Math.sqrt(dim),
    );
    const best = scanned(set, query, 10, set.codes);
    // Rows that codes rule out are not read: destroying those of other bunches changes nothing.
    const wide = scanned(set, query, 500, 0) as { rows: number[] };
    const kept = new Set(wide.rows);
    for (let row = 100; row < set.count; row += 1)
      if (!kept.has(row)) writeRow(set.kernel.arena.memory, set.rows, row, query);
    expect(scanned(set, query, 10, set.codes)).toEqual(best);
  });

  test('is offered for rows of floats whose distance has a bound', () => {
    expect(hasScanCodes({ metric: 'manhattan', element: 'f32' })).toBe(false);
    expect(hasScanCodes({ metric: 'cosine', element: 'f16' })).toBe(false);
    expect(hasScanCodes({ metric: 'euclid', element: 'f32' })).toBe(true);
  });
});
