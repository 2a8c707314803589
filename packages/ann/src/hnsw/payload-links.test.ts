import { createRng, type Rng } from '@quiver/kernel';
import { describe, expect, test } from 'vitest';
import type { Quantization } from '../quantization.ts';
import { buildIndex, recallOf, stageRows, writeBits, type IndexStage } from '../testing/index-stage.ts';
import type { LinkedBlocks } from '../vector-index.ts';
import { checkHnsw } from './check.ts';
import { entriesPerBlock, none } from './format.ts';
import { viewGraph } from './graph-view.ts';
import type { LinkedField } from './payload-links.ts';
import { openHnsw } from './search.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);
const dim = 24;
const m = 12;

function gaussian(rng: Rng, count: number): Float32Array[] {
  return Array.from({ length: count }, () => Float32Array.from({ length: dim }, () => rng.normal()));
}

/** Rows by a class each; null = of no class. */
function fieldOf(key: string, classOf: readonly (number | null)[]): LinkedField {
  const count = 1 + Math.max(...classOf.map((one) => one ?? -1));
  const blocks = Array.from({ length: count }, (_, block) => ({
    value: `value ${block}`,
    from: 0,
    to: 0,
    rows: Uint32Array.from(classOf.flatMap((one, row) => (one === block ? [row] : []))),
  }));
  return { key, type: 'keyword', blocks };
}

/** Classes by the first element: a query of one class is far from the rows of others. */
function slices(vectors: readonly Float32Array[], count: number): number[] {
  const order = vectors.map((_, row) => row).sort((a, b) => vectors[a]![0]! - vectors[b]![0]!);
  const classOf = new Array<number>(vectors.length);
  order.forEach((row, rank) => (classOf[row] = Math.floor((rank * count) / vectors.length)));
  return classOf;
}

const shapeOf = (tables: number): { m: number; tables: number; blockRowsMin: number } => ({
  m,
  tables,
  blockRowsMin: 64,
});

const unbounded = 1_000_000;

/** Recall of a walk of blocks from..from+count-1, over rows of just these. */
function recallWithin(
  stage: IndexStage,
  classOf: readonly (number | null)[],
  queries: readonly Float32Array[],
  links: Omit<LinkedBlocks, 'expansionsMax'>,
): number {
  const filter = stage.kernel.bitsetAddress;
  writeBits(stage.kernel, filter, stage.count, (row) => {
    const block = classOf[row] ?? -1;
    return block >= links.from && block < links.from + links.count;
  });
  const index = openHnsw(stage.kernel, stage.region, stage.rows);
  const recall = recallOf(index, stage.flat, queries, {
    filter,
    walk: 'linked',
    links: { ...links, expansionsMax: unbounded },
  });
  expect(index.facts().walk).toBe('linked');
  return recall;
}

/** What the tables hold, against the blocks. */
function problemsOf(stage: IndexStage, fields: readonly LinkedField[]): string[] {
  const { buffer } = stage.kernel.arena.memory;
  const graph = viewGraph(buffer, stage.region);
  const problems = [...checkHnsw(graph).problems];
  for (const [i, field] of graph.payloadLinks.entries()) {
    const links = new Uint32Array(buffer, field.at, 2 * field.m * graph.count);
    const blockOf = new Map<number, number>();
    fields[i]!.blocks.forEach(({ rows }, block) => rows.forEach((row) => blockOf.set(row, block)));
    for (let row = 0; row < graph.count; row += 1) {
      const list = [...links.subarray(2 * field.m * row, 2 * field.m * (row + 1))];
      const end = list.indexOf(none);
      const used = end < 0 ? list : list.slice(0, end);
      if (end >= 0 && list.slice(end).some((link) => link !== none)) problems.push(`row ${row} has a hole`);
      if (used.some((link) => link === row || blockOf.get(link) !== blockOf.get(row)))
        problems.push(`${field.key}: row ${row} links out of its block or to itself`);
      if (new Set(used).size !== used.length)
        problems.push(`${field.key}: row ${row} links twice to one row`);
    }
  }
  return problems;
}

