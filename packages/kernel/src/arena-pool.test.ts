import { expect, test } from 'vitest';
import type { Arena, Region } from './arena.ts';
import { ArenaDirectory } from './arena-directory.ts';
import { ArenaBudgetError, ArenaPool } from './arena-pool.ts';
import { createRng } from './rng.ts';
import { sizeClass } from './size-class.ts';

const MiB = 1 << 20;

interface World {
  readonly pool: ArenaPool;
  readonly directory: ArenaDirectory;
  readonly made: Arena[];
  /** Bytes of each part that was given back. */
  readonly discarded: number[];
}

function poolOf(budgetBytes: number, options: { canDiscard?: boolean } = {}): World {
  const directory = new ArenaDirectory(0);
  const made: Arena[] = [];
  const discarded: number[] = [];
  const pool = new ArenaPool({
    threads: 1,
    budgetBytes,
    slabBytes: 4 * MiB,
    onArena: (arena) => {
      made.push(arena);
      directory.add(arena);
    },
    discardPages:
      options.canDiscard === true
        ? (pages) => {
            pages.fill(0);
            discarded.push(pages.length);
            return true;
          }
        : null,
  });
  return { pool, directory, made, discarded };
}

test('a size class wastes at most an eighth and fits itself', () => {
  for (let bytes = 64; bytes < 300 * MiB; bytes = Math.floor(bytes * 1.037) + 1) {
    const rounded = sizeClass(bytes);
    expect(rounded).toBeGreaterThanOrEqual(bytes);
    expect(rounded % 64).toBe(0);
    expect(sizeClass(rounded)).toBe(rounded);
    if (bytes > 512) expect(rounded).toBeLessThanOrEqual(Math.ceil(bytes * 1.125) + 64);
  }
});

test.each([false, true])(
  'regions never overlap, are zero when handed out, and stay inside their arena; pages go back: %s',
  (canDiscard) => {
    const seed = 7;
    const rng = createRng(seed);
    const { pool, directory, discarded } = poolOf(256 * MiB, { canDiscard });
    const live = new Map<Region, number>();
    for (let step = 0; step < 3000; step += 1) {
      if (live.size > 0 && rng.below(3) === 0) {
        const [region, mark] = [...live][rng.below(live.size)]!;
        expect(directory.bytes(region).every((byte) => byte === mark)).toBe(true);
        live.delete(region);
        pool.release(region);
        if (rng.below(20) === 0) pool.discard(rng.below(4 * MiB));
        continue;
      }
      const region = pool.allocate(1 + rng.below(rng.below(50) === 0 ? MiB : 4000));
      expect(region.offset % 64).toBe(0);
      expect(directory.bytes(region).every((byte) => byte === 0)).toBe(true);
      const mark = 1 + rng.below(255);
      directory.bytes(region).fill(mark);
      live.set(region, mark);
    }
    for (const [region, mark] of live)
      expect(directory.bytes(region).every((byte) => byte === mark)).toBe(true);
    expect(discarded.length > 0).toBe(canDiscard);
  },
);

test('thousands of tiny regions share a few arenas', () => {
  const { pool, made } = poolOf(64 * MiB);
  for (let i = 0; i < 2000; i += 1) pool.allocate(4096);
  expect(made.length).toBeLessThanOrEqual(3);
});

test('a request past the budget is refused with the numbers and changes nothing', () => {
  const { pool, made } = poolOf(8 * MiB);
  pool.allocate(6 * MiB);
  const before = pool.stats();
  expect(() => pool.allocate(3 * MiB)).toThrow(ArenaBudgetError);
  expect(pool.stats()).toEqual(before);
  expect(made.length).toBe(1);
});

test('a released arena of its own is used again for a region of about its size', () => {
  const { pool, made, directory } = poolOf(64 * MiB);
  const first = pool.allocate(10 * MiB);
  directory.bytes(first).fill(9);
  pool.retire(first);
  expect(pool.stats().retiredBytes).toBeGreaterThanOrEqual(10 * MiB);
  pool.release(first);
  expect(pool.stats()).toMatchObject({ usedBytes: 0, retiredBytes: 0 });
  const second = pool.allocate(9 * MiB);
  expect(second.arena).toBe(first.arena);
  expect(directory.bytes(second).some((byte) => byte !== 0)).toBe(false);
  expect(made.length).toBe(1);
});

test('memory held stays bounded over a thousand creations and drops of mixed sizes', () => {
  const rng = createRng(3);
  const { pool } = poolOf(400 * MiB);
  for (let i = 0; i < 1000; i += 1) {
    const regions = [
      pool.allocate(100 + rng.below(9000)),
      pool.allocate(1 + rng.below(2 * MiB), { dirty: true }),
    ];
    for (const region of regions) pool.release(region);
  }
  expect(pool.stats().usedBytes).toBe(0);
  expect(pool.stats().pooledBytes).toBeLessThanOrEqual(64 * MiB);
});

