/** Quantised rows against what their bytes mean in plain numbers (docs/formats/hnsw.md), and against exact scores. */
import { createRng, isFloat, readRow, type Element, type Metric } from '@quiver/kernel';
import { describe, expect, test } from 'vitest';
import { codeBytesOf, type Quantization, type Requantization } from '../quantization.ts';
import { Decoded, dot, estimates } from '../testing/decoded-rows.ts';
import { buildIndex, recallOf, stageRows } from '../testing/index-stage.ts';
import { mixed } from '../vector-index.contract.ts';
import { checkHnsw } from './check.ts';
import { viewGraph } from './graph-view.ts';
import { openHnsw } from './search.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);

const specifications: readonly Requantization[] = [
  { kind: 'binary', bits: 1, queryBits: 1 },
  { kind: 'binary', bits: 1, queryBits: 4 },
  { kind: 'binary', bits: 1.5, queryBits: 2 },
  { kind: 'binary', bits: 2, queryBits: 8 },
  { kind: 'turbo', bits: 1 },
  { kind: 'turbo', bits: 1.5 },
  { kind: 'turbo', bits: 2 },
  { kind: 'turbo', bits: 4 },
  { kind: 'product', dims: 1 },
  { kind: 'product', dims: 4 },
  { kind: 'product', dims: 16 },
];

function nameOf(specification: Quantization): string {
  const { kind, ...rest } = specification;
  return `${kind} ${JSON.stringify(rest)}`;
}

function asRows(vectors: Float32Array[], metric: Metric, element: Element): Float32Array[] {
  if (!isFloat(element))
    return vectors.map((vector) =>
      vector.map(
        (value) => (element === 'u8' ? 128 : 0) + Math.max(-127, Math.min(127, Math.round(15 * value))),
      ),
    );
  if (metric !== 'cosine') return vectors;
  return vectors.map((vector) => vector.map((value) => value / Math.hypot(...vector)));
}

