/**
 * The contract of the kernels: exact scores and exact scans over rows of one arena. Two implementations pass one suite
 * (kernel.contract.ts): `scalar.ts`, plain loops, the oracle; `simd.ts`, WebAssembly.
 * Always: a call touches one arena and its thread's scratch, never yields and never allocates in the arena;
 * state between calls is only in the arguments, so chunks of different queries may alternate.
 */
import type { Arena } from './arena.ts';
import type { Rows, Visibility } from './rows.ts';
import type { TopK } from './top-k.ts';

/** Most rows one `score` call takes. */
export const scoreRowsMax = 131_072;

/** Rows one scan may cover, from..to-1; both bitsets are optional (address 0) and little-endian u32 words, bit = row. */
export interface ScanRange {
  readonly from: number;
  readonly to: number;
  /** null = every row is visible. */
  readonly visibility: Visibility | null;
  /** 4-byte aligned address of the filter's bitset, 0 = all pass. */
  readonly filter: number;
  /** 4-byte aligned address of the bitset of rows that have this vector, 0 = all have. */
  readonly present: number;
  /** Address of the rows' records (scan-codes.ts); absent or 0 = they have none. What is found is the same. */
  readonly codes?: number;
  /** Inner distance (metric.ts): rows that are farther are not taken. Absent = all may be. */
  readonly farthest?: number;
}

export interface Kernel {
  readonly arena: Arena;
  /** 0..threads-1: whose scratch this instance uses. */
  readonly thread: number;
  /** Address of this thread's space for one filter bitset, `bitsetBytes` long; kept until its owner overwrites it. */
  readonly bitsetAddress: number;
  readonly bitsetBytes: number;

  /**
   * Reported scores of the listed rows, in their order.
   * @param query - Float32Array[dim], normalised when the rows are f32 and the metric is cosine; for byte rows it is
   *   cut to integers of the element's range
   * @returns a view of scratch, valid until the next call
   */
  score(rows: Rows, query: Float32Array, list: Uint32Array): Float32Array;

  /** Reported scores of rows from..to-1, at most `scoreRowsMax`; a view of scratch, valid until the next call. */
  scoreRange(rows: Rows, query: Float32Array, from: number, to: number): Float32Array;

  /**
   * Takes the rows of a range into `top`. A chunk of about half a millisecond is `chunkRows` rows.
   */
  scan(rows: Rows, query: Float32Array, range: ScanRange, top: TopK): void;
}

/**
 * Rows of about half a millisecond of scanning, a multiple of 32 so that chunk borders match bitset words.
 * @param bytesEach - that are read of a row: its stride, or its record's
 */
export function chunkRows(bytesEach: number): number {
  return Math.max(32, Math.floor((4 << 20) / bytesEach / 32) * 32);
}