test('what was freed in small pieces can be had as larger ones, though a region among them lives on', () => {
  const { pool } = poolOf(4 * MiB);
  const pieces = Array.from({ length: 60 }, () => pool.allocate(64 << 10));
  for (const [i, piece] of pieces.entries()) if (i !== 20) pool.release(piece);
  // The last of them is one that would have an arena of its own.
  const larger = [...Array.from({ length: 9 }, () => pool.allocate(256 << 10)), pool.allocate(MiB)];
  expect(new Set([...larger, pieces[20]!].map(({ arena }) => arena)).size).toBe(1);
  for (const region of [...larger, pieces[20]!]) pool.release(region);
  expect(pool.stats()).toMatchObject({ usedBytes: 0, pooledBytes: 60 * (64 << 10) });
});

test('trimmed arenas count until every thread has dropped them', () => {
  const { pool } = poolOf(64 * MiB);
  const kept = pool.allocate(64 << 10);
  pool.release(pool.allocate(20 * MiB));
  const dropped = pool.trim();
  expect(dropped.length).toBe(1);
  expect(dropped).not.toContain(kept.arena);
  expect(pool.stats().leavingBytes).toBe(20 * MiB);
  pool.confirmDropped(dropped);
  expect(pool.stats()).toMatchObject({ leavingBytes: 0, pooledBytes: 0, arenaCount: 1 });
});

test('free pages between regions go back to the system, and count again when they are touched again', () => {
  const { pool, discarded } = poolOf(64 * MiB, { canDiscard: true });
  const pieces = Array.from({ length: 16 }, () => pool.allocate(128 << 10));
  for (const [i, piece] of pieces.entries()) if (i % 2 === 1) pool.release(piece);
  expect(pool.stats()).toMatchObject({ usedBytes: MiB, pooledBytes: MiB });
  pool.discard(256 << 10);
  expect(discarded).toEqual([128 << 10, 128 << 10]);
  expect(pool.stats().pooledBytes).toBe(MiB - (256 << 10));
  pool.discard(Infinity);
  expect(pool.stats()).toMatchObject({ usedBytes: MiB, pooledBytes: 0, leavingBytes: 0 });
  pool.allocate(100 << 10);
  expect(pool.stats().pooledBytes).toBe(128 * 1024 - sizeClass(100 << 10));
});

test('nothing is refused for pages that are free', () => {
  const { pool } = poolOf(4 * MiB, { canDiscard: true });
  // Pages of their own and pages that they share with what lives on.
  const pieces = Array.from({ length: 63 }, () => pool.allocate(64 << 10));
  for (const [i, piece] of pieces.entries()) if (i % 3 !== 0) pool.release(piece);
  pool.allocate(2 * MiB);
  expect(pool.stats()).toMatchObject({ usedBytes: 21 * (64 << 10) + 2 * MiB });
  expect(() => pool.allocate(MiB)).toThrow(ArenaBudgetError);
});

test('pages that do not go back count on, and it is not tried again', () => {
  let asked = 0;
  const pool = new ArenaPool({
    threads: 1,
    budgetBytes: 64 * MiB,
    slabBytes: 4 * MiB,
    onArena: () => undefined,
    discardPages() {
      asked += 1;
      return false;
    },
  });
  const kept = pool.allocate(64 << 10);
  pool.release(pool.allocate(MiB));
  pool.discard(Infinity);
  pool.discard(Infinity);
  expect([asked, pool.canDiscard]).toEqual([1, false]);
  expect(pool.stats()).toMatchObject({ usedBytes: 64 << 10, pooledBytes: MiB });
  pool.release(kept);
});

test('where pages cannot be given back a region takes touched ones before it is refused', () => {
  const { pool } = poolOf(3 * MiB);
  const small = pool.allocate(200 << 10);
  const rest = pool.allocate(2.5 * MiB);
  pool.release(small);
  expect(() => pool.allocate(512 << 10)).toThrow(ArenaBudgetError);
  pool.allocate(190 << 10);
  expect(pool.stats().pooledBytes).toBeLessThan(128 << 10);
  pool.release(rest);
});

test('releasing twice, or retiring twice, is a broken invariant', () => {
  const { pool } = poolOf(64 * MiB);
  const region = pool.allocate(64);
  pool.retire(region);
  expect(() => pool.retire(region)).toThrow('retired twice');
  pool.release(region);
  expect(() => pool.release(region)).toThrow('not allocated');
});
