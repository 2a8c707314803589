/** Filters out of JSON: every condition of Qdrant 1.19, with its errors. Nesting is bounded by the body scanner. */
import {
  emptyFilter,
  parseDatetime,
  parseJsonPath,
  type Condition,
  type Filter,
  type MatchValue,
  type Range,
} from '@quiver/model';
import {
  describe,
  fieldOf,
  fieldsOf,
  floatOf,
  integerOf,
  isFields,
  isSaid,
  malformed,
  missingField,
  requiredList,
  wrongType,
  type Fields,
  type Problems,
} from './fields.ts';
import { decodeGeoBoundingBox, decodeGeoPolygon, decodeGeoRadius } from './geo.ts';
import { decodePointIds } from './point-id.ts';

const clauses = ['should', 'min_should', 'must', 'must_not'];
const noCondition =
  'Expected some form of condition, which can be a field condition (like {"key": ..., "match": ... }), or some other ' +
  'mentioned in the documentation: https://qdrant.tech/documentation/concepts/filtering/#filtering-conditions';

/** Null for an absent filter and for one without conditions. */
export function decodeFilter(value: unknown, path: string, problems: Problems): Filter | null {
  if (!isSaid(value)) return null;
  const filter = decodeFilterTree(value, path, problems);
  const { must, should, mustNot, minShould } = filter;
  return must.length + should.length + mustNot.length === 0 && minShould === null ? null : filter;
}

export function decodeFilterTree(value: unknown, path: string, problems: Problems): Filter {
  const fields = fieldsOf(value, 'struct Filter');
  const unknown = Object.keys(fields).find((key) => !clauses.includes(key));
  if (unknown !== undefined)
    throw malformed(
      `unknown field \`${unknown}\`, expected one of \`should\`, \`min_should\`, \`must\`, \`must_not\``,
    );
  return {
    must: decodeClause(fieldOf(fields, 'must'), `${path}.must`, problems),
    should: decodeClause(fieldOf(fields, 'should'), `${path}.should`, problems),
    mustNot: decodeClause(fieldOf(fields, 'must_not'), `${path}.must_not`, problems),
    minShould: decodeMinShould(fieldOf(fields, 'min_should'), `${path}.min_should`, problems),
  };
}

/** One condition or a list. */
function decodeClause(value: unknown, path: string, problems: Problems): Condition[] {
  if (!isSaid(value)) return [];
  if (Array.isArray(value)) return value.map((item, i) => decodeCondition(item, `${path}[${i}]`, problems));
  if (!isFields(value)) throw wrongType(value, 'null, array or map');
  return [decodeCondition(value, path, problems)];
}

function decodeMinShould(value: unknown, path: string, problems: Problems): Filter['minShould'] {
  if (!isSaid(value)) return null;
  const fields = fieldsOf(value, 'struct MinShould');
  const conditions = requiredList(fields, 'conditions').map((item, i) =>
    decodeCondition(item, `${path}.conditions[${i}]`, problems),
  );
  const minCount = fieldOf(fields, 'min_count');
  if (minCount === undefined) throw missingField('min_count');
  const count = integerOf(minCount);
  if (count === 0) problems.add(`${path}.min_count`, 'min_count must be greater than 0');
  return { conditions, minCount: count };
}

