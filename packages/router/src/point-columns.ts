/**
 * Points one by one into flat columns, one per vector name, for both front ends. What comes out owns its buffers, so that
 * it can be transferred.
 */
import { ClusterError, type PayloadColumn, type Vector, type VectorColumn } from '@quiver/model';

/** Vectors of one name: `vectors[i]` belongs to point `points[i]`, rising. */
export interface NamedRows {
  readonly points: number[];
  readonly vectors: Vector[];
}
export type Rows = Map<string, NamedRows>;

export function addRow(rows: Rows, name: string, point: number, vector: Vector): void {
  const named = rows.get(name);
  if (named === undefined) rows.set(name, { points: [point], vectors: [vector] });
  else {
    named.points.push(point);
    named.vectors.push(vector);
  }
}

export function payloadColumn(payloads: readonly Uint8Array[], count: number): PayloadColumn {
  const offsets = new Uint32Array(count + 1);
  let total = 0;
  for (let i = 0; i < count; i += 1) {
    total += payloads[i]?.length ?? 0;
    offsets[i + 1] = total;
  }
  const bytes = new Uint8Array(total);
  for (const [i, payload] of payloads.entries()) bytes.set(payload, offsets[i]);
  return { bytes, offsets };
}

/** @param payloads - JSON text of each point's, '' where it has none */
export function payloadColumnOfTexts(payloads: readonly string[]): PayloadColumn {
  const offsets = new Uint32Array(payloads.length + 1);
  let total = 0;
  for (let i = 0; i < payloads.length; i += 1) {
    total += Buffer.byteLength(payloads[i]!);
    offsets[i + 1] = total;
  }
  const bytes = new Uint8Array(total);
  const buffer = Buffer.from(bytes.buffer);
  for (let i = 0; i < payloads.length; i += 1) buffer.write(payloads[i]!, offsets[i]!);
  return { bytes, offsets };
}

export function columnsOf(rows: Rows, count: number): Map<string, VectorColumn> {
  const columns = new Map<string, VectorColumn>();
  for (const [name, named] of rows) columns.set(name, columnOf(name, named, count));
  return columns;
}

function columnOf(name: string, { points, vectors }: NamedRows, count: number): VectorColumn {
  const kinds = new Set(vectors.map((vector) => vector.kind));
  if (kinds.has('sparse') && kinds.size > 1)
    throw new ClusterError('invalid_argument', 'Conversion between sparse and regular vectors failed');
  let present: Uint8Array | null = null;
  if (points.length < count) {
    present = new Uint8Array(count);
    for (const point of points) present[point] = 1;
  }
  if (kinds.has('sparse')) return sparseColumn(points, vectors, count, present);
  return kinds.has('multi')
    ? multiColumn(name, points, vectors, count, present)
    : denseColumn(name, points, vectors, count, present);
}

function dimOf(vector: Vector): number {
  return vector.kind === 'multi' ? vector.dim : vector.values.length;
}

/** One column has one dimension; which of two is right only the collection knows, and it is asked with the first. */
function commonDim(name: string, vectors: readonly Vector[]): number {
  const dim = dimOf(vectors[0]!);
  for (const vector of vectors)
    if (dimOf(vector) !== dim) {
      const suffix = name === '' ? '' : ` for vector '${name}'`;
      const text = `Vector dimension error: expected dim: ${dim}, got ${dimOf(vector)}${suffix}`;
      throw new ClusterError('invalid_argument', text);
    }
  return dim;
}

function denseColumn(
  name: string,
  points: readonly number[],
  vectors: readonly Vector[],
  count: number,
  present: Uint8Array | null,
): VectorColumn {
  const dim = commonDim(name, vectors);
  const values = new Float32Array(count * dim);
  for (let i = 0; i < points.length; i += 1) values.set(vectors[i]!.values, points[i]! * dim);
  return { kind: 'dense', dim, values, present };
}

function multiColumn(
  name: string,
  points: readonly number[],
  vectors: readonly Vector[],
  count: number,
  present: Uint8Array | null,
): VectorColumn {
  const dim = commonDim(name, vectors);
  const offsets = new Uint32Array(count + 1);
  for (let i = 0; i < points.length; i += 1) offsets[points[i]! + 1] = vectors[i]!.values.length / dim;
  sumUp(offsets);
  const values = new Float32Array(offsets[count]! * dim);
  for (let i = 0; i < points.length; i += 1) values.set(vectors[i]!.values, offsets[points[i]!]! * dim);
  return { kind: 'multi', dim, offsets, values, present };
}

function sparseColumn(
  points: readonly number[],
  vectors: readonly Vector[],
  count: number,
  present: Uint8Array | null,
): VectorColumn {
  const offsets = new Uint32Array(count + 1);
  for (let i = 0; i < points.length; i += 1) offsets[points[i]! + 1] = vectors[i]!.values.length;
  sumUp(offsets);
  const indices = new Uint32Array(offsets[count]!);
  const values = new Float32Array(offsets[count]!);
  for (let i = 0; i < points.length; i += 1) {
    const vector = vectors[i]!;
    if (vector.kind !== 'sparse') continue;
    indices.set(vector.indices, offsets[points[i]!]);
    values.set(vector.values, offsets[points[i]!]);
  }
  return { kind: 'sparse', offsets, indices, values, present };
}

function sumUp(offsets: Uint32Array): void {
  for (let i = 1; i < offsets.length; i += 1) offsets[i] = offsets[i]! + offsets[i - 1]!;
}
