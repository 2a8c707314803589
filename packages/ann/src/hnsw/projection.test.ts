import { createRng, readRow, type Rng } from '@quiver/kernel';
import { describe, expect, test } from 'vitest';
import { buildIndex, recallOf, stageRows, type IndexStage } from '../testing/index-stage.ts';
import { checkHnsw } from './check.ts';
import { none } from './format.ts';
import { viewGraph, type GraphView } from './graph-view.ts';
import { openHnsw, visitedAddress } from './search.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);
const dim = 80;

/** Rows whose variance falls along random directions, the i-th having 1 / (1 + i)^1.6 of the first's. */
function decaying(rng: Rng, count: number): Float32Array[] {
  const directions = Array.from({ length: dim }, () =>
    Float32Array.from({ length: dim }, () => rng.normal()),
  );
  for (const [i, direction] of directions.entries()) {
    for (const other of directions.slice(0, i)) {
      const along = direction.reduce((sum, value, at) => sum + value * other[at]!, 0);
      for (let at = 0; at < dim; at += 1) direction[at]! -= along * other[at]!;
    }
    const length = Math.hypot(...direction);
    for (let at = 0; at < dim; at += 1) direction[at]! /= length;
  }
  return Array.from({ length: count }, () => {
    const row = new Float32Array(dim).fill(3);
    for (const [i, direction] of directions.entries()) {
      const value = rng.normal() * (1 + i) ** -0.8;
      for (let at = 0; at < dim; at += 1) row[at]! += value * direction[at]!;
    }
    return row;
  });
}