describe(`quantised rows (QUIVER_SEED=${seed})`, () => {
  for (const quantization of specifications)
    for (const [metric, element] of [
      ['euclid', 'f32'],
      ['dot', 'f32'],
      ['cosine', 'f32'],
      ['manhattan', 'f32'],
      ['cosine', 'i8'],
      ['dot', 'u8'],
      ['cosine', 'f16'],
    ] as const)
      test(`${nameOf(quantization)}: estimates over ${element} by ${metric} are what the bytes mean`, () => {
        const rng = createRng(seed);
        const dim = [7, 64, 150, 131][rng.below(4)]!;
        const count = 300;
        const vectors = asRows(mixed(rng, count + 5, dim), metric, element);
        const stage = stageRows({ metric, element, vectors: vectors.slice(5), quantization });
        buildIndex(stage);
        expect(checkHnsw(viewGraph(stage.kernel.arena.memory.buffer, stage.region)).problems).toEqual([]);
        const decoded = new Decoded(stage);
        for (const query of vectors.slice(0, 5)) {
          const found = estimates(stage, query, count);
          const y = decoded.centred(query);
          const yLength = Math.sqrt(dot(y, y));
          const isHamming = quantization.kind === 'binary' && quantization.queryBits === 1;
          const signs = y.map((value) => (value > 0 ? 1 : -1));
          const mean = y.reduce((sum, value) => sum + Math.abs(value), 0) / dim;
          for (let row = 0; row < count; row += 7) {
            const c = decoded.centred(readRow(stage.kernel.arena.memory, stage.rows, row));
            const worth = decoded.worth(row);
            const { terms } = decoded.block(row);
            const factor = terms[1]!;
            if (metric === 'manhattan') {
              const sum = y.reduce((total, value, i) => total + Math.abs(value - factor * worth[i]!), 0);
              expect(Math.abs(found.get(row)! - sum) / (1 + sum)).toBeLessThan(1e-4);
              continue;
            }
            // The estimate of the row itself is right: that is what the factor is for.
            expect(Math.abs(factor * dot(worth, c) - dot(c, c)) / (1e-6 + dot(c, c))).toBeLessThan(1e-3);
            const weight = metric === 'dot' ? 1 : 2;
            const product = isHamming ? mean * dot(worth, signs) : dot(worth, y);
            const base = metric === 'dot' ? 0 : dot(y, y);
            const expected = base + terms[0]! - weight * factor * product;
            // The query is rounded: by half a step of its range at 8 bits, by more at 4 and 2.
            const rounding =
              quantization.kind === 'product' || isHamming
                ? 1e-4
                : quantization.kind === 'turbo' || quantization.queryBits === 8
                  ? 0.01
                  : quantization.queryBits === 4
                    ? 0.15
                    : 0.5;
            const scale = weight * yLength * factor * Math.sqrt(dot(worth, worth)) + 1e-6;
            expect(Math.abs(found.get(row)! - expected) / scale).toBeLessThan(rounding);
          }
        }
      });

  test('a rotation keeps lengths and products, at any dim', () => {
    const rng = createRng(seed);
    for (const dim of [1, 3, 4, 5, 31, 64, 100, 127]) {
      const vectors = Array.from({ length: 40 }, () =>
        Float32Array.from({ length: dim }, () => rng.normal()),
      );
      const stage = stageRows({ metric: 'euclid', vectors, quantization: { kind: 'turbo', bits: 4 } });
      buildIndex(stage);
      const { kernel } = stage;
      const turned = [0, 1].map((row) => {
        kernel.exports.encodeAlone(row);
        return [...new Float32Array(kernel.arena.memory.buffer, kernel.vectorAddress, dim)];
      });
      const decoded = new Decoded(stage);
      const [a, b] = [0, 1].map((row) => decoded.centred(vectors[row]!));
      for (const [mine, plain] of [
        [turned[0]!, a!],
        [turned[1]!, b!],
      ] as const)
        mine.forEach((value, i) => expect(value).toBeCloseTo(plain[i]!, 4));
      const square = dot(turned[0]!, turned[0]!) + dot(turned[1]!, turned[1]!);
      const difference = vectors[0]!.map((value, i) => value - vectors[1]![i]!);
      const distance2 = dot([...difference], [...difference]);
      expect(Math.abs(square - 2 * dot(turned[0]!, turned[1]!) - distance2)).toBeLessThan(
        1e-3 * (1 + distance2),
      );
    }
  });

  test('every codeword is the nearest of its book', () => {
    const rng = createRng(seed);
    const vectors = mixed(rng, 700, 26);
    const stage = stageRows({ metric: 'euclid', vectors, quantization: { kind: 'product', dims: 4 } });
    buildIndex(stage);
    const { buffer } = stage.kernel.arena.memory;
    const header = new Uint32Array(buffer, stage.region.offset, 64);
    const book = new Float32Array(buffer, stage.region.offset + header[236 / 4]!, 256 * 28);
    const decoded = new Decoded(stage);
    for (let row = 0; row < 700; row += 31) {
      const c = [...decoded.centred(vectors[row]!), 0, 0];
      const { codes } = decoded.block(row);
      for (let stretch = 0; stretch < 7; stretch += 1) {
        const distanceTo = (word: number): number =>
          [0, 1, 2, 3].reduce(
            (sum, i) => sum + (c[4 * stretch + i]! - book[(4 * stretch + i) * 256 + word]!) ** 2,
            0,
          );
        const nearest = Math.min(...Array.from({ length: 256 }, (_, word) => distanceTo(word)));
        expect(distanceTo(codes[stretch]!)).toBeLessThanOrEqual(nearest + 1e-5);
      }
    }
  });

  test('finer codes leave less error, and rotated ones bear elements of unequal spread', () => {
    const rng = createRng(seed);
    const dim = 128;
    // A few elements carry most of the length: bits of the plain elements are wasted on the others.
    const vectors = Array.from({ length: 1200 }, () =>
      Float32Array.from({ length: dim }, (_, i) => rng.normal() * (i < 8 ? 8 : 1)),
    );
    const errorOf = (quantization: Quantization): number => {
      const stage = stageRows({ metric: 'euclid', vectors: vectors.slice(200), quantization });
      buildIndex(stage);
      let [error, spread] = [0, 0];
      for (const query of vectors.slice(0, 20)) {
        const found = estimates(stage, query, 1000);
        const exact = stage.flat.search({
          query,
          k: 1000,
          ef: 0,
          visibility: null,
          filter: 0,
          walk: 'plain',
        });
        const mean = exact.scores.reduce((sum, score) => sum + score ** 2, 0) / 1000;
        exact.rows.forEach((row, i) => {
          error += (found.get(row)! - exact.scores[i]! ** 2) ** 2;
          spread += (exact.scores[i]! ** 2 - mean) ** 2;
        });
      }
      return Math.sqrt(error / spread);
    };
    const turbo = ([1, 1.5, 2, 4] as const).map((bits) => errorOf({ kind: 'turbo', bits }));
    expect(turbo).toEqual([...turbo].sort((a, b) => b - a));
    expect(turbo[3]).toBeLessThan(0.12);
    expect(turbo[0]).toBeLessThan(errorOf({ kind: 'binary', bits: 1, queryBits: 2 }));
    expect(errorOf({ kind: 'binary', bits: 1, queryBits: 8 })).toBe(turbo[0]);
    const product = ([16, 8, 4, 2, 1] as const).map((dims) => errorOf({ kind: 'product', dims }));
    expect(product).toEqual([...product].sort((a, b) => b - a));
    expect(errorOf({ kind: 'scalar', quantile: 1 })).toBeLessThan(0.02);
  });

  test.each([0.9, 0.99])(
    'Manhattan codes cut at the quantile %d find what those of all elements do',
    (quantile) => {
      const rng = createRng(seed);
      const centres = Array.from({ length: 20 }, () => Float32Array.from({ length: 48 }, () => rng.normal()));
      const draw = (): Float32Array => centres[rng.below(20)]!.map((x) => x + 0.6 * rng.normal());
      const vectors = Array.from({ length: 3000 }, draw);
      const queries = Array.from({ length: 40 }, draw);
      const stage = stageRows({ metric: 'manhattan', vectors, quantization: { kind: 'scalar', quantile } });
      const index = buildIndex(stage);
      expect(viewGraph(stage.kernel.arena.memory.buffer, stage.region).walksRows).toBe(false);
      expect(recallOf(index, stage.flat, queries, { ef: 64 })).toBeGreaterThan(0.97);
    },
  );

  test('a query of 4 bits whose square is beyond floats has finite estimates', () => {
    const rng = createRng(seed);
    const vectors = Array.from({ length: 100 }, () => Float32Array.from({ length: 64 }, () => rng.normal()));
    const quantization = { kind: 'binary', bits: 1, queryBits: 4 } as const;
    const stage = stageRows({ metric: 'dot', vectors, quantization });
    buildIndex(stage);
    const found = estimates(
      stage,
      vectors[0]!.map((x) => x * 1e20),
      100,
    );
    expect(found.size).toBe(100);
    for (const score of found.values()) expect(score).toSatisfy(Number.isFinite);
  });

  test('a query of 4 bits is off by little more than the best 16 even levels are', () => {
    const rng = createRng(seed);
    const dim = 256;
    const vectors = Array.from({ length: 620 }, () => Float32Array.from({ length: dim }, () => rng.normal()));
    const stages = ([4, 8] as const).map((queryBits) => {
      const quantization = { kind: 'binary', bits: 1, queryBits } as const;
      const stage = stageRows({ metric: 'euclid', vectors: vectors.slice(20), quantization });
      buildIndex(stage);
      return stage;
    });
    const decoded = new Decoded(stages[1]!);
    let error2 = 0;
    for (const query of vectors.slice(0, 20)) {
      const [coarse, fine] = stages.map((stage) => estimates(stage, query, 600));
      const y = decoded.centred(query);
      for (let row = 0; row < 600; row += 1) {
        const worth = decoded.worth(row);
        const scale = 2 * decoded.block(row).terms[1]! * Math.sqrt(dot(worth, worth) * dot(y, y));
        error2 += ((coarse!.get(row)! - fine!.get(row)!) / scale) ** 2;
      }
    }
    // Max (1960): of a normal element they leave 0.0115 of its square.
    expect((error2 * dim) / (20 * 600)).toBeLessThan(1.1 * 0.0115);
  });

  test('scores are of the codes without rescoring, exact with it, and codes are passed by where they are ignored', () => {
    const rng = createRng(seed);
    for (const metric of ['cosine', 'dot', 'euclid', 'manhattan'] as const)
      for (const quantization of [...specifications, { kind: 'scalar', quantile: 0.95 } as const]) {
        const vectors = asRows(mixed(rng, 320, 64), metric, 'f32').map((vector) => vector.map((x) => x + 0));
        const stage = stageRows({ metric, vectors: vectors.slice(20), quantization });
        const index = buildIndex(stage);
        const base = { k: 10, ef: 300, visibility: null, filter: 0, walk: 'plain' } as const;
        let [byCodes, exactly, total] = [0, 0, 0];
        for (const query of vectors.slice(0, 20)) {
          const coarse = index.search({ ...base, query, rescore: 0 });
          const fine = index.search({ ...base, query, ignoresCodes: true });
          const exact = stage.kernel.score(stage.rows, query, coarse.rows).slice();
          const order = [...coarse.scores].sort((a, b) => a - b);
          expect([...coarse.scores]).toEqual(
            metric === 'cosine' || metric === 'dot' ? order.reverse() : order,
          );
          const range = Math.max(...exact.map(Math.abs)) + 1e-6;
          coarse.scores.forEach((score, i) => {
            byCodes += Math.abs(score - exact[i]!) / range;
            total += 1;
          });
          expect([...fine.scores]).toEqual([...stage.kernel.score(stage.rows, query, fine.rows)]);
          const truth = stage.flat.search({ ...base, query });
          const known = new Set(truth.rows);
          exactly += [...fine.rows].filter((row) => known.has(row)).length / 10;
        }
        expect(exactly / 20).toBeGreaterThanOrEqual(metric === 'dot' ? 0.95 : 0.99);
        expect(byCodes / total).toBeLessThan(0.5);
        expect(byCodes).toBeGreaterThan(0);
      }
  });

  test('oversampling scores as many candidates as asked, and more of them cost no recall', () => {
    const rng = createRng(seed);
    const vectors = mixed(rng, 1600, 128);
    for (const quantization of specifications) {
      const stage = stageRows({ metric: 'euclid', vectors: vectors.slice(100), quantization });
      const index = buildIndex(stage);
      const recalls = [10, 20, 40, 160].map((rescore) =>
        recallOf(index, stage.flat, vectors.slice(0, 100), { ef: 200, rescore }),
      );
      expect(recalls).toEqual([...recalls].sort((a, b) => a - b));
      const own = recallOf(index, stage.flat, vectors.slice(0, 100), { ef: 200 });
      expect(own).toBeGreaterThanOrEqual(recalls[2]! - 0.01);
    }
  });

  test('the same rows, parameters and seed give the same bytes, and a copy of them opens elsewhere', () => {
    const rng = createRng(seed);
    const vectors = mixed(rng, 900, 40);
    for (const quantization of specifications) {
      const bytesOf = (stepRows: number): Uint8Array => {
        const stage = stageRows({ metric: 'euclid', vectors, threads: 2, quantization });
        buildIndex(stage, { seed: 5, threads: 2, stepRows });
        const { buffer } = stage.kernel.arena.memory;
        const { persistedBytes } = viewGraph(buffer, stage.region);
        return new Uint8Array(buffer, stage.region.offset, persistedBytes).slice();
      };
      const first = bytesOf(1);
      expect(first).toEqual(bytesOf(333));
      const other = stageRows({ metric: 'euclid', vectors, threads: 2, quantization });
      const region = new Uint8Array(
        other.kernel.arena.memory.buffer,
        other.region.offset,
        other.region.bytes,
      );
      region.fill(0);
      region.set(first);
      const index = openHnsw(other.kernel, other.region, other.rows);
      expect(
        index.search({ query: vectors[3]!, k: 1, ef: 200, visibility: null, filter: 0, walk: 'plain' }).rows,
      ).toEqual(Uint32Array.of(3));
    }
  });

  test('codes take the bytes of their rate', () => {
    expect(codeBytesOf({ kind: 'binary', bits: 1, queryBits: 1 }, 384)).toBe(48);
    expect(codeBytesOf({ kind: 'turbo', bits: 1.5 }, 384)).toBe(80);
    expect(codeBytesOf({ kind: 'turbo', bits: 2 }, 384)).toBe(96);
    expect(codeBytesOf({ kind: 'turbo', bits: 4 }, 384)).toBe(192);
    expect(([1, 2, 4, 8, 16] as const).map((dims) => codeBytesOf({ kind: 'product', dims }, 384))).toEqual([
      384, 192, 96, 48, 24,
    ]);
  });
});
