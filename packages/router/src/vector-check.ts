/**
 * Vectors of a request against the collection: names, kinds, dimensions, in Qdrant's words. Pure.
 * What may stand for another is turned into it: a single dense vector where a multivector is expected, unsorted sparse
 * entries. Always: what comes out fits the collection's parameters and is finite (Qdrant takes infinity and NaN, and
 * then scores nothing: a point that no search can find, or a search that finds nothing).
 */
import {
  ClusterError,
  denseVector,
  denseVectors,
  type CollectionRecord,
  type PointBatch,
  type Vector,
  type VectorColumn,
  type VectorSelector,
} from '@quiver/model';
import { unknownVector } from './collection-config.ts';

export type VectorSpace =
  { readonly kind: 'sparse' } | { readonly kind: 'dense' | 'multi'; readonly size: number };

/** What is stored under a name, or undefined. */
export function vectorSpace(record: CollectionRecord, name: string): VectorSpace | undefined {
  const params = denseVector(record.config.params, name);
  if (params !== undefined)
    return { kind: params.multivector_config === undefined ? 'dense' : 'multi', size: params.size };
  const sparse = record.config.params.sparse_vectors;
  return sparse !== undefined && Object.hasOwn(sparse, name) ? { kind: 'sparse' } : undefined;
}

/** Every vector name of the collection. */
export function vectorNames(record: CollectionRecord): string[] {
  const { params } = record.config;
  return [...denseVectors(params).keys(), ...Object.keys(params.sparse_vectors ?? {})];
}

/** @throws ClusterError invalid_argument for a name that is none */
export function checkVectorNames(record: CollectionRecord, names: readonly string[]): void {
  for (const name of names) if (vectorSpace(record, name) === undefined) throw unknownVector(name);
}

export function checkVectorSelector(record: CollectionRecord, selector: VectorSelector): void {
  if (selector.kind === 'names') checkVectorNames(record, selector.names);
}

/**
 * The batch with every column as the collection stores it.
 * @param naming - an upsert's dimension error names the vector, the others' do not
 */
export function checkedBatch(
  record: CollectionRecord,
  batch: PointBatch,
  naming: 'named' | 'unnamed',
): PointBatch {
  const vectors = new Map<string, VectorColumn>();
  for (const [name, column] of batch.vectors) {
    const space = vectorSpace(record, name);
    if (space === undefined) throw unknownVector(name);
    requireFinite(column.values, name);
    vectors.set(name, checkedColumn(space, column, batch.ids.length, naming === 'named' ? name : ''));
  }
  return { ...batch, vectors };
}

/** Adds up zeros, unless one value is infinite or NaN: half the time of a test for each. */
function isAllFinite(values: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i]! * 0;
  return sum === 0;
}

function requireFinite(values: Float32Array, name: string): void {
  if (isAllFinite(values)) return;
  const at = values.findIndex((value) => !Number.isFinite(value));
  const whose = name === '' ? 'a vector' : `a vector '${name}'`;
  const text = `${whose} has the value ${values[at]!}: every value must be finite and within ±3.4e38, the range of float32`;
  throw new ClusterError('invalid_argument', text);
}

function checkedColumn(space: VectorSpace, column: VectorColumn, count: number, name: string): VectorColumn {
  if (space.kind === 'sparse')
    return column.kind === 'sparse' ? sortedSparse(column) : conversionFailed(column.kind);
  if (column.kind === 'sparse') return conversionFailed('sparse');
  if (space.kind === 'dense' && column.kind === 'multi') return conversionFailed('multi');
  if (column.dim !== space.size) throw wrongDimension(space.size, column.dim, name);
  if (space.kind === 'dense' || column.kind === 'multi') return column;
  return asMultiColumn(column, count);
}

function conversionFailed(given: 'dense' | 'sparse' | 'multi'): never {
  const kind = given === 'multi' ? 'multi' : 'sparse';
  throw new ClusterError('invalid_argument', `Conversion between ${kind} and regular vectors failed`);
}

