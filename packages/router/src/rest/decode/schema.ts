/**
 * Readers for configuration objects, built from small parts: each takes a JSON value and its path, throws when the
 * shape is wrong (400) and notes what is out of range (422). Unknown keys are dropped, as Qdrant does; null = not said.
 */
import {
  checkMin,
  fieldOf,
  fieldsOf,
  floatOf,
  integerOf,
  isSaid,
  malformed,
  missingField,
  variantOf,
  wrongType,
  type Problems,
} from './fields.ts';
import { decimal } from './query.ts';

export type Reader<T> = (value: unknown, path: string, problems: Problems) => T;

export function integer(
  options: { min?: number; max?: number; type?: 'u32' | 'usize' } = {},
): Reader<number> {
  const { min = 0, max = Infinity, type = 'usize' } = options;
  return (value, path, problems) => {
    const number = type === 'u32' ? integerOf(value, type, 0xffff_ffffn) : integerOf(value, type);
    if (number > max) problems.add(path, `value ${number} invalid, must be from ${min} to ${max}`);
    else checkMin(number, min, path, problems);
    return number;
  };
}

export function float(min = -Infinity, max = Infinity): Reader<number> {
  return (value, path, problems) => {
    const number = floatOf(value, 'f64');
    if (!(number >= min && number <= max))
      problems.add(path, `value ${decimal(number)} invalid, must be from ${decimal(min)} to ${decimal(max)}`);
    return number;
  };
}

export const boolean: Reader<boolean> = (value) => {
  if (typeof value !== 'boolean') throw wrongType(value, 'a boolean');
  return value;
};

export const text: Reader<string> = (value) => {
  if (typeof value !== 'string') throw wrongType(value, 'a string');
  return value;
};

export function variant<T extends string>(...variants: readonly T[]): Reader<T> {
  return (value) => variantOf(value, variants);
}

export function listOfReader<T>(reader: Reader<T>): Reader<T[]> {
  return (value, path, problems) => {
    if (!Array.isArray(value)) throw wrongType(value, 'a sequence');
    return value.map((item, i) => reader(item, `${path}[${i}]`, problems));
  };
}

/** The fields said, in the order of `readers`. Those in `needed` must be there. */
export function struct<T extends object>(
  name: string,
  readers: { readonly [K in keyof T]-?: Reader<Exclude<T[K], undefined>> },
  needed: readonly (keyof T & string)[] = [],
): Reader<T> {
  const entries = Object.entries<Reader<unknown>>(readers);
  return (value, path, problems) => {
    const fields = fieldsOf(value, `struct ${name}`);
    const result: Record<string, unknown> = {};
    for (const [key, reader] of entries) {
      const item = fieldOf(fields, key);
      if (isSaid(item)) result[key] = reader(item, path === '' ? key : `${path}.${key}`, problems);
    }
    const missing = needed.find((key) => !Object.hasOwn(result, key));
    if (missing !== undefined) throw missingField(missing);
    return result as T;
  };
}

/** Any keys, all values alike. A key named `__proto__` is an own property. */
export function record<T>(reader: Reader<T>): Reader<Record<string, T>> {
  return (value, path, problems) =>
    Object.fromEntries(
      Object.entries(fieldsOf(value, 'a map')).map(([key, item]) => [
        key,
        reader(item, `${path}.${key}`, problems),
      ]),
    );
}

/** Qdrant hides what is wrong inside an untagged enum; its text comes first, ours follows. */
export function untagged<T>(name: string, reader: Reader<T>): Reader<T> {
  return (value, path, problems) => {
    try {
      return reader(value, path, problems);
    } catch (error) {
      const inner = error instanceof Error ? error.message.replace(/^Format error in JSON body: /, '') : '';
      throw malformed(`data did not match any variant of untagged enum ${name} (${path}: ${inner})`);
    }
  };
}
