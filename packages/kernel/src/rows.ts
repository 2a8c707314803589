/**
 * Vectors as the kernels read them: rows of one arena at a fixed stride, 64-byte aligned, zero from `dim` to the stride.
 * Always: zeros are neutral for every metric, so kernels read whole 64-byte blocks and never ask for the rest.
 */
import { fourBitBytes, packFourBits, unpackFourBits } from './four-bit.ts';
import type { Element, Metric } from './metric.ts';

/** 1..65536, Qdrant's limit. */
export const dimMax = 65_536;

export interface Rows {
  readonly metric: Metric;
  readonly element: Element;
  readonly dim: number;
  /** Bytes from one row to the next: `strideOf(element, dim)`. */
  readonly stride: number;
  /** Absolute address of row 0 in the arena's memory. */
  readonly address: number;
}

/** Which rows a query may see: those born at or before `group` and not dead at it. */
export interface Visibility {
  /** Address of u32[rows]. */
  readonly born: number;
  /** Address of u32[rows]; 0 = alive. */
  readonly death: number;
  /** Relative to the segment's base group, as the columns are. */
  readonly group: number;
}

/** Of elements that have whole bytes. */
const bytesOf = { f32: 4, f16: 2, u8: 1, i8: 1 } as const;

/** Bytes of one row, rounded up to 64. */
export function strideOf(element: Element, dim: number): number {
  const bytes = element === 'q4' ? fourBitBytes(paddedDimOf(element, dim)) : dim * bytesOf[element];
  return (bytes + 63) & ~63;
}

/** Elements the kernels read of a row: dim rounded up to whole 64-byte blocks, of four bits to 64 elements. */
export function paddedDimOf(element: Element, dim: number): number {
  return element === 'q4' ? (dim + 63) & ~63 : strideOf(element, dim) / bytesOf[element];
}

/**
 * Writes a vector as a row. Halves and elements of four bits are rounded to; byte elements are cut towards zero and clamped to their range, as Qdrant casts.
 */
export function writeRow(memory: WebAssembly.Memory, rows: Rows, row: number, vector: Float32Array): void {
  encodeRow(memory.buffer, rows.address + row * rows.stride, rows, vector);
}

/** The same to a place of any buffer, a multiple of 4. */
export function encodeRow(
  buffer: ArrayBuffer | SharedArrayBuffer,
  at: number,
  { element, stride }: Pick<Rows, 'element' | 'stride'>,
  vector: Float32Array,
): void {
  if (element === 'f32') {
    const target = new Float32Array(buffer, at, stride / 4);
    target.set(vector);
    target.fill(0, vector.length);
    return;
  }
  if (element === 'f16') {
    const target = new Float16Array(buffer, at, stride / 2);
    target.set(vector);
    target.fill(0, vector.length);
    return;
  }
  if (element === 'q4') {
    const target = new Uint8Array(buffer, at, stride);
    target.fill(0);
    packFourBits(vector, target);
    return;
  }
  const [low, high] = element === 'u8' ? [0, 255] : [-128, 127];
  const target = element === 'u8' ? new Uint8Array(buffer, at, stride) : new Int8Array(buffer, at, stride);
  for (let i = 0; i < vector.length; i += 1)
    target[i] = Math.trunc(Math.min(Math.max(vector[i]!, low), high));
  target.fill(0, vector.length);
}

/** A stored row as f32; for f32 rows a view of the arena, for others a copy. */
export function readRow(memory: WebAssembly.Memory, rows: Rows, row: number): Float32Array {
  return decodeRow(memory.buffer, rows.address + row * rows.stride, rows);
}

/** The row that lies at a place of a buffer (a multiple of 4) as f32; for f32 rows a view, for others a copy. */
export function decodeRow(
  buffer: ArrayBuffer | SharedArrayBuffer,
  at: number,
  { element, dim }: Pick<Rows, 'element' | 'dim'>,
): Float32Array {
  if (element === 'f32') return new Float32Array(buffer, at, dim);
  if (element === 'f16') return new Float32Array(new Float16Array(buffer, at, dim));
  if (element === 'q4') return unpackFourBits(new Uint8Array(buffer, at, fourBitBytes(dim)), dim);
  if (element === 'u8') return Float32Array.from(new Uint8Array(buffer, at, dim));
  return Float32Array.from(new Int8Array(buffer, at, dim));
}