function decodeCondition(value: unknown, path: string, problems: Problems): Condition {
  if (!isFields(value)) throw malformed(noCondition);
  if (Object.hasOwn(value, 'key')) return decodeFieldCondition(value, path, problems);
  if (Object.hasOwn(value, 'is_empty'))
    return { kind: 'is_empty', key: keyWithin(fieldOf(value, 'is_empty')), expected: true };
  if (Object.hasOwn(value, 'is_null'))
    return { kind: 'is_null', key: keyWithin(fieldOf(value, 'is_null')), expected: true };
  if (Object.hasOwn(value, 'has_id')) {
    const ids = fieldOf(value, 'has_id');
    return { kind: 'has_id', ids: orNoCondition(() => decodePointIds(ids)) };
  }
  if (Object.hasOwn(value, 'has_vector')) {
    const name = fieldOf(value, 'has_vector');
    if (typeof name !== 'string') throw malformed(noCondition);
    return { kind: 'has_vector', name };
  }
  if (Object.hasOwn(value, 'slice')) return decodeSlice(fieldOf(value, 'slice'), path, problems);
  if (Object.hasOwn(value, 'nested')) return decodeNested(fieldOf(value, 'nested'), path, problems);
  if (!Object.keys(value).every((key) => clauses.includes(key))) throw malformed(noCondition);
  for (const clause of clauses) {
    const item = fieldOf(value, clause);
    if (isSaid(item) && typeof item !== 'object') throw malformed(noCondition);
  }
  return { kind: 'filter', filter: decodeFilterTree(value, path, problems) };
}

/** Inside an untagged enum Qdrant's text does not name the inner error; the inner text follows here. */
function orNoCondition<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    const inner = error instanceof Error ? error.message.replace(/^Format error in JSON body: /, '') : '';
    throw malformed(`${noCondition} (${inner})`);
  }
}

function keyWithin(value: unknown): string {
  const key = isFields(value) ? fieldOf(value, 'key') : undefined;
  if (typeof key !== 'string' || parseJsonPath(key) === null) throw malformed(noCondition);
  return key;
}

function decodeSlice(value: unknown, path: string, problems: Problems): Condition {
  const { total, index } = orNoCondition(() => {
    const fields = fieldsOf(value, 'struct Slice');
    return { total: integerOf(fieldOf(fields, 'total')), index: integerOf(fieldOf(fields, 'index')) };
  });
  if (total === 0) throw malformed(noCondition);
  if (index >= total)
    problems.add(
      `${path}.__all__`,
      'Validation error: Slice index must be less than the total number of slices [{}]',
    );
  return { kind: 'slice', total, index };
}

function decodeNested(value: unknown, path: string, problems: Problems): Condition {
  const key = keyWithin(value);
  const filter = isFields(value) ? fieldOf(value, 'filter') : undefined;
  if (!isFields(filter)) throw malformed(noCondition);
  return { kind: 'nested', key, filter: decodeFilterTree(filter, `${path}.nested.filter`, problems) };
}

/** @throws ClusterError malformed when it is no payload path */
export function decodeKey(value: unknown): string {
  if (typeof value !== 'string') throw wrongType(value, 'a string');
  if (parseJsonPath(value) === null) throw malformed(`Invalid json path: '${value}'`);
  return value;
}

function decodeFieldCondition(fields: Fields, path: string, problems: Problems): Condition {
  const key = fieldOf(fields, 'key');
  if (typeof key !== 'string') throw malformed("Filter condition 'key' must be a string");
  decodeKey(key);
  const found: Condition[] = [];
  const take = (name: string, decode: (value: unknown) => Condition): void => {
    const value = fieldOf(fields, name);
    if (isSaid(value)) found.push(decode(value));
  };
  take('match', (value) => decodeMatch(key, value));
  take('range', (value) => decodeRange(key, value));
  take('geo_bounding_box', (value) => decodeGeoBoundingBox(key, value));
  take('geo_radius', (value) => decodeGeoRadius(key, value));
  take('geo_polygon', (value) => decodeGeoPolygon(key, value));
  take('values_count', (value) => ({ kind: 'values_count', key, range: decodeValuesCount(value) }));
  take('is_empty', (value) => ({ kind: 'is_empty', key, expected: flag(value), ofField: true }));
  take('is_null', (value) => ({ kind: 'is_null', key, expected: flag(value), ofField: true }));
  const [only] = found;
  if (only === undefined) {
    const text = 'Validation error: At least one field condition must be specified [{}]';
    problems.add(`${path}.__all__`, text);
    return { kind: 'filter', filter: emptyFilter };
  }
  // Several in one condition: any of them, as Qdrant evaluates it.
  return found.length === 1 ? only : { kind: 'filter', filter: { ...emptyFilter, should: found } };
}

