/**
 * Things of varying size in a segment's blob region: payloads, sparse vectors (u32 indices, then f32 values) and
 * multivectors (f32 rows at their stride). Always: every piece starts at a multiple of the segment's alignment and is
 * rounded up to it, so that the bytes of a set of rows do not depend on their order.
 */
import { strideOf } from '@quiver/kernel';
import type { MultiVector, SparseVector, Vector, VectorsByName } from '@quiver/model';
import type { SegmentSchema } from './schema.ts';

/** Multivector rows are read by the kernels, which want 64; everything else is content with 4. */
export function blobAlignment(schema: SegmentSchema): number {
  return schema.vectors.some((vector) => vector.kind === 'multi') ? 64 : 4;
}

/** Bytes of the blob that a row with this payload and these vectors takes. */
export function blobBytesOf(schema: SegmentSchema, payloadBytes: number, vectors: VectorsByName): number {
  const align = blobAlignment(schema);
  let bytes = roundUp(payloadBytes, align);
  for (const vector of vectors.values()) bytes += roundUp(vectorBytes(vector), align);
  return bytes;
}

function vectorBytes(vector: Vector): number {
  if (vector.kind === 'sparse') return 8 * vector.indices.length;
  if (vector.kind === 'multi') return pieceBytes('multi', vector.dim, vector.values.length / vector.dim);
  return 0;
}

/** Bytes of a stored sparse vector or multivector, before rounding up. */
export function pieceBytes(kind: 'sparse' | 'multi', dim: number, count: number): number {
  return kind === 'sparse' ? 8 * count : strideOf('f32', dim) * count;
}

export function roundUp(bytes: number, align: number): number {
  return Math.ceil(bytes / align) * align;
}

export function writeSparse(blob: Uint8Array, at: number, vector: SparseVector): void {
  const count = vector.indices.length;
  new Uint32Array(blob.buffer, blob.byteOffset + at, count).set(vector.indices);
  new Float32Array(blob.buffer, blob.byteOffset + at + 4 * count, count).set(vector.values);
}

/** Views of the blob. */
export function readSparse(blob: Uint8Array, at: number, count: number): SparseVector {
  const start = blob.byteOffset + at;
  return {
    kind: 'sparse',
    indices: new Uint32Array(blob.buffer, start, count),
    values: new Float32Array(blob.buffer, start + 4 * count, count),
  };
}

export function writeMulti(blob: Uint8Array, at: number, vector: MultiVector): void {
  const { dim, values } = vector;
  const padded = strideOf('f32', dim) / 4;
  const count = values.length / dim;
  const target = new Float32Array(blob.buffer, blob.byteOffset + at, padded * count);
  if (padded !== dim) target.fill(0);
  for (let row = 0; row < count; row += 1)
    target.set(values.subarray(row * dim, (row + 1) * dim), row * padded);
}

/** A copy without padding. */
export function readMulti(blob: Uint8Array, at: number, dim: number, count: number): MultiVector {
  const padded = strideOf('f32', dim) / 4;
  const source = new Float32Array(blob.buffer, blob.byteOffset + at, padded * count);
  const values = new Float32Array(dim * count);
  for (let row = 0; row < count; row += 1)
    values.set(source.subarray(row * padded, row * padded + dim), row * dim);
  return { kind: 'multi', dim, values };
}