function graphOf({ kernel, region }: IndexStage): GraphView {
  return viewGraph(kernel.arena.memory.buffer, region);
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** What docs/formats/hnsw.md says of a row or query, in f64: less the mean, its coordinates and the length of its rest. */
function reference({ kernel, region, rows }: IndexStage, vector: Float32Array) {
  const view = new DataView(kernel.arena.memory.buffer, region.offset, region.bytes);
  const [mean, directions, components] = [76, 236, 240].map((at) => view.getUint32(at, true)) as [
    number,
    number,
    number,
  ];
  const centred = Array.from(
    { length: rows.dim },
    (_, i) => vector[i]! - view.getFloat32(mean + 4 * i, true),
  );
  const wordOf = (component: number, i: number): number => {
    const pair = Math.floor(component / 16) * Math.ceil(rows.dim / 2) + (i >> 1);
    return view.getInt16(directions + 4 * (pair * 16 + (component % 16)) + 2 * (i & 1), true) / 16_384;
  };
  const direction = (component: number): number[] => centred.map((_, i) => wordOf(component, i));
  const coordinates = Array.from({ length: components - 1 }, (_, component) =>
    direction(component).reduce((sum, value, i) => sum + value * centred[i]!, 0),
  );
  const length2 = centred.reduce((sum, value) => sum + value * value, 0);
  const rest = Math.sqrt(Math.max(0, length2 - coordinates.reduce((sum, value) => sum + value * value, 0)));
  const meanProduct = centred.reduce((sum, c, i) => sum + c * view.getFloat32(mean + 4 * i, true), 0);
  return { coordinates, length2, rest, meanProduct, direction, share: view.getFloat32(228, true) };
}

describe(`codes of components (QUIVER_SEED=${seed})`, () => {
  test.each([
    ['euclid', 'f32'],
    ['cosine', 'f32'],
    ['dot', 'f32'],
    ['euclid', 'f16'],
  ] as const)('by %s of %s rows: estimates are what the stored directions say', (metric, element) => {
    const rng = createRng(seed);
    const drawn = decaying(rng, 1600);
    const vectors = metric === 'cosine' ? drawn.map(unit) : drawn;
    const stage = stageRows({ metric, element, vectors: vectors.slice(100), projection: 'anySize' });
    buildIndex(stage);
    const graph = graphOf(stage);
    expect(graph.projection).toMatchObject({ components: 48 });
    // The 47 leading of 80 such directions have 97 % of the variance.
    const variances = Array.from({ length: dim }, (_, i) => (1 + i) ** -1.6);
    const sumOf = (values: number[]): number => values.reduce((sum, value) => sum + value, 0);
    const best = sumOf(variances.slice(0, 47)) / sumOf(variances);
    if (metric !== 'cosine') expect(Math.abs(graph.projection!.explained - best)).toBeLessThan(0.01);

    const { kernel, region, rows } = stage;
    const visited = visitedAddress(region, graph.persistedBytes, stage.count, 0);
    const weight = metric === 'dot' ? 1 : 2;
    let errors2 = 0;
    let spread2 = 0;
    for (const query of vectors.slice(0, 5)) {
      kernel.setQuery(rows, query);
      kernel.exports.openGraph(region.offset, rows.address, rows.stride, visited);
      const count = kernel.exports.estimateTop(1500, 0, 1500, 0, 0);
      const top = { k: 1500, count, heap: new BigUint64Array(1500) };
      kernel.readTop(top);
      const asked = reference(stage, query);
      const [first, second] = [asked.direction(0), asked.direction(1)];
      expect(sumOf(first.map((value) => value * value))).toBeCloseTo(1, 3);
      expect(sumOf(first.map((value, i) => value * second[i]!))).toBeCloseTo(0, 3);
      for (const key of top.heap.subarray(0, 200)) {
        const row = readRow(kernel.arena.memory, rows, Number(key & 0xffff_ffffn));
        const known = reference(stage, row);
        const product =
          sumOf(asked.coordinates.map((value, i) => value * known.coordinates[i]!)) +
          asked.share * asked.rest * known.rest;
        const lengths = metric === 'dot' ? -known.meanProduct : asked.length2 + known.length2;
        const expected = lengths - weight * product;
        errors2 += (estimateOf(key) - expected) ** 2;
        spread2 += (weight * product) ** 2;
      }
    }
    // What rounding to a byte leaves.
    expect(Math.sqrt(errors2 / spread2)).toBeLessThan(0.01);
  });

  test('recall is not below that of int8 codes, at any width and by any walk', () => {
    const rng = createRng(seed);
    const vectors = decaying(rng, 6200);
    const stage = stageRows({ metric: 'euclid', vectors: vectors.slice(200), projection: 'anySize' });
    const index = buildIndex(stage);
    const graph = graphOf(stage);
    expect(graph.projection!.beamScale).toBeGreaterThanOrEqual(1);
    expect(graph.projection!.recall).toBeGreaterThanOrEqual(graph.projection!.recallRows - 0.005);
    expect(checkHnsw(graph).problems).toEqual([]);
    const plain = stageRows({ metric: 'euclid', vectors: vectors.slice(200), projection: 'never' });
    const other = buildIndex(plain);
    expect(graphOf(plain).projection).toBeNull();
    expect(graph.persistedBytes).toBeLessThan(graphOf(plain).persistedBytes);
    const queries = vectors.slice(0, 200);
    for (const options of [
      ...[10, 20, 40, 80].map((ef) => ({ ef })),
      { ef: 30, rescore: 10 },
      { ef: 30, rescore: 0 },
      { ef: 60, k: 50 },
      { ef: 30, ignoresCodes: true },
    ])
      expect(recallOf(index, stage.flat, queries, options)).toBeGreaterThanOrEqual(
        recallOf(other, plain.flat, queries, options) - 0.01,
      );
  });

  test('are refused where the variance is spread evenly, asked for by no one, or of no use', () => {
    const rng = createRng(seed);
    const even = Array.from({ length: 1500 }, () => Float32Array.from({ length: dim }, () => rng.normal()));
    const uneven = decaying(rng, 1500);
    for (const options of [
      { vectors: even, projection: 'anySize' },
      { vectors: uneven, projection: 'never' },
      { vectors: uneven },
      { vectors: uneven, projection: 'anySize', metric: 'manhattan' },
      { vectors: uneven, projection: 'anySize', neighbourCodes: 'always' },
      { vectors: uneven, projection: 'anySize', quantization: { kind: 'scalar', quantile: 1 } },
      { vectors: uneven.slice(0, 900), projection: 'anySize' },
      { vectors: uneven.map((row) => row.with(0, Number.NaN)), projection: 'anySize' },
    ] as const) {
      const stage = stageRows({ metric: 'euclid', ...options });
      buildIndex(stage);
      const graph = graphOf(stage);
      expect(graph.projection).toBeNull();
      const plain = stageRows({ metric: 'euclid', ...options, projection: 'never' });
      buildIndex(plain);
      // Trying them leaves no trace.
      expect(storedBytes(stage)).toEqual(storedBytes(plain));
    }
  });

  test('the same rows, parameters and seed give the same bytes, and a copy of them opens elsewhere', () => {
    const rng = createRng(seed);
    const vectors = decaying(rng, 1500);
    const shape = { metric: 'euclid', vectors, threads: 2, projection: 'anySize' } as const;
    const bytesOf = (stepRows: number): Uint8Array => {
      const stage = stageRows(shape);
      buildIndex(stage, { seed: 5, threads: 2, stepRows });
      return storedBytes(stage);
    };
    const first = bytesOf(1);
    expect(first).toEqual(bytesOf(777));
    const other = stageRows(shape);
    new Uint8Array(other.kernel.arena.memory.buffer, other.region.offset, first.length).set(first);
    const index = openHnsw(other.kernel, other.region, other.rows);
    expect(graphOf(other).projection).not.toBeNull();
    expect(recallOf(index, other.flat, vectors.slice(0, 50))).toBeGreaterThanOrEqual(0.99);
  });

  test('a graph goes on from one of int8 codes, and one of int8 codes from it', () => {
    const rng = createRng(seed);
    const vectors = decaying(rng, 4100);
    const [queries, old, all] = [vectors.slice(0, 100), vectors.slice(1100), vectors.slice(100)];
    const rowOf = Uint32Array.from(old, (_, row) => (row % 50 === 7 ? none : row + 1000));
    const rows = all.map((vector, row) =>
      row >= 1000 && (row - 1000) % 50 === 7 ? vectors[row % 90]! : vector,
    );
    for (const [before, after] of [
      ['never', 'anySize'],
      ['anySize', 'never'],
      ['anySize', 'anySize'],
    ] as const) {
      const former = stageRows({ metric: 'euclid', vectors: old, projection: before });
      buildIndex(former);
      const stage = stageRows({ metric: 'euclid', vectors: rows, projection: after });
      const index = buildIndex(stage, { reused: { graph: graphOf(former), rowOf } });
      expect(graphOf(stage).projection === null).toBe(after === 'never');
      expect(checkHnsw(graphOf(stage)).problems).toEqual([]);
      expect(recallOf(index, stage.flat, queries, { ef: 40 })).toBeGreaterThanOrEqual(0.97);
    }
  });

  test('copies hang in the chain of their row', () => {
    const rng = createRng(seed);
    const distinct = decaying(rng, 1500);
    const vectors = [...distinct, ...distinct.slice(0, 750), ...distinct.slice(0, 750)];
    const stage = stageRows({ metric: 'euclid', vectors, projection: 'anySize' });
    const index = buildIndex(stage);
    expect(graphOf(stage).projection).not.toBeNull();
    expect(checkHnsw(graphOf(stage)).chainedCount).toBeGreaterThanOrEqual(1490);
    expect(recallOf(index, stage.flat, distinct.slice(0, 100), { k: 30 })).toBeGreaterThanOrEqual(0.99);
  });
});

function storedBytes(stage: IndexStage): Uint8Array {
  const { buffer } = stage.kernel.arena.memory;
  return new Uint8Array(buffer, stage.region.offset, graphOf(stage).persistedBytes).slice();
}

/** The distance of a key, as key.ts orders them. */
function estimateOf(key: bigint): number {
  const ordered = Number(key >> 32n);
  const bits = ordered >= 0x8000_0000 ? ordered ^ 0x8000_0000 : ~ordered;
  return new Float32Array(Uint32Array.of(bits).buffer)[0]!;
}