function flag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw wrongType(value, 'a boolean');
  return value;
}

const i64Min = -0x8000_0000_0000_0000n;
const i64Max = 0x7fff_ffff_ffff_ffffn;

function isI64(value: unknown): value is number | bigint {
  if (typeof value === 'bigint') return value >= i64Min && value <= i64Max;
  return typeof value === 'number' && Number.isSafeInteger(value);
}

function isMatchValue(value: unknown): value is MatchValue {
  return typeof value === 'string' || typeof value === 'boolean' || isI64(value);
}

function decodeMatch(key: string, value: unknown): Condition {
  if (!isFields(value)) throw noMatch();
  const exact = fieldOf(value, 'value');
  if (isMatchValue(exact)) return { kind: 'match', key, value: exact };
  const text = fieldOf(value, 'text');
  if (typeof text === 'string') return { kind: 'match_text', key, text };
  const textAny = fieldOf(value, 'text_any');
  if (typeof textAny === 'string') return { kind: 'match_text_any', key, text: textAny };
  const phrase = fieldOf(value, 'phrase');
  if (typeof phrase === 'string') return { kind: 'match_phrase', key, phrase };
  const any = fieldOf(value, 'any');
  if (isVariants(any)) return { kind: 'match_any', key, any };
  const except = fieldOf(value, 'except');
  if (isVariants(except)) return { kind: 'match_except', key, except };
  const prefix = fieldOf(value, 'prefix');
  if (typeof prefix === 'string') return { kind: 'match_prefix', key, prefix };
  throw noMatch();
}

function noMatch(): Error {
  return malformed(
    'data did not match any variant of untagged enum MatchInterface ' +
      '(value: string, integer or bool; any, except: list of strings or of integers; text, text_any, phrase, prefix: string)',
  );
}

/** All strings or all integers. */
function isVariants(value: unknown): value is (string | number | bigint)[] {
  if (!Array.isArray(value)) return false;
  return value.every((item) => typeof item === 'string') || value.every(isI64);
}

function decodeRange(key: string, value: unknown): Condition {
  if (!isFields(value))
    throw malformed('data did not match any variant of untagged enum RangeInterfaceUntagged');
  const isDatetime = ['lt', 'gt', 'gte', 'lte'].some((bound) => typeof fieldOf(value, bound) === 'string');
  if (!isDatetime) return { kind: 'range', key, range: decodeBounds(value, (item) => floatOf(item, 'f64')) };
  return { kind: 'datetime_range', key, range: decodeBounds(value, decodeDatetime) };
}

/** Microseconds since the epoch. */
function decodeDatetime(value: unknown): number {
  if (typeof value !== 'string') throw wrongType(value, 'a string');
  const microseconds = parseDatetime(value);
  if (microseconds === null)
    throw malformed(
      `'${value}' does not match accepted datetime format (RFC3339). Example: 2014-01-01T00:00:00Z`,
    );
  return microseconds;
}

function decodeValuesCount(value: unknown): Range {
  return decodeBounds(fieldsOf(value, 'struct ValuesCount'), (item) => {
    if (typeof item === 'number' && Number.isInteger(item) && item >= 0) return item;
    if (typeof item === 'bigint' && item >= 0n) return Number(item);
    const isNegative = (typeof item === 'number' && Number.isInteger(item)) || typeof item === 'bigint';
    throw malformed(`Invalid ${isNegative ? 'value' : 'type'} ${describe(item)}. Expected usize`);
  });
}

function decodeBounds(fields: Fields, decode: (value: unknown) => number): Range {
  const bound = (name: string): number | null => {
    const value = fieldOf(fields, name);
    return isSaid(value) ? decode(value) : null;
  };
  return { lt: bound('lt'), gt: bound('gt'), lte: bound('lte'), gte: bound('gte') };
}
