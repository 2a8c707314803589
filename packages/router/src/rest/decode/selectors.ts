/** Which parts of a point to answer with: `with_payload`, `with_vector`. */
import type { PayloadSelector, VectorSelector } from '@quiver/model';
import { fieldOf, isFields, isSaid, malformed, type Fields } from './fields.ts';
import { decodeKey } from './filter.ts';

export function decodePayloadSelector(fields: Fields, byDefault: boolean): PayloadSelector {
  const value = fieldOf(fields, 'with_payload');
  if (!isSaid(value)) return { kind: byDefault ? 'all' : 'none' };
  if (typeof value === 'boolean') return { kind: value ? 'all' : 'none' };
  if (isKeys(value)) return { kind: 'include', keys: value.map(decodeKey) };
  if (isFields(value)) {
    const include = fieldOf(value, 'include');
    const exclude = fieldOf(value, 'exclude');
    if (isKeys(include) && exclude === undefined) return { kind: 'include', keys: include.map(decodeKey) };
    if (isKeys(exclude) && include === undefined) return { kind: 'exclude', keys: exclude.map(decodeKey) };
  }
  throw malformed(
    'Expected a boolean, an array of strings, or an object with an include/exclude field (with_payload)',
  );
}

/** Also under its older name `with_vectors`. Queries take null, reads without ranking do not. */
export function decodeVectorSelector(fields: Fields, ofNull: 'none' | 'refused' = 'none'): VectorSelector {
  const said = fieldOf(fields, 'with_vector');
  const value = said === undefined ? fieldOf(fields, 'with_vectors') : said;
  if (value === undefined || (value === null && ofNull === 'none')) return { kind: 'none' };
  if (typeof value === 'boolean') return { kind: value ? 'all' : 'none' };
  if (isKeys(value)) return { kind: 'names', names: value };
  throw malformed('Expected a boolean, or an array of strings (with_vector)');
}

function isKeys(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
