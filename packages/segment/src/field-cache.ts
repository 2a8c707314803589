/**
 * Values of payload keys, decoded once a thread for the rows of one segment: what filters without a column read.
 * Rows of a segment never change, so the cache only grows, as rows come. Always: it holds nothing beyond `rowsMax` rows.
 */
import { formatJsonPath, valuesAt, type JsonObject, type JsonPath, type JsonValue } from '@quiver/model';
import type { FieldTest } from './filter-node.ts';
import type { Steps } from './steps.ts';

/** Several values, or none of an existing path with `[]`. */
class ManyValues {
  readonly values: readonly JsonValue[];
  constructor(values: readonly JsonValue[]) {
    this.values = values;
  }
}

interface CachedField {
  readonly path: JsonPath;
  /** By row; undefined = absent. */
  readonly rows: (JsonValue | ManyValues | undefined)[];
}

/** The values of one key for the rows below the `rowCount` asked for. */
export interface DecodedField {
  valuesOf(row: number): readonly JsonValue[];
  /** The test as a function of the row. */
  tester(test: FieldTest): (row: number) => boolean;
}

export interface FieldCache {
  /** Null when so many rows are not kept. */
  decode(path: JsonPath, rowCount: number): Steps<DecodedField | null>;
  /** True when `decode` has nothing left to do. */
  isDecoded(path: JsonPath, rowCount: number): boolean;
}

/** Above this many rows a segment has columns for what is filtered often; decoding the rest would fill the heap. */
const defaultRowsMax = 131_072;
const fieldsMax = 32;
/** Rows decoded between two yields: about half a millisecond. */
const chunkRows = 128;

export function createFieldCache(
  payload: (row: number) => JsonObject,
  rowsMax: number = defaultRowsMax,
): FieldCache {
  const fields = new Map<string, CachedField>();
  const fieldOf = (path: JsonPath): CachedField => {
    const key = formatJsonPath(path);
    const known = fields.get(key);
    // Least recently used first.
    fields.delete(key);
    const field = known ?? { path, rows: [] };
    fields.set(key, field);
    for (const oldest of fields.keys()) {
      if (fields.size <= fieldsMax) break;
      fields.delete(oldest);
    }
    return field;
  };
  return {
    isDecoded: (path, rowCount) => (fields.get(formatJsonPath(path))?.rows.length ?? 0) >= rowCount,
    *decode(path, rowCount) {
      if (rowCount > rowsMax) return null;
      const { rows } = fieldOf(path);
      while (rows.length < rowCount) {
        const from = rows.length;
        const to = Math.min(rowCount, from + chunkRows);
        // A payload is parsed once for all keys that have come this far.
        const together = [...fields.values()].filter((field) => field.rows.length === from);
        for (let row = from; row < to; row += 1) {
          const root = payload(row);
          for (const field of together) field.rows.push(cachedValue(root, field.path));
        }
        yield;
      }
      return {
        valuesOf(row) {
          const value = rows[row];
          if (value === undefined) return [];
          return value instanceof ManyValues ? value.values : [value];
        },
        tester: (test) => (row) => {
          const value = rows[row];
          if (value === undefined) return test.ofValues([]);
          return value instanceof ManyValues ? test.ofValues(value.values) : test.ofValue(value);
        },
      };
    },
  };
}

function cachedValue(root: JsonObject, path: JsonPath): JsonValue | ManyValues | undefined {
  const values = valuesAt(root, path);
  return values.length === 1 ? values[0] : values.length === 0 ? undefined : new ManyValues(values);
}
