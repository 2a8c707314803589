/**
 * What the primary does to a vector once, before anything is stored: cosine vectors are normalised, values take the
 * precision of their datatype. Everything later (log, replicas, recovery, merging) copies the result unchanged.
 */
import { roundToFourBits } from '@quiver/kernel';
import type { Vector } from '@quiver/model';
import type { DenseSchema, MultiSchema, VectorSchema } from './schema.ts';

/** Squared lengths below this are taken for zero, those within 1e-6 of 1 for 1, as Qdrant does. */
const zeroBelow = 1.1920929e-7;

/**
 * The vector as it is stored. Byte vectors are cut towards zero and clamped (never normalised); float16 is rounded to
 * half precision, turbo4 to four bits. Returns its own array, or `vector` itself when nothing changes.
 */
export function prepareVector(schema: VectorSchema, vector: Vector): Vector {
  if (schema.kind === 'sparse' || vector.kind === 'sparse') return vector;
  const values = prepareRows(schema, vector.values);
  if (values === vector.values) return vector;
  return vector.kind === 'dense' ? { kind: 'dense', values } : { kind: 'multi', dim: vector.dim, values };
}

/** The same over many rows of `dim` values, in a new array; `values` itself when the rows are stored as given. */
export function prepareRows(schema: DenseSchema | MultiSchema, values: Float32Array): Float32Array {
  const isAsGiven = schema.datatype === 'float32' && schema.metric !== 'cosine';
  return isAsGiven ? values : prepareOwnRows(schema, values.slice());
}

/** The same in place, for the owner of `out`; returns it. */
export function prepareOwnRows(schema: DenseSchema | MultiSchema, out: Float32Array): Float32Array {
  const { datatype, dim } = schema;
  const isCosine = schema.metric === 'cosine';
  if (datatype === 'uint8' || datatype === 'int8') {
    const [low, high] = datatype === 'uint8' ? [0, 255] : [-128, 127];
    for (let i = 0; i < out.length; i += 1) out[i] = Math.trunc(Math.min(Math.max(out[i]!, low), high));
    return out;
  }
  if (isCosine) for (let at = 0; at < out.length; at += dim) normalise(out, at, dim);
  if (datatype === 'float16') for (let i = 0; i < out.length; i += 1) out[i] = Math.f16round(out[i]!);
  if (datatype === 'turbo4') for (let at = 0; at < out.length; at += dim) roundToFourBits(out, at, dim);
  return out;
}

/** Scales values[at..at+dim-1] to length 1, in place; a zero vector stays zero. */
export function normalise(values: Float32Array, at: number, dim: number): void {
  let sum = 0;
  for (let i = at; i < at + dim; i += 1) sum += values[i]! * values[i]!;
  if (sum < zeroBelow || Math.abs(sum - 1) <= 1e-6) return;
  const length = Math.sqrt(sum);
  for (let i = at; i < at + dim; i += 1) values[i] = values[i]! / length;
}

/** A query vector as the kernels take it: prepared as the rows are (Qdrant casts queries to the datatype, too), but not to four bits. */
export function prepareQuery(schema: DenseSchema | MultiSchema, values: Float32Array): Float32Array {
  return prepareRows(schema.datatype === 'turbo4' ? { ...schema, datatype: 'float32' } : schema, values);
}
