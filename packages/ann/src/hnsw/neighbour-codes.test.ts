import { createRng, readRow, type ByteFile, type Rng } from '@quiver/kernel';
import { describe, expect, test } from 'vitest';
import { buildIndex, recallOf, stageRows, type IndexStage } from '../testing/index-stage.ts';
import { mixed } from '../vector-index.contract.ts';
import { checkHnsw } from './check.ts';
import { none, subspacesOf } from './format.ts';
import { viewGraph } from './graph-view.ts';
import { openHnsw } from './search.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261125);

/** A row's links with the distances that docs/formats/hnsw.md says their codes stand for, in f64. */
function decodeLinks(
  { kernel, region, rows }: IndexStage,
  row: number,
  query: Float32Array,
  distanceOfRow: number,
): { link: number; estimate: number }[] {
  const view = new DataView(kernel.arena.memory.buffer, region.offset, region.bytes);
  const u32 = (at: number): number => view.getUint32(at, true);
  const f32 = (at: number): number => view.getFloat32(at, true);
  const [blocks, stride, links, codes, lanes] = [48, 52, 56, 60, 64].map(u32) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const [book, subspaces, dims, mean] = [192, 196, 200, 76].map(u32) as [number, number, number, number];
  const block = blocks + row * stride;
  const decoded = [];
  for (let lane = 0; lane < lanes; lane += 1) {
    const at = block + codes + Math.floor(lane / 32) * (256 + 16 * subspaces);
    const place = lane % 32;
    let sum = 0;
    for (let s = 0; s < subspaces; s += 1) {
      const byte = at + 256 + 32 * (s >> 1) + 16 * (place >> 4) + 2 * (place & 7) + ((place >> 3) & 1);
      const code = (view.getUint8(byte) >> (4 * (s & 1))) & 15;
      for (let i = 0; i < dims && s * dims + i < rows.dim; i += 1) {
        const element = s * dims + i;
        sum += (query[element]! - f32(mean + 4 * element)) * f32(book + 4 * (element * 16 + code));
      }
    }
    const link = u32(block + links + 4 * lane);
    decoded.push({ link, estimate: distanceOfRow + f32(at + 4 * place) + f32(at + 128 + 4 * place) * sum });
  }
  return decoded;
}

function distance(metric: 'euclid' | 'dot', a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + (metric === 'dot' ? -value * b[i]! : (value - b[i]!) ** 2), 0);
}

/** Rows of length one in groups far from each other, each along some directions of its own. */
function grouped(rng: Rng, count: number, dim: number): Float32Array[] {
  const normals = (length: number): Float32Array => Float32Array.from({ length }, () => rng.normal());
  const groups = Array.from({ length: 100 }, () => ({
    centre: normals(dim),
    directions: Array.from({ length: 24 }, () => normals(dim)),
  }));
  return Array.from({ length: count }, () => {
    const { centre, directions } = groups[rng.below(groups.length)]!;
    const vector = centre.map((value) => value + 0.05 * rng.normal());
    for (const direction of directions) {
      const along = 0.14 * rng.normal();
      for (let i = 0; i < dim; i += 1) vector[i]! += along * direction[i]!;
    }
    const length = Math.hypot(...vector);
    return vector.map((value) => value / length);
  });
}

