/**
 * The kernels as plain loops in f64: the oracle that `simd.ts` is compared with. Same contract; of no use for speed.
 * Always: it shares no arithmetic with the WebAssembly module.
 */
import type { Arena } from './arena.ts';
import type { Kernel, ScanRange } from './kernel.ts';
import { isFloat, reportedScore } from './metric.ts';
import { readRow, type Rows, type Visibility } from './rows.ts';
import { scratchOf } from './scratch.ts';
import { orderedBits, type TopK } from './top-k.ts';

/** Inner distance of two vectors, in f64: smaller is nearer. */
export function distanceOf(rows: Rows, query: ArrayLike<number>, row: ArrayLike<number>): number {
  let dot = 0;
  let squares = 0;
  let sum = 0;
  let queryLength2 = 0;
  let rowLength2 = 0;
  for (let i = 0; i < query.length; i += 1) {
    const q = query[i]!;
    const x = row[i]!;
    dot += q * x;
    squares += (q - x) ** 2;
    sum += Math.abs(q - x);
    queryLength2 += q * q;
    rowLength2 += x * x;
  }
  if (rows.metric === 'euclid') return squares;
  if (rows.metric === 'manhattan') return sum;
  if (rows.metric === 'dot' || isFloat(rows.element)) return -dot;
  const lengths = Math.sqrt(queryLength2 * rowLength2);
  return lengths > 0 ? -dot / lengths : 0;
}

/** A query as byte rows see it: cut towards zero and clamped to the element's range. */
function cut(rows: Rows, query: Float32Array): Float32Array {
  if (isFloat(rows.element)) return query;
  const [low, high] = rows.element === 'u8' ? [0, 255] : [-128, 127];
  return query.map((value) => Math.trunc(Math.min(Math.max(value, low), high)));
}

function isVisible(memory: WebAssembly.Memory, visibility: Visibility | null, row: number): boolean {
  if (visibility === null) return true;
  const born = new Uint32Array(memory.buffer, visibility.born + 4 * row, 1)[0]!;
  const death = new Uint32Array(memory.buffer, visibility.death + 4 * row, 1)[0]!;
  return born <= visibility.group && (death === 0 || death > visibility.group);
}

function isSet(memory: WebAssembly.Memory, bitset: number, row: number): boolean {
  if (bitset === 0) return true;
  return ((new Uint8Array(memory.buffer, bitset + (row >> 3), 1)[0]! >> (row & 7)) & 1) === 1;
}

export function createScalarKernel(arena: Arena, thread: number): Kernel {
  const { memory } = arena;
  const scratch = scratchOf(arena, thread);

  function distance(rows: Rows, query: Float32Array, row: number): number {
    return Math.fround(distanceOf(rows, query, readRow(memory, rows, row)));
  }

  return {
    arena,
    thread,
    bitsetAddress: scratch.bitset,
    bitsetBytes: scratch.bitsetBytes,

    score(rows, query, list) {
      const q = cut(rows, query);
      return Float32Array.from(list, (row) => reportedScore(rows.metric, distance(rows, q, row)));
    },

    scoreRange(rows, query, from, to) {
      const q = cut(rows, query);
      return Float32Array.from({ length: to - from }, (_, i) =>
        reportedScore(rows.metric, distance(rows, q, from + i)),
      );
    },

    scan(rows, query, range: ScanRange, top: TopK) {
      const q = cut(rows, query);
      const keys = [...top.heap.subarray(0, top.count)];
      for (let row = range.from; row < range.to; row += 1) {
        if (!isSet(memory, range.filter, row) || !isSet(memory, range.present, row)) continue;
        if (!isVisible(memory, range.visibility, row)) continue;
        const ordered = orderedBits(distance(rows, q, row));
        if (ordered > orderedBits(range.farthest ?? Infinity)) continue;
        keys.push((BigInt(ordered) << 32n) | BigInt(row));
      }
      keys.sort((a, b) => (a < b ? -1 : 1));
      top.count = Math.min(top.k, keys.length);
      // Farthest first is a valid heap.
      top.heap.set(keys.slice(0, top.count).reverse());
    },
  };
}
