/** A filter's bits where the kernels read them. Always: another search of the thread may overwrite them, so each call brings its own. */
import type { SimdKernel } from '@quiver/kernel';

/** Copies the words of rows from..to-1 (`from` a multiple of 32) to scratch; returns the bitset's address. */
export function copyFilter(kernel: SimdKernel, filter: Uint32Array, from: number, to: number): number {
  const { bitsetAddress } = kernel;
  const [first, last] = [from >>> 5, (to + 31) >>> 5];
  new Uint32Array(kernel.arena.memory.buffer, bitsetAddress + 4 * first, last - first).set(
    filter.subarray(first, last),
  );
  return bitsetAddress;
}
