/** Vectors: the oneofs of today and the flat `data`, `indices`, `vectors_count` of older clients. */
import { ClusterError, type Vector, type VectorsByName } from '@quiver/model';
import type { ProtoWriter } from '../protobuf/writer.ts';
import { malformed, notSupported, type Problems } from './problems.ts';

export interface DenseMessage {
  readonly data?: Float32Array;
}
export interface SparseMessage {
  readonly values?: Float32Array;
  readonly indices?: Uint32Array;
}
export interface MultiMessage {
  readonly vectors?: readonly DenseMessage[];
}
interface Inference {
  readonly document?: object;
  readonly image?: object;
  readonly object?: object;
}
export interface VectorMessage extends Inference {
  readonly data?: Float32Array;
  readonly indices?: { readonly data?: Uint32Array };
  readonly vectors_count?: number;
  readonly dense?: DenseMessage;
  readonly sparse?: SparseMessage;
  readonly multi_dense?: MultiMessage;
}
export interface VectorsMessage {
  readonly vector?: VectorMessage;
  readonly vectors?: { readonly vectors?: ReadonlyMap<string, VectorMessage> };
}

const none = new Float32Array(0);
const noIndices = new Uint32Array(0);

/** @throws ClusterError bad_request for an inference object: there are no models, as over REST */
export function decodeVector(message: VectorMessage, path: string, problems: Problems): Vector {
  refuseInference(message);
  const { dense, sparse, multi_dense: multi, data = none, indices, vectors_count: count } = message;
  if (dense !== undefined) return { kind: 'dense', values: dense.data ?? none };
  if (sparse !== undefined) return decodeSparse(sparse, path, problems);
  if (multi !== undefined) return decodeMulti(multi, path, problems);
  if (indices !== undefined)
    return decodeSparse({ values: data, indices: indices.data ?? noIndices }, path, problems);
  if (count === undefined) return { kind: 'dense', values: data };
  if (count === 0 || data.length % count !== 0)
    problems.add(
      `${path}.data`,
      'Validation error: invalid dense vector length for vectors count ' +
        `[{"vector_len": Number(${data.length}), "vectors_count": Number(${count})}]`,
    );
  return { kind: 'multi', dim: data.length / count, values: data };
}

export function refuseInference(message: Inference): void {
  if (message.document === undefined && message.image === undefined && message.object === undefined) return;
  throw notSupported('Inference (a vector given as text, image or object with a model)');
}

export function decodeSparse(message: SparseMessage, path: string, problems: Problems): Vector {
  const { values = none, indices = noIndices } = message;
  if (values.length !== indices.length)
    problems.add(`${path}.values`, 'Validation error: must be the same length as indices [{}]');
  if (new Set(indices).size !== indices.length)
    problems.add(`${path}.indices`, 'Validation error: must be unique [{}]');
  return { kind: 'sparse', indices, values };
}

export function decodeMulti(message: MultiMessage, path: string, problems: Problems): Vector {
  const rows = (message.vectors ?? []).map((row) => row.data ?? none);
  const dim = rows[0]?.length ?? 0;
  if (dim === 0) problems.add(`${path}.data`, 'multi vector must not be empty');
  const values = new Float32Array(rows.length * dim);
  for (const [i, row] of rows.entries())
    if (row.length === dim) values.set(row, i * dim);
    else {
      const text = `all vectors must have the same dimension, found vector with dimension ${row.length}`;
      problems.add(`${path}.data`, text);
      break;
    }
  return { kind: 'multi', dim, values };
}

/** Qdrant reports this one by the name of its own structure, which has no s. */
function singular(path: string): string {
  return path.replace(/vectors$/, 'vector');
}

/** All vectors of a point; the unnamed one is `''`. @throws ClusterError malformed */
export function decodeVectors(
  message: VectorsMessage,
  path: string,
  problems: Problems,
): (readonly [name: string, vector: Vector])[] {
  const at = `${path}.vectors_options`;
  if (message.vector !== undefined) {
    const vector = decodeVector(message.vector, at, problems);
    if (vector.values.length === 0 && vector.kind === 'dense')
      throw new ClusterError('invalid_argument', `${singular(path)}.vector: dense vector must not be empty`);
    return [['', vector]];
  }
  if (message.vectors === undefined) throw malformed('No Vector Provided');
  const named = message.vectors.vectors ?? new Map<string, VectorMessage>();
  return [...named].map(([name, vector]) => [name, decodeVector(vector, at, problems)]);
}

/** A field of type VectorsOutput. */
export function writeVectors(writer: ProtoWriter, field: number, vectors: VectorsByName): void {
  writer.tag(field, 2);
  const start = writer.open();
  const unnamed = vectors.get('');
  if (unnamed !== undefined && vectors.size === 1) writeVector(writer, 1, unnamed);
  else {
    writer.tag(2, 2);
    const named = writer.open();
    for (const [name, vector] of vectors) {
      writer.tag(1, 2);
      const entry = writer.open();
      writer.tag(1, 2);
      writer.string(name);
      writeVector(writer, 2, vector);
      writer.close(entry);
    }
    writer.close(named);
  }
  writer.close(start);
}

/** A field of type VectorOutput: dense = 101, sparse = 102, multi_dense = 103. */
function writeVector(writer: ProtoWriter, field: number, vector: Vector): void {
  writer.tag(field, 2);
  const start = writer.open();
  const numbers = { dense: 101, sparse: 102, multi: 103 };
  writer.tag(numbers[vector.kind], 2);
  const body = writer.open();
  switch (vector.kind) {
    case 'dense':
      writer.tag(1, 2);
      writer.packedFloats(vector.values);
      break;
    case 'sparse': {
      writer.tag(1, 2);
      writer.packedFloats(vector.values);
      writer.tag(2, 2);
      const indices = writer.open();
      for (const index of vector.indices) writer.varint(index);
      writer.close(indices);
      break;
    }
    case 'multi':
      for (let at = 0; at < vector.values.length; at += vector.dim) {
        writer.tag(1, 2);
        const row = writer.open();
        writer.tag(1, 2);
        writer.packedFloats(vector.values.subarray(at, at + vector.dim));
        writer.close(row);
      }
  }
  writer.close(body);
  writer.close(start);
}