describe(`payload links (QUIVER_SEED=${seed})`, () => {
  const kinds: readonly [
    string,
    { metric?: 'manhattan'; quantization?: Quantization; neighbourCodes?: 'always'; projection?: 'anySize' },
  ][] = [
    ['int8 codes', {}],
    ['neighbour codes', { neighbourCodes: 'always' }],
    ['codes of half a byte in their place', { quantization: { kind: 'turbo', bits: 4 } }],
    ['codes of components', { projection: 'anySize' }],
    ['Manhattan distances', { metric: 'manhattan' }],
  ];
  test.each(kinds)(
    'each value is found by its own links, near the query or far from it: %s',
    (_name, kind) => {
      const rng = createRng(seed);
      const vectors = gaussian(rng, 4000);
      const near = slices(vectors, 5);
      const even = vectors.map(() => (rng.below(10) === 0 ? null : rng.below(4)));
      const fields = [fieldOf('near', near), fieldOf('even', even)];
      const stage = stageRows({ metric: 'euclid', vectors, payloadLinks: shapeOf(3), ...kind });
      buildIndex(stage, { linkedFields: fields });
      expect(problemsOf(stage, fields)).toEqual([]);
      const queries = gaussian(rng, 60);
      for (let block = 0; block < 5; block += 1)
        expect(
          recallWithin(stage, near, queries, { field: 0, from: block, count: 1 }),
        ).toBeGreaterThanOrEqual(0.95);
      for (let block = 0; block < 4; block += 1)
        expect(
          recallWithin(stage, even, queries, { field: 1, from: block, count: 1 }),
        ).toBeGreaterThanOrEqual(0.95);
      // Several blocks at once; queries far from all of them.
      const far = queries.map((query) => query.map((value, i) => (i === 0 ? -3 : value)));
      expect(recallWithin(stage, near, far, { field: 0, from: 2, count: 3 })).toBeGreaterThanOrEqual(0.95);
      expect(recallWithin(stage, even, queries, { field: 1, from: 0, count: 4 })).toBeGreaterThanOrEqual(
        0.95,
      );
    },
  );

  test('several stretches are one walk as the graph’s own links join them: it expands no more rows than for one', () => {
    const rng = createRng(seed);
    const vectors = gaussian(rng, 8000);
    const classOf = slices(vectors, 8);
    const stage = stageRows({ metric: 'euclid', vectors, payloadLinks: shapeOf(1) });
    const index = buildIndex(stage, { linkedFields: [fieldOf('class', classOf)] });
    const filter = stage.kernel.bitsetAddress;
    const queries = gaussian(rng, 60).map((query) => query.map((value, i) => (i === 0 ? -3 : value)));
    const ef = 40;
    const visitedIn = (from: number, count: number): number => {
      writeBits(
        stage.kernel,
        filter,
        stage.count,
        (row) => classOf[row]! >= from && classOf[row]! < from + count,
      );
      const links = { field: 0, from, count, expansionsMax: unbounded };
      let visited = 0;
      for (const query of queries) {
        index.search({ query, k: 10, ef, visibility: null, filter, walk: 'linked', links });
        visited += index.facts().visited;
      }
      expect(recallOf(index, stage.flat, queries, { filter, ef, walk: 'linked', links })).toBeGreaterThan(
        0.95,
      );
      return visited / queries.length;
    };
    const one = visitedIn(6, 1);
    for (const [from, count] of [
      [5, 2],
      [5, 3],
      [2, 6],
      [0, 8],
    ] as const)
      expect(visitedIn(from, count)).toBeLessThan(1.1 * one);
  });

  test('copies of one row are answers of every value that they have, once each', () => {
    const rng = createRng(seed);
    const distinct = gaussian(rng, 300);
    const vectors = Array.from({ length: 3000 }, (_, row) => distinct[row % 300]!);
    const classOf = vectors.map(() => rng.below(3));
    const fields = [fieldOf('class', classOf)];
    const stage = stageRows({ metric: 'euclid', vectors, payloadLinks: shapeOf(1) });
    buildIndex(stage, { linkedFields: fields });
    expect(problemsOf(stage, fields)).toEqual([]);
    for (const links of [
      { from: 1, count: 1 },
      { from: 0, count: 3 },
    ]) {
      expect(
        recallWithin(stage, classOf, distinct.slice(0, 50), { field: 0, ...links }),
      ).toBeGreaterThanOrEqual(0.95);
      const found = openHnsw(stage.kernel, stage.region, stage.rows).search({
        query: distinct[7]!,
        k: 30,
        ef: 64,
        visibility: null,
        filter: stage.kernel.bitsetAddress,
        walk: 'linked',
        links: { field: 0, ...links, expansionsMax: unbounded },
      });
      expect(new Set(found.rows).size).toBe(found.count);
    }
  });

  test('equal rows, fields and seed give equal bytes, and without fields they are those of a graph without room for them', () => {
    const vectors = gaussian(createRng(seed), 1500);
    const fields = [fieldOf('class', slices(vectors, 3))];
    const bytesOf = (tables: number, linkedFields: readonly LinkedField[]): Buffer => {
      const payloadLinks = tables === 0 ? null : shapeOf(tables);
      const stage = stageRows({ metric: 'cosine', vectors, payloadLinks });
      buildIndex(stage, { linkedFields, stepRows: 100 });
      const { buffer } = stage.kernel.arena.memory;
      const { persistedBytes } = viewGraph(buffer, stage.region);
      return Buffer.from(new Uint8Array(buffer, stage.region.offset, persistedBytes).slice());
    };
    expect(bytesOf(1, fields).equals(bytesOf(1, fields))).toBe(true);
    expect(bytesOf(1, []).equals(bytesOf(0, []))).toBe(true);
    expect(bytesOf(2, fields).length).toBe(bytesOf(1, fields).length);
  });

  test('a walk of links that few rows pass turns into a scan', () => {
    const rng = createRng(seed);
    const vectors = gaussian(rng, 3000);
    const classOf = slices(vectors, 2);
    const stage = stageRows({ metric: 'euclid', vectors, payloadLinks: shapeOf(1) });
    const index = buildIndex(stage, { linkedFields: [fieldOf('class', classOf)] });
    const filter = stage.kernel.bitsetAddress;
    writeBits(stage.kernel, filter, stage.count, (row) => classOf[row] === 0 && row % 60 === 0);
    const recall = recallOf(index, stage.flat, gaussian(rng, 20), {
      filter,
      k: 5,
      walk: 'linked',
      links: { field: 0, from: 0, count: 1, expansionsMax: 64 },
    });
    expect(recall).toBe(1);
    expect(index.facts()).toMatchObject({ walk: 'codes', hasFallenBack: true });
  });

  test('a block of fewer rows than it may have entries is walked whole', () => {
    const rng = createRng(seed);
    const vectors = gaussian(rng, 600);
    const classOf = vectors.map((_, row) => (row < entriesPerBlock / 2 ? 0 : 1));
    const stage = stageRows({ metric: 'dot', vectors, payloadLinks: shapeOf(1) });
    buildIndex(stage, { linkedFields: [fieldOf('class', classOf)] });
    expect(recallWithin(stage, classOf, gaussian(rng, 20), { field: 0, from: 0, count: 1 })).toBe(1);
  });
});
