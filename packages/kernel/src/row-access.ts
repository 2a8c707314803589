/**
 * Rows of a vector wherever they are, in the arena or in a file, for work that goes through all of them: one path for both.
 * Always: a window is good until the kernel is called for anything but it.
 */
import type { ByteFile } from './byte-file.ts';
import { decodeRow, readRow, type Rows } from './rows.ts';
import type { SimdKernel } from './simd.ts';
import { stagedRowsMax, windowOf } from './staged.ts';

export interface RowAccess {
  /** As kernels take them; in a file: with address 0, where no row is. */
  readonly rows: Rows;
  /** null: in the arena. */
  readonly file: ByteFile | null;
  /** Most rows of a window. */
  readonly windowMax: number;
  /** Rows from..to-1 as rows of the arena. */
  window(from: number, to: number): Rows;
  /** One row as f32, until the next call. */
  read(row: number): Float32Array;
}

/** @param file - holds the rows one after another; null: they are in the arena */
export function accessRows(kernel: SimdKernel, rows: Rows, file: ByteFile | null): RowAccess {
  if (file === null)
    return {
      rows,
      file,
      windowMax: Infinity,
      window: () => rows,
      read: (row) => readRow(kernel.arena.memory, rows, row),
    };
  const placeless = { ...rows, address: 0 };
  const bytes = new Uint8Array(rows.stride);
  return {
    rows: placeless,
    file,
    windowMax: stagedRowsMax(kernel, rows),
    window: (from, to) => windowOf(kernel, { rows, file }, from, to),
    read(row) {
      file.read(row * rows.stride, bytes, 0, rows.stride);
      return decodeRow(bytes.buffer, 0, rows);
    },
  };
}
