/**
 * What an index of each type takes out of a payload value. Columns are built from it and points without a column are
 * tested with it, so that both answer alike. Arrays are flattened one level. Checked against Qdrant 1.19.
 */
import {
  integerOf,
  numberOf,
  parseDatetime,
  parseUuid,
  type JsonValue,
  type PayloadSchemaType,
  type PayloadFieldSchema,
} from '@quiver/model';

export type IndexedValue = string | number | bigint | boolean;

/** A scalar as the index holds it, or null when an index of that type leaves it out. Geo and text have their own ways. */
export function indexedScalar(type: PayloadSchemaType, value: JsonValue): IndexedValue | null {
  switch (type) {
    case 'keyword':
    case 'text':
      return typeof value === 'string' ? value : null;
    case 'integer':
      return wholeNumberOf(value);
    case 'float':
      return numberOf(value);
    case 'bool':
      return typeof value === 'boolean' ? value : null;
    case 'datetime':
      return typeof value === 'string' ? parseDatetime(value) : null;
    case 'uuid':
      return typeof value === 'string' ? parseUuid(value) : null;
    case 'geo':
      return null;
  }
}

/** Unlike a match without an index, an integer index takes whole floats. */
function wholeNumberOf(value: JsonValue): number | bigint | null {
  const integer = integerOf(value);
  if (integer !== null) return integer;
  if (typeof value === 'bigint') return null;
  const float = numberOf(value);
  if (float === null || !Number.isInteger(float)) return null;
  return Number.isSafeInteger(float) ? float : integerOf(BigInt(float));
}

/** Calls `visit` for the value, or for each element of an array. */
export function forEachElement(value: JsonValue, visit: (element: JsonValue) => void): void {
  if (Array.isArray(value)) for (const element of value) visit(element);
  else visit(value);
}

/** The integer index can be told to serve only one of matches and ranges. */
export function servesMatch(schema: PayloadFieldSchema): boolean {
  return schema.data_type !== 'integer' || schema.params?.lookup !== false;
}

export function servesRange(schema: PayloadFieldSchema): boolean {
  const type = schema.data_type;
  return type === 'float' || type === 'datetime' || (type === 'integer' && schema.params?.range !== false);
}
