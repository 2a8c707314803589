/**
 * Rows that lie in a file, brought to a kernel's scratch a stretch at a time. Always: what is scored is the same bytes by the same
 * kernel as if the rows were in the arena, so scores are the same; a stretch is used before the kernel is called for anything
 * else.
 */
import { assert } from './assert.ts';
import type { ByteFile } from './byte-file.ts';
import { modeOf } from './metric.ts';
import { paddedDimOf, type Rows } from './rows.ts';
import type { SimdKernel } from './simd.ts';
import type { TopK } from './top-k.ts';

/** Rows of one size one after another in a file. `rows.address` means nothing. */
export interface FileRows {
  readonly rows: Rows;
  readonly file: ByteFile;
}

/** Rows that fit the room at a time, 1 or more. */
export function stagedRowsMax(kernel: SimdKernel, { stride }: Rows): number {
  return Math.floor(kernel.stage.length / stride);
}

/**
 * Rows from..to-1, at most `stagedRowsMax`, in memory until the next call: as rows of an arena whose row 0 lies so far before
 * them that theirs are right. (An address below 0 comes out right too: the kernels add modulo 2^32.)
 */
export function windowOf(kernel: SimdKernel, { rows, file }: FileRows, from: number, to: number): Rows {
  const { stride } = rows;
  assert((to - from) * stride <= kernel.stage.length, `rows ${from} to ${to} of ${stride} bytes do not fit`);
  file.read(from * stride, kernel.stage, 0, (to - from) * stride);
  return { ...rows, address: kernel.stageAddress - from * stride };
}

/**
 * Takes the first `count` rows of `kernel.list` into `best`. REQUIRES: the query is set. Neighbouring rows in ascending order
 * are read together.
 */
export function takeListed(kernel: SimdKernel, { rows, file }: FileRows, count: number, best: TopK): void {
  const { list, stage } = kernel;
  const { stride } = rows;
  const mode = modeOf(rows.metric, rows.element);
  const padded = paddedDimOf(rows.element, rows.dim);
  const most = stagedRowsMax(kernel, rows);
  kernel.writeTop(best);
  for (let from = 0; from < count;) {
    const to = Math.min(count, from + most);
    for (let i = from; i < to;) {
      const first = list[i]!;
      let end = i + 1;
      while (end < to && list[end] === first + end - i) end += 1;
      file.read(first * stride, stage, (i - from) * stride, (end - i) * stride);
      i = end;
    }
    best.count = kernel.exports.stagedTop(
      mode,
      kernel.stageAddress,
      stride,
      padded,
      from,
      to,
      best.k,
      best.count,
    );
    from = to;
  }
  kernel.readTop(best);
}
