/**
 * Vectors out of JSON, in all their forms: a list of numbers (as the scanner's mark or as it is), a list of lists,
 * `{indices, values}`, a map by name. What comes out of marks are views: copy before the next body is scanned.
 */
import type { Vector } from '@quiver/model';
import { fieldOf, isFields, malformed, notSupported, type Fields, type Problems } from './fields.ts';

/** Reads the scanner's marks. */
export interface Marks {
  vectorOf(value: unknown): Float32Array | null;
  payloadOf(value: unknown): Uint8Array | null;
}

/** The numbers of a list, or null when it is none. Empty lists are lists. */
export function denseOf(value: unknown, marks: Marks): Float32Array | null {
  const cut = marks.vectorOf(value);
  if (cut !== null) return cut;
  if (!Array.isArray(value)) return null;
  const values = new Float32Array(value.length);
  for (let i = 0; i < value.length; i += 1) {
    const item: unknown = value[i];
    if (typeof item === 'number') {
      if (!Number.isFinite(item)) throw malformed('number out of range');
      values[i] = item;
    } else if (typeof item === 'bigint') values[i] = Number(item);
    else return null;
  }
  return values;
}

/**
 * A dense, multi or sparse vector, or null when the value is none of them.
 * @param path - of the value, for what `problems` notes: empty lists, rows of different sizes, doubled indices
 */
export function decodeVector(
  value: unknown,
  marks: Marks,
  path: string,
  problems: Problems,
  emptyAllowed = false,
): Vector | null {
  const dense = denseOf(value, marks);
  if (dense !== null) {
    if (dense.length === 0 && !emptyAllowed) problems.add(`${path}.vector`, 'dense vector must not be empty');
    return { kind: 'dense', values: dense };
  }
  if (Array.isArray(value)) return decodeMulti(value, marks, path, problems);
  return isFields(value) ? decodeSparse(value, marks, path, problems) : null;
}

function decodeMulti(
  value: readonly unknown[],
  marks: Marks,
  path: string,
  problems: Problems,
): Vector | null {
  const rows: Float32Array[] = [];
  for (const item of value) {
    const row = denseOf(item, marks);
    if (row === null) return null;
    rows.push(row);
  }
  const dim = rows[0]?.length ?? 0;
  const other = rows.find((row) => row.length !== dim);
  if (dim === 0 || other?.length === 0) problems.add(`${path}.data`, 'all vectors must be non-empty');
  else if (other !== undefined)
    problems.add(
      `${path}.data`,
      `all vectors must have the same dimension, found vector with dimension ${other.length}`,
    );
  const values = new Float32Array(rows.length * dim);
  if (other === undefined) for (const [i, row] of rows.entries()) values.set(row, i * dim);
  return { kind: 'multi', dim, values };
}

const u32Max = 0xffff_ffff;

/** Null when it has not the shape of a sparse vector. */
export function decodeSparse(fields: Fields, marks: Marks, path: string, problems: Problems): Vector | null {
  const list = fieldOf(fields, 'indices');
  const values = denseOf(fieldOf(fields, 'values'), marks);
  if (!Array.isArray(list) || values === null) return null;
  const indices = new Uint32Array(list.length);
  for (let i = 0; i < list.length; i += 1) {
    const index: unknown = list[i];
    if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index > u32Max) return null;
    indices[i] = index;
  }
  if (indices.length !== values.length)
    problems.add(`${path}.values`, 'Validation error: must be the same length as indices [{}]');
  else if (new Set(indices).size !== indices.length)
    problems.add(`${path}.indices`, 'Validation error: must be unique [{}]');
  return { kind: 'sparse', indices, values };
}

/** `{text, model}` and its like, which a model would turn into a vector. */
export function isInference(fields: Fields): boolean {
  return (
    Object.hasOwn(fields, 'model') &&
    (Object.hasOwn(fields, 'text') || Object.hasOwn(fields, 'image') || Object.hasOwn(fields, 'object'))
  );
}

export function noInference(): Error {
  return notSupported('Inference (a vector given as text, image or object with a model)');
}
