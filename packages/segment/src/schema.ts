/**
 * The vectors that the points of a segment may have, by name, as the engine stores them. Derived from a collection's
 * configuration; plain data, part of every segment descriptor.
 */
import {
  hasScanCodes,
  maxSimCodeBytes,
  scanRecordBytes,
  strideOf,
  type CodedMetric,
  type Element,
  type Metric,
} from '@quiver/kernel';
import {
  denseVectors,
  type CollectionParams,
  type Datatype,
  type Distance,
  type VectorParams,
} from '@quiver/model';

export interface DenseSchema {
  readonly kind: 'dense';
  readonly name: string;
  readonly dim: number;
  readonly metric: Metric;
  readonly datatype: Datatype;
  /** What a row consists of. */
  readonly element: Element;
}
/** Rows of one size for each point, scored by MaxSim. Stored as f32 rows in the blob region, with codes of a byte an element. */
export interface MultiSchema {
  readonly kind: 'multi';
  readonly name: string;
  readonly dim: number;
  readonly metric: Metric;
  readonly datatype: Datatype;
}
export interface SparseSchema {
  readonly kind: 'sparse';
  readonly name: string;
}
export type VectorSchema = DenseSchema | MultiSchema | SparseSchema;

export interface SegmentSchema {
  /** Sorted by kind (dense, multi, sparse), then by name: the order of the byte layout. */
  readonly vectors: readonly VectorSchema[];
}

const elementOf: Readonly<Record<Datatype, Element>> = {
  float32: 'f32',
  float16: 'f16',
  uint8: 'u8',
  int8: 'i8',
  turbo4: 'q4',
};
const metricOf: Readonly<Record<Distance, Metric>> = {
  Cosine: 'cosine',
  Dot: 'dot',
  Euclid: 'euclid',
  Manhattan: 'manhattan',
};

export function segmentSchemaOf(params: CollectionParams): SegmentSchema {
  const vectors: VectorSchema[] = [...denseVectors(params)].map(([name, vector]) =>
    denseOrMulti(name, vector),
  );
  for (const name of Object.keys(params.sparse_vectors ?? {})) vectors.push({ kind: 'sparse', name });
  return { vectors: vectors.sort((a, b) => compareText(a.kind, b.kind) || compareText(a.name, b.name)) };
}

function denseOrMulti(name: string, params: VectorParams): DenseSchema | MultiSchema {
  const datatype = params.datatype ?? 'float32';
  const shape = { name, dim: params.size, metric: metricOf[params.distance], datatype };
  if (params.multivector_config !== undefined) return { kind: 'multi', ...shape };
  return { kind: 'dense', ...shape, element: elementOf[datatype] };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function vectorSchema(schema: SegmentSchema, name: string): VectorSchema | undefined {
  return schema.vectors.find((vector) => vector.name === name);
}

/** What the codes of a multivector estimate; null when it has none. Floats are stored at length one where the cosine is asked for. */
export function codedMetric({ metric, datatype }: MultiSchema): CodedMetric | null {
  if (metric === 'manhattan') return null;
  return metric === 'cosine' && !isByte(datatype) ? 'dot' : metric;
}

export function isByte(datatype: Datatype): boolean {
  return datatype === 'uint8' || datatype === 'int8';
}

/** Bytes of the codes of a multivector of `count` rows. */
export function codeBytes(schema: MultiSchema, count: number): number {
  return codedMetric(schema) === null ? 0 : maxSimCodeBytes(schema.dim, count);
}

/** Bytes of one row of every dense vector. */
export function denseRowBytes(schema: SegmentSchema): number {
  let bytes = 0;
  for (const vector of schema.vectors)
    if (vector.kind === 'dense') bytes += strideOf(vector.element, vector.dim);
  return bytes;
}

/** With what they are scanned by in a segment with codes. */
export function codedRowBytes(schema: SegmentSchema): number {
  let bytes = denseRowBytes(schema);
  for (const vector of schema.vectors)
    if (vector.kind === 'dense' && hasScanCodes(vector)) bytes += scanRecordBytes(vector.dim);
  return bytes;
}
