import { ArenaPool } from '@quiver/kernel';
import { expect, test } from 'vitest';
import { assertRoom } from './segment-space.ts';

const mib = 1 << 20;

test('a merge waits while its result has no room beside its inputs, though the budget itself would allow it', () => {
  const pool = new ArenaPool({ threads: 1, budgetBytes: 100 * mib, onArena: () => undefined });
  const inputs = pool.allocate(40 * mib);
  const plan = { coreBytes: 30 * mib, blobBytes: 10 * mib };
  assertRoom(pool, plan);
  pool.limitTo(70 * mib);
  expect(() => assertRoom(pool, plan)).toThrow(
    `takes ${40 * mib} bytes beside what it is made of, ${30 * mib} are free now`,
  );
  assertRoom(pool, { coreBytes: 10 * mib, blobBytes: 2 * mib });
  // What a durable write needs was let in before.
  expect(pool.allocate(50 * mib).bytes).toBe(50 * mib);
  pool.limitTo(Infinity);
  pool.release(inputs);
  assertRoom(pool, plan);
});