function wrongDimension(expected: number, got: number, name: string): ClusterError {
  const suffix = name === '' ? '' : ` for vector '${name}'`;
  const text = `Vector dimension error: expected dim: ${expected}, got ${got}${suffix}`;
  return new ClusterError('invalid_argument', text);
}

/** A dense vector is a multivector of one row. */
function asMultiColumn(column: Extract<VectorColumn, { kind: 'dense' }>, count: number): VectorColumn {
  const { dim, values, present } = column;
  const offsets = new Uint32Array(count + 1);
  if (present === null) {
    for (let i = 1; i <= count; i += 1) offsets[i] = i;
    return { kind: 'multi', dim, offsets, values, present };
  }
  let rows = 0;
  for (let i = 0; i < count; i += 1) {
    rows += present[i] ?? 0;
    offsets[i + 1] = rows;
  }
  const packed = new Float32Array(rows * dim);
  for (let i = 0; i < count; i += 1)
    if (present[i] === 1) packed.set(values.subarray(i * dim, (i + 1) * dim), offsets[i]! * dim);
  return { kind: 'multi', dim, offsets, values: packed, present };
}

function sortedSparse(column: Extract<VectorColumn, { kind: 'sparse' }>): VectorColumn {
  const { offsets, indices, values } = column;
  let result = column;
  for (let i = 0; i + 1 < offsets.length; i += 1) {
    const from = offsets[i]!;
    const to = offsets[i + 1]!;
    if (isAscending(indices, from, to)) continue;
    if (result === column) result = { ...column, indices: indices.slice(), values: values.slice() };
    const sorted = sortedEntries(indices.subarray(from, to), values.subarray(from, to));
    result.indices.set(sorted.indices, from);
    result.values.set(sorted.values, from);
  }
  return result;
}

function isAscending(indices: Uint32Array, from: number, to: number): boolean {
  for (let i = from + 1; i < to; i += 1) if (indices[i - 1]! >= indices[i]!) return false;
  return true;
}

/** @throws ClusterError invalid_argument for an index given twice */
function sortedEntries(
  indices: Uint32Array,
  values: Float32Array,
): { indices: Uint32Array; values: Float32Array } {
  const order = Array.from(indices.keys()).sort((a, b) => indices[a]! - indices[b]!);
  const sorted = Uint32Array.from(order, (at) => indices[at]!);
  for (let i = 1; i < sorted.length; i += 1)
    if (sorted[i] === sorted[i - 1])
      throw new ClusterError(
        'invalid_argument',
        `sparse vector has index ${sorted[i]!} twice; indices must be unique`,
      );
  return { indices: sorted, values: Float32Array.from(order, (at) => values[at]!) };
}

/** A query's vector as the space under `name` needs it. @throws ClusterError invalid_argument */
export function checkedQueryVector(record: CollectionRecord, name: string, vector: Vector): Vector {
  const space = vectorSpace(record, name);
  if (space === undefined) throw unknownVector(name);
  requireFinite(vector.values, name);
  if (space.kind === 'sparse') {
    if (vector.kind !== 'sparse') return conversionFailed(vector.kind);
    const { indices, values } = vector;
    if (isAscending(indices, 0, indices.length)) return vector;
    return { kind: 'sparse', ...sortedEntries(indices, values) };
  }
  if (vector.kind === 'sparse') return conversionFailed('sparse');
  if (vector.kind === 'multi') {
    if (space.kind === 'multi') {
      if (vector.dim !== space.size) throw wrongDimension(space.size, vector.dim, '');
      return vector;
    }
    const length = vector.values.length;
    if (length !== space.size) throw wrongDimension(space.size, length, '');
    if (vector.dim !== space.size) return conversionFailed('dense');
    return { kind: 'dense', values: vector.values };
  }
  if (vector.values.length !== space.size) throw wrongDimension(space.size, vector.values.length, '');
  return space.kind === 'multi' ? { kind: 'multi', dim: space.size, values: vector.values } : vector;
}
