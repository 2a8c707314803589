/**
 * Points out of JSON into flat columns: one per vector name, payloads as their bytes. Everything given out owns its
 * buffers, so that it can be transferred.
 */
import { stringifyJson, type PointBatch, type PointId, type Vector } from '@quiver/model';
import { addRow, columnsOf, payloadColumn, type Rows } from '../../point-columns.ts';
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

function payloadOf(value: unknown, marks: Marks): Uint8Array {
  if (!isSaid(value)) return empty;
  const cut = marks.payloadOf(value);
  if (cut !== null) return cut;
  if (!isFields(value)) throw wrongType(value, 'a map');
  return encoder.encode(stringifyJson(value));
}
