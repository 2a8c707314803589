/**
 * One condition over the values at its path, by Qdrant's rules, with or without an index on the key.
 * Always: a condition that an index serves sees only what the index takes in (`indexedScalar`).
 */
import {
  numberOf,
  parseDatetime,
  parseUuid,
  type Condition,
  type JsonValue,
  type PayloadFieldSchema,
  type Range,
} from '@quiver/model';
import type { FieldTest } from './filter-node.ts';
import { geoPointOf, geoTest } from './geo.ts';
import { indexedScalar, servesMatch, servesRange } from './payload-index/indexed-values.ts';
import { textTest } from './text-test.ts';

export type FieldCondition = Exclude<Extract<Condition, { key: string }>, { kind: 'nested' }>;
type ScalarTest = (value: JsonValue) => boolean;

export function fieldTest(condition: FieldCondition, schema: PayloadFieldSchema | null): FieldTest {
  switch (condition.kind) {
    case 'match':
      return anyElement(matchTest([condition.value], false, schema));
    case 'match_any':
      return anyElement(matchTest(condition.any, false, schema));
    case 'match_except':
      return anyElement(matchTest(condition.except, true, schema));
    case 'match_prefix':
      return anyElement((value) => typeof value === 'string' && value.startsWith(condition.prefix));
    case 'match_text':
    case 'match_text_any':
    case 'match_phrase':
      return textTest(condition, schema);
    case 'range':
    case 'datetime_range':
      return anyElement(rangeTest(condition, schema));
    case 'geo_bounding_box':
    case 'geo_radius':
    case 'geo_polygon': {
      const inside = geoTest(condition);
      return anyElement((value) => {
        const point = geoPointOf(value);
        return point !== null && inside(point.lon, point.lat);
      });
    }
    case 'values_count':
      return countTest(condition.range);
    case 'is_empty':
    case 'is_null':
      return factTest(condition, schema !== null);
  }
}

/** True for any value, and for any element of an array value. */
export function anyElement(test: ScalarTest): FieldTest {
  const ofValue: ScalarTest = (value) => (Array.isArray(value) ? value.some(test) : test(value));
  return { ofValue, ofValues: (values) => values.some(ofValue) };
}

type Wanted = readonly (string | number | bigint | boolean)[];

/**
 * What kind of index answers a match: the values' kind decides, an empty list counts as strings.
 * Null = none does, the payload is compared as it is.
 */
export function matchIndexType(
  wanted: Wanted,
  schema: PayloadFieldSchema | null,
): 'keyword' | 'integer' | 'uuid' | 'bool' | null {
  if (schema === null || !servesMatch(schema)) return null;
  const type = schema.data_type;
  if (wanted.every((value) => typeof value === 'string'))
    return type === 'keyword' || (type === 'uuid' && wanted.every((value) => parseUuid(value) !== null))
      ? type
      : null;
  if (typeof wanted[0] === 'boolean') return type === 'bool' ? type : null;
  return type === 'integer' ? type : null;
}

function matchTest(wanted: Wanted, except: boolean, schema: PayloadFieldSchema | null): ScalarTest {
  const type = matchIndexType(wanted, schema);
  if (type !== null) {
    const set = new Set(type === 'uuid' ? wanted.map((value) => parseUuid(String(value))) : wanted);
    return (value) => {
      const scalar = indexedScalar(type, value);
      return scalar !== null && set.has(scalar) !== except;
    };
  }
  const set = new Set<unknown>(wanted);
  if (except) return (value) => value !== null && !set.has(value);
  if (set.size === 1) {
    const [only] = set;
    return (value) => value === only;
  }
  return (value) => set.has(value);
}

/** Bounds as one closure; absent bounds are infinite. */
export function inRange(range: Range): (value: number | bigint) => boolean {
  const { lt, gt, lte, gte } = range;
  return (value) =>
    (gte === null || value >= gte) &&
    (gt === null || value > gt) &&
    (lte === null || value <= lte) &&
    (lt === null || value < lt);
}

/** An index with ranges serves numbers and datetimes alike: it compares what it holds, datetimes as microseconds. */
function rangeTest(
  condition: Extract<FieldCondition, { kind: 'range' | 'datetime_range' }>,
  schema: PayloadFieldSchema | null,
): ScalarTest {
  const inside = inRange(condition.range);
  if (schema !== null && servesRange(schema)) {
    const type = schema.data_type;
    return (value) => {
      const scalar = indexedScalar(type, value);
      return (typeof scalar === 'number' || typeof scalar === 'bigint') && inside(scalar);
    };
  }
  if (condition.kind === 'datetime_range')
    return (value) => {
      const time = typeof value === 'string' ? parseDatetime(value) : null;
      return time !== null && inside(time);
    };
  return (value) => {
    const number = numberOf(value);
    return number !== null && inside(number);
  };
}

function countTest(range: Range): FieldTest {
  const inside = inRange(range);
  const ofValue: ScalarTest = (value) => inside(Array.isArray(value) ? value.length : value === null ? 0 : 1);
  return { ofValue, ofValues: (values) => (values.length === 0 ? inside(0) : values.some(ofValue)) };
}

type FactCondition = Extract<FieldCondition, { kind: 'is_empty' | 'is_null' }>;

/** An index keeps one answer for a row, whatever the form; it takes an array that holds a null as null. */
function factTest(condition: FactCondition, indexed: boolean): FieldTest {
  const { expected, ofField = false } = condition;
  const holds: ScalarTest =
    condition.kind === 'is_empty'
      ? (value) => value === null || (Array.isArray(value) && value.length === 0)
      : (value) => value === null || ((indexed || ofField) && Array.isArray(value) && value.includes(null));
  const ofValue: ScalarTest = (value) => holds(value) === expected;
  const isEmpty = condition.kind === 'is_empty';
  if (ofField && !indexed)
    return {
      ofValue,
      ofValues: (values) => (values.length === 0 ? isEmpty === expected : values.some(ofValue)),
    };
  return {
    ofValue,
    ofValues: (values) => (isEmpty ? values.every(holds) : values.some(holds)) === expected,
  };
}
