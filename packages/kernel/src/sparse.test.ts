import { expect, test } from 'vitest';
import { createArena, type Arena } from './arena.ts';
import { createRng, type Rng } from './rng.ts';
import { scratchBytesPerThread } from './scratch.ts';
import { createSimdKernel } from './simd.ts';
import { sparseBatchRows, sparseKernel, type SparseTerm } from './sparse.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);
const replay = `QUIVER_SEED=${seed} npx vitest run --project unit packages/kernel/src/sparse.test.ts`;
const rowCount = 2 * sparseBatchRows + 1_234;

interface Stage {
  readonly arena: Arena;
  readonly terms: readonly SparseTerm[];
  /** By term: row -> what it adds. */
  readonly added: readonly ReadonlyMap<number, number>[];
}

/** Terms written into an arena behind the scratch space. */
function stage(rng: Rng): Stage {
  const arena = createArena(1, 4 << 20, scratchBytesPerThread);
  const { buffer } = arena.memory;
  let at = scratchBytesPerThread;
  const place = (bytes: number): number => {
    const address = at;
    at += Math.ceil(bytes / 64) * 64;
    return address;
  };
  const added: Map<number, number>[] = [];
  const terms = [2, 3, 5, 40, 700].map((sparsity, i): SparseTerm => {
    const rows = Array.from({ length: rowCount }, (_, row) => row).filter(() => rng.below(sparsity) === 0);
    const codes = Uint8Array.from(rows, () => rng.below(256));
    // Exact in f32, whatever the order of the sum.
    const [base, scale] = [rng.below(64) / 4, (rng.below(9) - 2) / 4];
    added.push(new Map(rows.map((row, j) => [row, base + scale * codes[j]!])));
    const kind = i < 3 ? 'words' : 'list';
    const rowsAddress = place(kind === 'list' ? 4 * rows.length : 8 * Math.ceil(rowCount / 32));
    const words = new Uint32Array(buffer, rowsAddress);
    if (kind === 'list') words.set(rows);
    else
      for (const [j, row] of rows.entries()) {
        words[2 * (row >>> 5)]! |= 1 << (row & 31);
        for (let word = (row >>> 5) + 1; word <= (rows[j + 1] ?? rowCount - 1) >>> 5; word += 1)
          words[2 * word + 1] = j + 1;
      }
    const codesAddress = place(codes.length);
    new Uint8Array(buffer, codesAddress, codes.length).set(codes);
    const highest = Math.max(0, base, base + 255 * scale);
    return { kind, rows: rowsAddress, codes: codesAddress, count: rows.length, base, scale, highest };
  });
  return { arena, terms, added };
}

function sumsOf(added: Stage['added']): Map<number, number> {
  const sums = new Map<number, number>();
  for (const one of added) for (const [row, value] of one) sums.set(row, (sums.get(row) ?? 0) + value);
  return sums;
}

/** Every third row, at the bitset's address. */
function writeFilter(arena: Arena, address: number): (row: number) => boolean {
  const words = new Uint32Array(arena.memory.buffer, address, Math.ceil(rowCount / 32));
  for (let row = 0; row < rowCount; row += 3) words[row >>> 5]! |= 1 << (row & 31);
  return (row) => row % 3 === 0;
}

test.each([false, true])(
  'candidates are the rows whose sum reaches the threshold (filter: %s)',
  (isFiltered) => {
    const rng = createRng(seed);
    const { arena, terms, added } = stage(rng);
    const simd = createSimdKernel(arena, 0);
    const kernel = sparseKernel(simd);
    const passes = isFiltered ? writeFilter(arena, simd.bitsetAddress) : (): boolean => true;
    const filter = isFiltered ? simd.bitsetAddress : 0;
    const sums = sumsOf(added);
    for (const threshold of [-Infinity, 0, 60, 300, 2_000])
      for (const lookupCount of [0, 1, 3])
        for (const [from, to] of [
          [0, rowCount],
          [sparseBatchRows, sparseBatchRows + 777],
        ] as const) {
          const looked = terms.slice(0, lookupCount);
          const own = terms.slice(lookupCount);
          const isFound = new Set(added.slice(lookupCount).flatMap((one) => [...one.keys()]));
          const found = kernel.candidates(own, looked, { from, to, filter, threshold });
          // A row without a posting beside those found is none of the caller's concern, but must not be beyond the range.
          const got = [...found.rows].map((row, i) => [row, found.sums[i]!] as const);
          const want = [...isFound]
            .filter((row) => row >= from && row < to && passes(row) && sums.get(row)! >= threshold)
            .sort((a, b) => a - b)
            .map((row) => [row, sums.get(row)!] as const);
          expect(
            got.filter(([row]) => isFound.has(row)),
            replay,
          ).toEqual(want);
          expect(got.every(([row]) => row >= from && row < to && passes(row))).toBe(true);
        }
  },
);

test.each([1, 10, 5_000])('the best %i rows by their sums', (k) => {
  const rng = createRng(seed + k);
  const { arena, terms, added } = stage(rng);
  const simd = createSimdKernel(arena, 0);
  const passes = writeFilter(arena, simd.bitsetAddress);
  const sums = [...sumsOf(added)].filter(([row, sum]) => passes(row) && sum !== 0);
  const want = sums.sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, k);
  const found = sparseKernel(simd).best(terms, rowCount, simd.bitsetAddress, k);
  expect(
    [...found].sort((a, b) => a - b),
    replay,
  ).toEqual(want.map(([row]) => row).sort((a, b) => a - b));
});
