/**
 * The best k rows seen so far, kept between the chunks of a scan (each chunk is one kernel call, other queries of the
 * thread run in between). Always: keys order as (distance, row), so equal distances come out by the lower row.
 */
import { assert } from './assert.ts';
import { isLargerNearer, reportedScore, type Metric } from './metric.ts';

/** Most keys a kernel call holds; a larger result is put together out of several scans. */
export const topKMax = 131_072;

export interface Found {
  /** Nearest first. */
  readonly rows: Uint32Array;
  /** Reported scores, by the same index. */
  readonly scores: Float32Array;
  readonly count: number;
}

export interface TopK {
  readonly k: number;
  /** Heap of keys, farthest first; the kernels' own form. */
  readonly heap: BigUint64Array<ArrayBuffer>;
  count: number;
}

export function createTopK(k: number): TopK {
  assert(k >= 1 && k <= topKMax, `k ${k} is outside 1..${topKMax}`);
  return { k, heap: new BigUint64Array(k), count: 0 };
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Bits of an f32 as an unsigned number that orders as the f32 does. */
export function orderedBits(distance: number): number {
  float[0] = Number.isNaN(distance) ? Infinity : distance + 0;
  const word = bits[0]!;
  return ((word & 0x8000_0000) !== 0 ? ~word : word ^ 0x8000_0000) >>> 0;
}

export function distanceOfBits(ordered: number): number {
  bits[0] = (ordered & 0x8000_0000) !== 0 ? ordered ^ 0x8000_0000 : ~ordered;
  return float[0]!;
}

/** Rows and reported scores, nearest first; leaves `top` as it is. */
export function foundIn(top: TopK, metric: Metric): Found {
  const keys = top.heap.slice(0, top.count).sort();
  const words = new Uint32Array(keys.buffer);
  const rows = new Uint32Array(top.count);
  const scores = new Float32Array(top.count);
  for (let i = 0; i < top.count; i += 1) {
    rows[i] = words[2 * i]!;
    scores[i] = reportedScore(metric, distanceOfBits(words[2 * i + 1]!));
  }
  return { rows, scores, count: top.count };
}

/** Negative when score `a` is nearer than `b`. */
export function compareScores(metric: Metric, a: number, b: number): number {
  return isLargerNearer(metric) ? b - a : a - b;
}
