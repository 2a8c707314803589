/**
 * Things of varying size in a segment's blob region: from its start on payloads, sparse vectors (u32 indices, then f32 values)
 * and multivectors (f32 rows at their stride), from its end on the codes of multivectors, which a scan reads without the rest.
 * Always: every piece starts at a multiple of the segment's alignment and is rounded up to it, so that the bytes of a set of
 * rows do not depend on their order.
 */
import { encodeMaxSim, maxSimCodeBytes, strideOf, type SimdKernel } from '@quiver/kernel';
import { assert, type MultiVector, type SparseVector, type VectorsByName } from '@quiver/model';
import type { SegmentDescriptor } from './descriptor.ts';
import { headerWords } from './layout.ts';
import {
  codeBytes,
  codedMetric,
  vectorSchema,
  type MultiSchema,
  type SegmentSchema,
  type SparseSchema,
} from './schema.ts';
import type { MultiView, SegmentViews } from './segment-views.ts';

/** Multivector rows are read by the kernels, which want 64; everything else is content with 4. */
export function blobAlignment(schema: SegmentSchema): number {
  return schema.vectors.some((vector) => vector.kind === 'multi') ? 64 : 4;
}

/** Bytes of the blob that a row with this payload and these vectors takes. REQUIRES: they fit the schema. */
export function blobBytesOf(schema: SegmentSchema, payloadBytes: number, vectors: VectorsByName): number {
  const align = blobAlignment(schema);
  let bytes = roundUp(payloadBytes, align);
  for (const [name, vector] of vectors) {
    const own = vectorSchema(schema, name);
    if (own === undefined || own.kind === 'dense' || vector.kind === 'dense') continue;
    bytes += takenBytes(own, align, countOf(vector));
  }
  return bytes;
}

export function countOf(vector: SparseVector | MultiVector): number {
  return vector.kind === 'sparse' ? vector.indices.length : vector.values.length / vector.dim;
}

/** Bytes of the blob that a stored vector takes, codes and rounding included. */
export function takenBytes(schema: MultiSchema | SparseSchema, align: number, count: number): number {
  return roundUp(pieceBytes(schema, count), align) + (schema.kind === 'multi' ? codeBytes(schema, count) : 0);
}

/** Bytes of a stored sparse vector or of the rows of a multivector, before rounding up. */
export function pieceBytes(schema: MultiSchema | SparseSchema, count: number): number {
  return schema.kind === 'sparse' ? 8 * count : strideOf('f32', schema.dim) * count;
}

/** Where codes end: the blob's last address that is a multiple of 64. */
export function codesEnd({ blob, capacityBlobBytes }: SegmentDescriptor): number {
  assert(blob !== null, 'codes of a segment without a blob');
  return blob.offset + Math.floor(capacityBlobBytes / 64) * 64;
}

/**
 * Codes for a multivector whose rows are at `offset` of the blob, to their place before the codes there are.
 * REQUIRES: the only writer; there is room
 */
export function writeCodes(
  segment: SegmentDescriptor,
  views: SegmentViews,
  view: MultiView,
  row: number,
  kernel: SimdKernel,
): void {
  const metric = codedMetric(view.schema);
  if (metric === null || view.codes === null) return;
  const { dim } = view.schema;
  const [offset, count] = [view.refs[2 * row]!, view.refs[2 * row + 1]!];
  const used = views.header[headerWords.codesUsed]! + maxSimCodeBytes(dim, count);
  const rows = { address: segment.blob!.offset + offset, dim, count };
  encodeMaxSim(kernel, metric, rows, codesEnd(segment) - used);
  view.codes[row] = used;
  Atomics.store(views.header, headerWords.codesUsed, used);
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
