/**
 * MaxSim of f32 rows by products (assembly/max-sim.ts). Always: the query lies in scratch until another one is set or the thread
 * searches otherwise, so it is set again after every break.
 */
import { assert } from './assert.ts';
import { strideOf } from './rows.ts';
import { scratchOf, tablesBytes } from './scratch.ts';
import type { SimdKernel } from './simd.ts';

export interface MaxSimKernel {
  /** Whether a query of so many rows has room. */
  fits(queryRows: number, dim: number): boolean;
  /** @param values - rows of `dim` elements. REQUIRES: they fit */
  setQuery(values: Float32Array, dim: number): void;
  /** Of the `count` rows at an address, at the stride of f32 rows of the query's dim. Not a number when any product is none. */
  score(address: number, count: number): number;
}

export function maxSimKernel({ exports, arena, thread }: SimdKernel): MaxSimKernel {
  const { tables } = scratchOf(arena, thread);
  const room = new Float32Array(arena.memory.buffer, tables, tablesBytes / 4);
  let [queryRows, stride] = [0, 0];
  const fits = (count: number, dim: number): boolean => count * strideOf('f32', dim) <= tablesBytes;
  return {
    fits,
    setQuery(values, dim) {
      queryRows = values.length / dim;
      stride = strideOf('f32', dim);
      assert(fits(queryRows, dim), `a query of ${queryRows} rows of ${stride} bytes`);
      const padded = stride / 4;
      room.fill(0, 0, queryRows * padded);
      for (let row = 0; row < queryRows; row += 1)
        room.set(values.subarray(row * dim, (row + 1) * dim), row * padded);
    },
    score: (address, count) => exports.maxSim(queryRows, address, count, stride),
  };
}
