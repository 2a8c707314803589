/**
 * A first pass of MaxSim over codes of one byte an element (assembly/max-sim-codes.ts has the bytes): for each point an estimate and a
 * bound on its error. Always: estimate - bound <= what an exact kernel returns <= estimate + bound, rounding included; where that cannot
 * be said, the bound is infinite or not a number.
 */
import { assert } from './assert.ts';
import type { Metric } from './metric.ts';
import { strideOf } from './rows.ts';
import { scratchOf, tablesBytes } from './scratch.ts';
import type { SimdKernel } from './simd.ts';

/** cosine: rows are taken at length one, whatever theirs is. Manhattan distances have no codes. */
export type CodedMetric = Exclude<Metric, 'manhattan'>;

const modes: Readonly<Record<CodedMetric, number>> = { dot: 0, euclid: 1, cosine: 3 };
const termBytes = 16;
const queryHeadBytes = 64;
const queryCodeMax = 63;

/** Most points of one call. */
export const estimatesMax = 32_768;

/** Bytes of the codes of a multivector, a multiple of 64. */
export function maxSimCodeBytes(dim: number, count: number): number {
  return align64(count * (strideOf('i8', dim) + termBytes) + 8);
}

/** Writes the codes of `count` f32 rows of the kernel's arena, at their stride. REQUIRES: `maxSimCodeBytes` at `codes`. */
export function encodeMaxSim(
  { exports }: SimdKernel,
  metric: CodedMetric,
  rows: { readonly address: number; readonly dim: number; readonly count: number },
  codes: number,
): void {
  exports.encodeMaxSim(modes[metric], rows.address, rows.count, strideOf('f32', rows.dim), codes);
}

/** A query as the first pass takes it. */
export interface MaxSimQueryCodes {
  /** With those that fill up to a multiple of four. */
  readonly rows: number;
  readonly stride: number;
  /** What lies before the points' codes in scratch. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of the bound: see `estimateMaxSim` of the module. */
  readonly bound: readonly [number, number, number, number];
  /** What is added to every sum. */
  readonly offset: number;
}

/**
 * @param values - rows of `dim` elements
 * @returns null when the query has no room, or is not of finite numbers
 */
export function encodeMaxSimQuery(
  metric: CodedMetric,
  dim: number,
  values: Float32Array,
): MaxSimQueryCodes | null {
  const own = values.length / dim;
  const rows = (own + 3) & ~3;
  const stride = strideOf('i8', dim);
  const codesAt = align64(queryHeadBytes + 8 * rows);
  if (codesAt + rows * stride > tablesBytes) return null;
  const bytes = new Uint8Array(codesAt + rows * stride);
  new Int16Array(bytes.buffer, 0, 8).fill(1);
  const steps = new Float32Array(bytes.buffer, queryHeadBytes, rows);
  const mask = new Float32Array(bytes.buffer, queryHeadBytes + 4 * rows, rows);
  const factor = metric === 'euclid' ? 2 : 1;
  let [lengths, rests, squares] = [0, 0, 0];
  for (let row = 0; row < own; row += 1) {
    const vector = values.subarray(row * dim, (row + 1) * dim);
    const coded = encodeRow(
      vector,
      metric === 'cosine',
      bytes.subarray(codesAt + row * stride, codesAt + (row + 1) * stride),
    );
    if (!Number.isFinite(coded.square) || !(coded.step * factor < f32Max)) return null;
    steps[row] = factor * coded.step;
    mask[row] = 1;
    lengths += Math.sqrt(coded.square);
    rests += Math.sqrt(coded.rest);
    squares += coded.square;
  }
  // Of f32 sums of dim / 4 products a lane, twice: here and where scores are exact.
  const rounding = (dim / 4 + 64) * 2 ** -23;
  const onLength = factor * lengths;
  // Products below the smallest normal number are lost, or a part of them.
  const underflow = own * dim * 2 ** -120;
  return {
    rows,
    stride,
    bytes,
    bound: [
      underflow + (metric === 'euclid' ? rounding * squares : 0),
      onLength * (1 + rounding),
      factor * rests + rounding * onLength,
      metric === 'euclid' ? rounding * own : 0,
    ],
    offset: metric === 'euclid' ? -squares : 0,
  };
}

const f32Max = 2 ** 127;

interface CodedRow {
  readonly step: number;
  /** Squared lengths: of the row, of what the codes leave of it. */
  readonly square: number;
  readonly rest: number;
}

function encodeRow(vector: Float32Array, isScaled: boolean, codes: Uint8Array): CodedRow {
  let [largest, square] = [0, 0];
  for (const value of vector) {
    largest = Math.max(largest, Math.abs(value));
    square += value * value;
  }
  const scale = isScaled && square > 0 ? 1 / Math.sqrt(square) : 1;
  // Rounded as it is stored, so that the rest is what it leaves.
  const step = Math.fround(largest > 0 ? (largest * scale) / queryCodeMax : 1);
  const inverse = scale / step;
  let rest = 0;
  for (let i = 0; i < vector.length; i += 1) {
    const code = Math.max(-queryCodeMax, Math.min(queryCodeMax, Math.round(vector[i]! * inverse)));
    codes[i] = code + queryCodeMax + 1;
    const left = vector[i]! * scale - step * code;
    rest += left * left;
  }
  return { step, square: square * scale * scale, rest };
}

export interface MaxSimEstimator {
  /** Puts a query into scratch, where it lies until the thread searches otherwise: again after every break. */
  setQuery(query: MaxSimQueryCodes): void;
  /** u32 pairs (address of codes, rows), to be filled for `estimate`. */
  readonly points: Uint32Array;
  /**
   * Of the first `count` points: f64 pairs (estimate, bound), a view of scratch. Larger is nearer; Euclid: negated squares of the distances.
   * REQUIRES: a query is set; count <= estimatesMax
   */
  estimate(count: number): Float64Array;
}

export function maxSimEstimator({ exports, arena, thread }: SimdKernel): MaxSimEstimator {
  const { tables, list, scores } = scratchOf(arena, thread);
  const { buffer } = arena.memory;
  const room = new Uint8Array(buffer, tables, tablesBytes);
  const estimates = new Float64Array(buffer, scores, 2 * estimatesMax);
  let current: MaxSimQueryCodes | null = null;
  return {
    points: new Uint32Array(buffer, list, 2 * estimatesMax),
    setQuery(query) {
      room.set(query.bytes);
      current = query;
    },
    estimate(count) {
      assert(current !== null, 'estimates of no query');
      assert(count <= estimatesMax, `${count} points in one call, most is ${estimatesMax}`);
      const { rows, stride, bound, offset } = current;
      exports.estimateMaxSim(rows, count, stride, ...bound);
      if (offset !== 0) for (let i = 0; i < count; i += 1) estimates[2 * i]! += offset;
      return estimates.subarray(0, 2 * count);
    },
  };
}

function align64(bytes: number): number {
  return (bytes + 63) & ~63;
}
