/**
 * Codes of rows that are scanned: an eighth of the bytes of f32, and a bound that says which rows need not be read. A scan that is
 * given them finds what it would find without. Layout: docs/formats/segment.md; arithmetic: assembly/scan-codes.ts.
 */
import { paddedDimOf, type Rows } from './rows.ts';
import type { SimdKernel } from './simd.ts';

const termBytes = 16;

/** Manhattan distances have no bound of this kind; shorter elements have less to win. */
export function hasScanCodes({ metric, element }: Pick<Rows, 'metric' | 'element'>): boolean {
  return element === 'f32' && metric !== 'manhattan';
}

/** Bytes from one row's record to the next. */
export function scanRecordBytes(dim: number): number {
  return termBytes + 16 * Math.ceil(paddedDimOf('f32', dim) / 32);
}

/** Writes the record of a row that is stored. @param codes - address of row 0's record, a multiple of 16 */
export function encodeScanCodes({ exports }: SimdKernel, rows: Rows, row: number, codes: number): void {
  const padded = paddedDimOf(rows.element, rows.dim);
  exports.encodeScanned(rows.address + row * rows.stride, padded, codes + row * scanRecordBytes(rows.dim));
}