describe(`neighbour codes (QUIVER_SEED=${seed})`, () => {
  for (const [metric, dim] of [
    ['euclid', 31],
    ['dot', 40],
    ['euclid', 150],
    ['euclid', 520],
  ] as const)
    test(`stored codes of ${dim} dimensions mean, by ${metric}, distances close to the true ones`, () => {
      const rng = createRng(seed);
      const vectors = mixed(rng, 1000, dim);
      const stage = stageRows({ metric, vectors, neighbourCodes: 'always' });
      buildIndex(stage);
      const rowOf = (row: number): Float32Array => readRow(stage.kernel.arena.memory, stage.rows, row);
      let errors2 = 0;
      let spreads2 = 0;
      for (let i = 0; i < 50; i += 1) {
        const row = rng.below(1000);
        const near = rowOf(rng.below(1000));
        // As in a walk: the query is about as far from the row as its neighbours are.
        const query = rowOf(row).map((value, at) => value + 0.5 * (near[at]! - value));
        const from = distance(metric, query, rowOf(row));
        for (const { link, estimate } of decodeLinks(stage, row, query, from)) {
          if (link === none) {
            expect(estimate).toBe(Infinity);
            continue;
          }
          const truth = distance(metric, query, rowOf(link));
          errors2 += (estimate - truth) ** 2;
          spreads2 += (from - truth) ** 2;
        }
      }
      // What is left unexplained of how the neighbours' distances differ from the row's own.
      expect(Math.sqrt(errors2 / spreads2)).toBeLessThan(0.35);
    });

  test('are kept where they read less at the same recall, and cost none', () => {
    const rng = createRng(seed);
    const vectors = mixed(rng, 4100, 96);
    const stage = stageRows({ metric: 'euclid', vectors: vectors.slice(100), neighbourCodes: 'measured' });
    const index = buildIndex(stage);
    const graph = viewGraph(stage.kernel.arena.memory.buffer, stage.region);
    expect(graph.neighbourCodes).toMatchObject({ subspaces: 48, dims: 2 });
    expect(graph.neighbourCodes!.recall).toBeGreaterThanOrEqual(graph.neighbourCodes!.recallInt8);
    expect(checkHnsw(graph).problems).toEqual([]);
    const plain = stageRows({ metric: 'euclid', vectors: vectors.slice(100) });
    const queries = vectors.slice(0, 100);
    const int8 = recallOf(buildIndex(plain), plain.flat, queries, { ef: 24 });
    expect(recallOf(index, stage.flat, queries, { ef: 24 })).toBeGreaterThanOrEqual(int8 - 0.01);
  });

  test('are kept where rows of far groups find their neighbours by them, and lose no recall on points never inserted', () => {
    const rng = createRng(seed);
    const vectors = grouped(rng, 4200, 256);
    const [queries, stored] = [vectors.slice(0, 200), vectors.slice(200)];
    const stage = stageRows({ metric: 'cosine', vectors: stored, m: 8, neighbourCodes: 'measured' });
    const index = buildIndex(stage, { m: 8, efConstruct: 60 });
    const graph = viewGraph(stage.kernel.arena.memory.buffer, stage.region);
    expect(graph.neighbourCodes).not.toBeNull();
    const plain = stageRows({ metric: 'cosine', vectors: stored, m: 8 });
    const other = buildIndex(plain, { m: 8, efConstruct: 60 });
    for (const ef of [10, 16, 32]) {
      const int8 = recallOf(other, plain.flat, queries, { ef });
      expect(recallOf(index, stage.flat, queries, { ef })).toBeGreaterThanOrEqual(int8 - 0.005);
    }
  });

  test('walks find the same when the rows they end with are in a file', () => {
    const vectors = mixed(createRng(seed), 2050, 40);
    const { kernel, region, rows, ...stage } = stageRows({
      metric: 'euclid',
      vectors: vectors.slice(50),
      neighbourCodes: 'always',
    });
    const index = buildIndex({ kernel, region, rows, ...stage });
    const bytes = new Uint8Array(kernel.arena.memory.buffer, rows.address, 2000 * rows.stride).slice();
    const file: ByteFile = {
      read: (offset, into, at, length) => into.set(bytes.subarray(offset, offset + length), at),
      close: () => undefined,
    };
    const cold = openHnsw(kernel, region, { ...rows, address: 0 }, file);
    for (const query of vectors.slice(0, 50)) {
      const request = { query, k: 10, ef: 32, visibility: null, filter: 0, walk: 'plain' } as const;
      expect(cold.search(request)).toEqual(index.search(request));
      expect(cold.facts().exact).toBeLessThan(100);
    }
  });

  test('a walk goes the farther the more is asked, and as far for one answer as for ten', () => {
    const vectors = mixed(createRng(seed), 4100, 96);
    const [queries, stored] = [vectors.slice(0, 100), vectors.slice(100)];
    const stage = stageRows({ metric: 'euclid', vectors: stored, neighbourCodes: 'measured' });
    const index = buildIndex(stage);
    expect(viewGraph(stage.kernel.arena.memory.buffer, stage.region).neighbourCodes!.reach).toBeGreaterThan(
      0,
    );
    const search = (query: Float32Array, k: number, ef: number) =>
      index.search({ query, k, ef, visibility: null, filter: 0, walk: 'plain' });
    let visitedBefore = 0;
    for (const ef of [10, 13, 16, 18, 20, 32, 40, 100]) {
      let visited = 0;
      for (const query of queries) {
        const ten = search(query, 10, ef);
        visited += index.facts().visited;
        expect(search(query, 1, ef).rows[0]).toBe(ten.rows[0]);
      }
      expect(visited).toBeGreaterThanOrEqual(visitedBefore);
      visitedBefore = visited;
    }
  });

  test('a beam too wide for all that its rows lead to keeps its places', () => {
    const vectors = mixed(createRng(seed), 3050, 40);
    const stage = stageRows({ metric: 'euclid', vectors: vectors.slice(50), neighbourCodes: 'measured' });
    const index = buildIndex(stage);
    expect(recallOf(index, stage.flat, vectors.slice(0, 50), { ef: 8000 })).toBe(1);
  });

  test('what a walk is said to have read is of that walk alone', () => {
    const vectors = mixed(createRng(seed), 2000, 40);
    const stage = stageRows({ metric: 'euclid', vectors, neighbourCodes: 'always' });
    buildIndex(stage);
    const { kernel, rows, region } = stage;
    const visited = region.offset + viewGraph(kernel.arena.memory.buffer, region).persistedBytes;
    const bytesOf = (kind: number, ef: number): number => {
      kernel.setQuery(rows, vectors[3]!);
      kernel.exports.openGraph(region.offset, rows.address, rows.stride, visited);
      kernel.exports.searchGraph(kind, 10, ef, 0, 0, 0, 0, 0, 0, 0);
      return kernel.exports.walkedBytes();
    };
    const int8 = bytesOf(0, 20);
    const narrow = bytesOf(3, 20);
    expect(bytesOf(3, 400)).toBeGreaterThan(narrow);
    expect(bytesOf(0, 20)).toBe(int8);
    expect(bytesOf(3, 20)).toBe(narrow);
  });

  test('are dropped where they are of no use, and the graph keeps every link of the one built without', () => {
    const rng = createRng(seed);
    // Four links of short rows read less than codes of 32 do.
    const vectors = mixed(rng, 1500, 4);
    const shape = { metric: 'euclid', vectors, m: 2 } as const;
    const stage = stageRows({ ...shape, neighbourCodes: 'measured' });
    const index = buildIndex(stage, { m: 2 });
    const graph = viewGraph(stage.kernel.arena.memory.buffer, stage.region);
    expect(graph.neighbourCodes).toBeNull();
    const plain = stageRows(shape);
    const other = buildIndex(plain, { m: 2 });
    const built = viewGraph(plain.kernel.arena.memory.buffer, plain.region);
    const linksOf = ({ links, linkStride, m0 }: typeof graph, row: number): number[] =>
      [...links.subarray(row * linkStride, row * linkStride + m0)].filter((link) => link !== none);
    for (let row = 0; row < 1500; row += 1) {
      const kept = linksOf(graph, row).filter((link) => linksOf(built, row).includes(link));
      expect(kept).toEqual(linksOf(built, row));
    }
    expect(graph.persistedBytes).toBeLessThan(stage.region.bytes / 1.5);
    const queries = vectors.slice(0, 100);
    expect(recallOf(index, stage.flat, queries)).toBeGreaterThanOrEqual(recallOf(other, plain.flat, queries));
    expect(checkHnsw(graph).problems).toEqual([]);
  });

  test('the same rows, parameters and seed give the same bytes, and a copy of them opens elsewhere', () => {
    const rng = createRng(seed);
    const vectors = mixed(rng, 1500, 30);
    const bytesOf = (stepRows: number): Uint8Array => {
      const stage = stageRows({ metric: 'euclid', vectors, threads: 2, neighbourCodes: 'always' });
      buildIndex(stage, { seed: 5, threads: 2, stepRows });
      const { buffer } = stage.kernel.arena.memory;
      return new Uint8Array(
        buffer,
        stage.region.offset,
        viewGraph(buffer, stage.region).persistedBytes,
      ).slice();
    };
    const first = bytesOf(1);
    expect(first).toEqual(bytesOf(777));
    const other = stageRows({ metric: 'euclid', vectors, threads: 2, neighbourCodes: 'always' });
    new Uint8Array(other.kernel.arena.memory.buffer, other.region.offset, first.length).set(first);
    const index = openHnsw(other.kernel, other.region, other.rows);
    expect(recallOf(index, other.flat, vectors.slice(0, 50))).toBeGreaterThanOrEqual(0.99);
  });

  test('more links than 32 are covered by further groups', () => {
    const rng = createRng(seed);
    const vectors = mixed(rng, 2050, 40);
    for (const m of [5, 24, 40]) {
      const stage = stageRows({ metric: 'euclid', vectors: vectors.slice(50), m, neighbourCodes: 'always' });
      const index = buildIndex(stage, { m });
      expect(recallOf(index, stage.flat, vectors.slice(0, 50))).toBeGreaterThanOrEqual(0.95);
      expect(checkHnsw(viewGraph(stage.kernel.arena.memory.buffer, stage.region)).problems).toEqual([]);
    }
  });

  test('subspaces cover every dimension and their count is even', () => {
    for (const dim of [1, 2, 3, 50, 128, 129, 384, 512, 513, 8192]) {
      const { count, dims } = subspacesOf(dim);
      expect(count * dims).toBeGreaterThanOrEqual(dim);
      expect(count % 2).toBe(0);
    }
  });
});
