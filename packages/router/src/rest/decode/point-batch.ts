/**
 * Points out of JSON into flat columns: one per vector name, payloads as their bytes. Everything given out owns its
 * buffers, so that it can be transferred.
 */
import {
  ClusterError,
  stringifyJson,
  type PayloadColumn,
  type PointBatch,
  type PointId,
  type Vector,
  type VectorColumn,
} from '@quiver/model';
import {
  fieldOf,
  fieldsOf,
  invalidBody,
  isFields,
  isSaid,
  listOf,
  malformed,
  missingField,
  wrongType,
  type Fields,
  type Problems,
} from './fields.ts';
import { decodePointId, decodePointIds } from './point-id.ts';
import { decodeSparse, decodeVector, denseOf, isInference, noInference, type Marks } from './vector.ts';

/** Vectors of one name: `vectors[i]` belongs to point `points[i]`, rising. */
interface NamedRows {
  readonly points: number[];
  readonly vectors: Vector[];
}
type Rows = Map<string, NamedRows>;

const empty = new Uint8Array(0);
const encoder = new TextEncoder();

/** `[{id, vector, payload?}]` */
export function decodePoints(
  value: unknown,
  marks: Marks,
  path: string,
  problems: Problems,
  forUpdate: boolean,
): PointBatch {
  const list = listOf(value);
  const ids: PointId[] = [];
  const payloads: Uint8Array[] = [];
  const rows: Rows = new Map();
  for (let i = 0; i < list.length; i += 1) {
    const fields = fieldsOf(list[i], forUpdate ? 'struct PointVectors' : 'struct PointStruct');
    const id = fieldOf(fields, 'id');
    if (id === undefined) throw missingField('id');
    ids.push(decodePointId(id));
    const vector = fieldOf(fields, 'vector');
    if (vector === undefined) throw missingField('vector');
    const count = addVectors(rows, i, vector, marks, path, problems);
    if (forUpdate && count === 0)
      problems.add(`${path}[${i}].vector`, 'must specify vectors to update for point');
    if (!forUpdate) payloads.push(payloadOf(fieldOf(fields, 'payload'), marks));
  }
  if (forUpdate && list.length === 0) problems.add(path, 'must specify points to update');
  problems.check();
  return { ids, vectors: columnsOf(rows, ids.length), payloads: payloadColumn(payloads, ids.length) };
}

/** `{ids, vectors, payloads?}` */
export function decodeBatch(value: unknown, marks: Marks, problems: Problems): PointBatch {
  const fields = fieldsOf(value, 'struct Batch');
  const idList = fieldOf(fields, 'ids');
  if (idList === undefined) throw missingField('ids');
  const ids = decodePointIds(idList);
  const vectors = fieldOf(fields, 'vectors');
  if (vectors === undefined) throw missingField('vectors');
  const rows: Rows = new Map();
  const path = 'batch.vectors';
  const perPoint = (list: readonly unknown[], name: string): void => {
    checkCount(ids, list, 'vectors');
    for (const [i, item] of list.entries()) {
      const vector = isFields(item)
        ? namedVector(item, marks, `${path}[${i}]`, problems)
        : decodeVector(item, marks, `${path}[${i}]`, problems);
      if (vector === null) throw noBatchVectors();
      addRow(rows, name, i, vector);
    }
  };
  const single = denseOf(vectors, marks);
  if (single !== null && single.length > 0) throw noBatchVectors();
  if (Array.isArray(vectors)) perPoint(vectors, '');
  else if (isFields(vectors))
    for (const [name, list] of Object.entries(vectors)) {
      if (!Array.isArray(list)) throw noBatchVectors();
      perPoint(list, name);
    }
  else throw noBatchVectors();
  const payloadList = fieldOf(fields, 'payloads');
  const payloads = isSaid(payloadList) ? listOf(payloadList).map((item) => payloadOf(item, marks)) : [];
  if (isSaid(payloadList)) checkCount(ids, payloads, 'payloads');
  problems.check();
  return { ids, vectors: columnsOf(rows, ids.length), payloads: payloadColumn(payloads, ids.length) };
}

function checkCount(ids: readonly PointId[], list: readonly unknown[], what: string): void {
  if (ids.length !== list.length)
    throw invalidBody(
      `batch.batch: number of ids and ${what} must be equal (${ids.length} != ${list.length})`,
    );
}

function noBatchVectors(): Error {
  return malformed('data did not match any variant of untagged enum BatchVectorStruct');
}

function noVectorStruct(): Error {
  return malformed(
    'data did not match any variant of untagged enum VectorStruct (a list of numbers, a list of such lists, or an ' +
      'object of vectors by name)',
  );
}

/** Adds the vectors of point `i`; returns how many there were. */
function addVectors(
  rows: Rows,
  i: number,
  value: unknown,
  marks: Marks,
  path: string,
  problems: Problems,
): number {
  // The common case first, without building a path.
  const cut = marks.vectorOf(value);
  if (cut !== null) {
    addRow(rows, '', i, { kind: 'dense', values: cut });
    return 1;
  }
  const at = `${path}[${i}].vector`;
  if (!isFields(value)) {
    const vector = decodeVector(value, marks, at, problems);
    if (vector === null) throw noVectorStruct();
    addRow(rows, '', i, vector);
    return 1;
  }
  if (isInference(value)) throw noInference();
  let count = 0;
  for (const [name, item] of Object.entries(value)) {
    const vector = isFields(item)
      ? namedVector(item, marks, `${at}.?`, problems)
      : decodeVector(item, marks, `${at}.?`, problems);
    if (vector === null) throw noVectorStruct();
    addRow(rows, name, i, vector);
    count += 1;
  }
  return count;
}

function namedVector(fields: Fields, marks: Marks, path: string, problems: Problems): Vector | null {
  if (isInference(fields)) throw noInference();
  return decodeSparse(fields, marks, path, problems);
}

function addRow(rows: Rows, name: string, point: number, vector: Vector): void {
  const named = rows.get(name);
  if (named === undefined) rows.set(name, { points: [point], vectors: [vector] });
  else {
    named.points.push(point);
    named.vectors.push(vector);
  }
}

function payloadOf(value: unknown, marks: Marks): Uint8Array {
  if (!isSaid(value)) return empty;
  const cut = marks.payloadOf(value);
  if (cut !== null) return cut;
  if (!isFields(value)) throw wrongType(value, 'a map');
  return encoder.encode(stringifyJson(value));
}

function payloadColumn(payloads: readonly Uint8Array[], count: number): PayloadColumn {
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

function columnsOf(rows: Rows, count: number): Map<string, VectorColumn> {
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
