import { createVirtualEnv, type VirtualEnv } from '@quiver/env/testing';
import { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import { expect, test } from 'vitest';
import { NodeMemory } from './node-memory.ts';

const mib = 1 << 20;

interface World {
  readonly env: VirtualEnv;
  readonly pool: ArenaPool;
  readonly memory: NodeMemory;
  /** Of the process, beside its arenas. */
  other: number;
  isBusy: boolean;
  isChecking: boolean;
  /** Times that it said that memory is scarce. */
  scarce: number;
  /** Times that heaps of the allocator were trimmed. */
  trims: number;
  /** Arenas that threads were told to drop, by call. */
  readonly dropped: (readonly number[])[];
}

function worldOf(
  limitBytes: number | null,
  segmentBytesMax: number,
  { pooledBytesMax = segmentBytesMax, canDiscard = false } = {},
): World {
  const env = createVirtualEnv();
  const directory = new ArenaDirectory(0);
  const pool = new ArenaPool({
    threads: 1,
    budgetBytes: segmentBytesMax,
    slabBytes: mib,
    discardPages: canDiscard ? (pages) => pages.fill(0).length > 0 : null,
    onArena: (arena) => directory.add(arena),
  });
  const world = {
    env,
    pool,
    other: 0,
    isBusy: false,
    isChecking: false,
    scarce: 0,
    trims: 0,
    dropped: [] as (readonly number[])[],
  };
  const memory = new NodeMemory({
    env,
    pool,
    directory,
    broadcast: {
      dropArenas(arenas) {
        world.dropped.push(arenas);
        return Promise.resolve();
      },
    },
    pooledBytesMax,
    segmentBytesMax,
    limitBytes,
    residentBytes() {
      const { usedBytes, retiredBytes, pooledBytes, leavingBytes } = pool.stats();
      return world.other + usedBytes + retiredBytes + pooledBytes + leavingBytes;
    },
    trimHeaps() {
      world.trims += 1;
      return Promise.resolve();
    },
    isBusy: () => world.isBusy,
    isChecking: () => world.isChecking,
    onScarce: () => (world.scarce += 1),
  });
  return Object.assign(world, { memory });
}

function codeOf({ memory }: World, bytes: number): string {
  try {
    memory.admit(bytes);
    return 'taken';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test('beyond the limit writes are asked to wait, then refused, and taken again when memory was given back', async () => {
  const world = worldOf(1_000 * mib, 100 * mib);
  const { env } = world;
  world.other = 500 * mib;
  await env.advance(200);
  expect(codeOf(world, 10)).toBe('taken');
  world.other = 990 * mib;
  await env.advance(200);
  expect([codeOf(world, 10), codeOf(world, 0)]).toEqual(['rate_limited', 'taken']);
  await env.advance(16_000);
  expect(codeOf(world, 10)).toBe('insufficient_storage');
  world.isBusy = true;
  expect(codeOf(world, 10)).toBe('rate_limited');
  world.isBusy = false;
  world.other = 600 * mib;
  await env.advance(200);
  expect(codeOf(world, 10)).toBe('taken');
});

test('memory near the limit is given back though nobody writes', async () => {
  const world = worldOf(1_000 * mib, 400 * mib);
  const { env, pool } = world;
  pool.release(pool.allocate(300 * mib));
  world.other = 700 * mib;
  await env.advance(200);
  expect(world.dropped[0]).toHaveLength(1);
  await env.advance(10_000);
  expect(world.trims).toBeGreaterThan(0);
  expect(pool.stats()).toMatchObject({ pooledBytes: 0, leavingBytes: 0 });
});

test('what segments may have is what the rest of the process leaves, and grows again only little by little', async () => {
  const world = worldOf(1_000 * mib, 600 * mib);
  const { env, pool, memory } = world;
  const room = (): number => Math.round(pool.stats().budgetBytes / mib);
  world.other = 300 * mib;
  await env.advance(200);
  // Before anything was loaded: 400 MiB and what a load adds.
  expect([room(), memory.isRoomGrowing()]).toEqual([410, true]);
  await env.advance(300_000);
  expect([room(), memory.isRoomGrowing()]).toEqual([600, false]);
  world.other = 700 * mib;
  await env.advance(200);
  expect([room(), memory.isRoomGrowing()]).toEqual([238, false]);
  world.other = 300 * mib;
  await env.advance(60_000);
  expect([room() > 400 && room() < 500, memory.isRoomGrowing()]).toEqual([true, true]);
  await env.advance(300_000);
  expect([room(), memory.isRoomGrowing()]).toEqual([600, false]);
});

test('an arena that is not written yet does not hide what else there is', async () => {
  const world = worldOf(1_000 * mib, 600 * mib);
  const { env, pool } = world;
  world.other = 500 * mib;
  await env.advance(200);
  pool.allocate(192 * mib);
  world.other = 300 * mib;
  await env.advance(1_000);
  expect(Math.round(pool.stats().budgetBytes / mib)).toBeLessThan(450);
});

test('when writes and builds have ended, what they needed is given back, once', async () => {
  const world = worldOf(null, 400 * mib);
  const { env, pool, dropped } = world;
  await env.advance(100_000);
  dropped.length = 0;
  pool.release(pool.allocate(100 * mib));
  expect(codeOf(world, 10)).toBe('taken');
  world.isBusy = true;
  await env.advance(10_000);
  expect(dropped).toEqual([]);
  world.isBusy = false;
  await env.advance(100_000);
  expect(dropped).toEqual([[1], []]);
  expect(pool.stats()).toMatchObject({ pooledBytes: 0, leavingBytes: 0 });
});

test('pages go back though a thread holds their arena, in turns, and all that is free once there is no work', async () => {
  const world = worldOf(null, 400 * mib, { pooledBytesMax: 40 * mib, canDiscard: true });
  const { env, pool, memory, dropped } = world;
  const pooled = (): number => pool.stats().pooledBytes / mib;
  world.isBusy = true;
  await env.advance(100_000);
  dropped.length = 0;
  const held = pool.allocate(10 * mib);
  pool.release(pool.allocate(192 * mib));
  memory.released();
  expect(pooled()).toBe(128);
  await env.advance(200);
  expect(pooled()).toBe(40);
  expect(dropped).toEqual([]);
  world.isBusy = false;
  await env.advance(100_000);
  expect(pool.stats()).toMatchObject({ usedBytes: 10 * mib, pooledBytes: 0, leavingBytes: 0 });
  // The empty arena with what threads worked with, once.
  expect(dropped).toEqual([[2], []]);
  pool.release(held);
});

test('while all data is checked heaps are left alone, and pages of arenas are not', async () => {
  const world = worldOf(null, 400 * mib, { canDiscard: true });
  const { env, pool, dropped } = world;
  world.isChecking = true;
  await env.advance(5_000);
  pool.release(pool.allocate(100 * mib));
  await env.advance(200_000);
  expect(pool.stats().pooledBytes).toBe(0);
  expect(dropped).toEqual([]);
  world.isChecking = false;
  await env.advance(5_000);
  expect(dropped).not.toEqual([]);
});

test('pages go back soon after a load though heaps were collected a moment ago', async () => {
  const world = worldOf(null, 400 * mib, { canDiscard: true });
  const { env, pool, dropped } = world;
  await env.advance(100_000);
  const held = pool.allocate(mib / 8);
  expect(codeOf(world, 10)).toBe('taken');
  await env.advance(5_000);
  dropped.length = 0;
  pool.release(pool.allocate(100 * mib));
  expect(codeOf(world, 10)).toBe('taken');
  await env.advance(1_000);
  expect(pool.stats().pooledBytes).toBeGreaterThanOrEqual(100 * mib);
  await env.advance(2_000);
  expect(pool.stats().pooledBytes).toBeLessThan(mib);
  // Collecting the heaps of all threads costs more than pages do.
  expect(dropped).toEqual([]);
  pool.release(held);
});

test('memory that a view still holds is not taken for free', async () => {
  const world = worldOf(1_000 * mib, 400 * mib);
  const { env, pool } = world;
  const region = pool.allocate(320 * mib);
  const held = { view: new Uint8Array(pool.arenas()[0]!.memory.buffer) as Uint8Array | null };
  // Of another arena, which leaves in the same moment.
  const other = pool.allocate(50 * mib);
  pool.release(region);
  pool.release(other);
  world.other = 700 * mib;
  await env.advance(5_000);
  expect(pool.stats().leavingBytes).toBe(320 * mib);
  expect(held.view).not.toBeNull();
  held.view = null;
  await env.advance(5_000);
  expect(pool.stats().leavingBytes).toBe(0);
});

test('while segments have nearly all they may this is said again and again', async () => {
  const world = worldOf(null, 100 * mib);
  const { env, pool } = world;
  const held = pool.allocate(70 * mib);
  await env.advance(10_000);
  expect(world.scarce).toBe(0);
  const more = pool.allocate(10 * mib);
  await env.advance(10_000);
  expect(world.scarce).toBeGreaterThan(3);
  pool.release(more);
  const { scarce } = world;
  await env.advance(10_000);
  expect(world.scarce).toBe(scarce);
  pool.release(held);
});
