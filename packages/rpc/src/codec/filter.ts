/** `qdrant.Filter`: every condition of Qdrant 1.19, with its errors. Nesting is bounded by the decoder of the message. */
import { emptyFilter, parseJsonPath, type Condition, type Filter, type Range } from '@quiver/model';
import {
  decodeBoundingBox,
  decodePolygon,
  decodeRadius,
  type BoundingBoxMessage,
  type PolygonMessage,
  type RadiusMessage,
} from './geo.ts';
import { decodeIds, type PointIdMessage } from './point-id.ts';
import { countOf, malformed, type Problems } from './problems.ts';
import { decodeTimestamp, type TimestampMessage } from './time.ts';

export interface FilterMessage {
  readonly should?: readonly ConditionMessage[];
  readonly must?: readonly ConditionMessage[];
  readonly must_not?: readonly ConditionMessage[];
  readonly min_should?: {
    readonly conditions?: readonly ConditionMessage[];
    readonly min_count?: number | bigint;
  };
}
interface ConditionMessage {
  readonly field?: FieldMessage;
  readonly is_empty?: { readonly key?: string };
  readonly is_null?: { readonly key?: string };
  readonly has_id?: { readonly has_id?: readonly PointIdMessage[] };
  readonly filter?: FilterMessage;
  readonly nested?: { readonly key?: string; readonly filter?: FilterMessage };
  readonly has_vector?: { readonly has_vector?: string };
  readonly slice?: { readonly total?: number; readonly index?: number };
}
type Bounds<T> = Readonly<Partial<Record<'lt' | 'gt' | 'lte' | 'gte', T>>>;
interface FieldMessage {
  readonly key?: string;
  readonly match?: MatchMessage;
  readonly range?: Bounds<number>;
  readonly geo_bounding_box?: BoundingBoxMessage;
  readonly geo_radius?: RadiusMessage;
  readonly values_count?: Bounds<number | bigint>;
  readonly geo_polygon?: PolygonMessage;
  readonly datetime_range?: Bounds<TimestampMessage>;
  readonly is_empty?: boolean;
  readonly is_null?: boolean;
}
interface MatchMessage {
  readonly keyword?: string;
  readonly integer?: number | bigint;
  readonly boolean?: boolean;
  readonly text?: string;
  readonly keywords?: { readonly strings?: readonly string[] };
  readonly integers?: { readonly integers?: readonly (number | bigint)[] };
  readonly except_integers?: { readonly integers?: readonly (number | bigint)[] };
  readonly except_keywords?: { readonly strings?: readonly string[] };
  readonly phrase?: string;
  readonly text_any?: string;
  readonly prefix?: string;
}

/** Null for an absent filter and for one without conditions. */
export function decodeFilter(
  message: FilterMessage | undefined,
  path: string,
  problems: Problems,
): Filter | null {
  if (message === undefined) return null;
  const filter = decodeFilterTree(message, path, problems);
  const { must, should, mustNot, minShould } = filter;
  return must.length + should.length + mustNot.length === 0 && minShould === null ? null : filter;
}

/** @throws ClusterError malformed; what is out of range goes to `problems` */
export function decodeFilterTree(message: FilterMessage, path: string, problems: Problems): Filter {
  const conditions = (list: readonly ConditionMessage[] | undefined, name: string): Condition[] =>
    (list ?? []).flatMap((item, i) => decodeCondition(item, `${path}.${name}[${i}]`, problems));
  const minShould = message.min_should;
  if (minShould !== undefined && countOf(minShould.min_count ?? 0) === 0)
    problems.add(`${path}.min_should.min_count`, 'min_count must be greater than 0');
  return {
    must: conditions(message.must, 'must'),
    should: conditions(message.should, 'should'),
    mustNot: conditions(message.must_not, 'must_not'),
    minShould:
      minShould === undefined
        ? null
        : {
            conditions: conditions(minShould.conditions, 'min_should.conditions'),
            minCount: countOf(minShould.min_count ?? 0),
          },
  };
}

/** A condition that says nothing is left out, as Qdrant does. */
function decodeCondition(message: ConditionMessage, path: string, problems: Problems): Condition[] {
  const at = `${path}.condition_one_of`;
  const { field, filter, nested, slice } = message;
  if (field !== undefined) return [decodeField(field, at, problems)];
  if (message.is_empty !== undefined)
    return [{ kind: 'is_empty', key: decodeKey(message.is_empty.key), expected: true }];
  if (message.is_null !== undefined)
    return [{ kind: 'is_null', key: decodeKey(message.is_null.key), expected: true }];
  if (message.has_id !== undefined) return [{ kind: 'has_id', ids: decodeIds(message.has_id.has_id) }];
  if (message.has_vector !== undefined)
    return [{ kind: 'has_vector', name: message.has_vector.has_vector ?? '' }];
  if (filter !== undefined) return [{ kind: 'filter', filter: decodeFilterTree(filter, at, problems) }];
  if (nested !== undefined) {
    if (nested.filter === undefined) throw malformed('Nested condition must have a filter');
    const inner = decodeFilterTree(nested.filter, `${at}.filter`, problems);
    return [{ kind: 'nested', key: decodeKey(nested.key), filter: inner }];
  }
  if (slice !== undefined) {
    const { total = 0, index = 0 } = slice;
    if (total === 0) problems.add(`${at}.total`, 'Validation error: must be greater than 0 [{}]');
    else if (index >= total)
      problems.add(`${at}.index`, 'Validation error: must be less than the total number of slices [{}]');
    return [{ kind: 'slice', total, index }];
  }
  return [];
}

/** @throws ClusterError malformed when it is no payload path */
export function decodeKey(key = ''): string {
  if (parseJsonPath(key) === null) throw malformed(`Invalid json path: '${key}'`);
  return key;
}

function decodeField(message: FieldMessage, path: string, problems: Problems): Condition {
  const key = decodeKey(message.key);
  const found: Condition[] = [];
  if (message.match !== undefined) found.push(decodeMatch(key, message.match));
  if (message.range !== undefined) found.push({ kind: 'range', key, range: rangeOf(message.range, Number) });
  if (message.datetime_range !== undefined)
    found.push({ kind: 'datetime_range', key, range: rangeOf(message.datetime_range, decodeTimestamp) });
  if (message.geo_bounding_box !== undefined)
    found.push(decodeBoundingBox(key, message.geo_bounding_box, path, problems));
  if (message.geo_radius !== undefined) found.push(decodeRadius(key, message.geo_radius, path, problems));
  if (message.geo_polygon !== undefined) found.push(decodePolygon(key, message.geo_polygon, path, problems));
  if (message.values_count !== undefined)
    found.push({ kind: 'values_count', key, range: rangeOf(message.values_count, countOf) });
  if (message.is_empty !== undefined)
    found.push({ kind: 'is_empty', key, expected: message.is_empty, ofField: true });
  if (message.is_null !== undefined)
    found.push({ kind: 'is_null', key, expected: message.is_null, ofField: true });
  const [only] = found;
  if (only === undefined) {
    const text = 'Validation error: At least one field condition must be specified [{}]';
    problems.add(`${path}.match`, text);
    return { kind: 'filter', filter: emptyFilter };
  }
  // Several in one condition: any of them, as Qdrant evaluates it.
  return found.length === 1 ? only : { kind: 'filter', filter: { ...emptyFilter, should: found } };
}

function decodeMatch(key: string, message: MatchMessage): Condition {
  const value = message.keyword ?? message.integer ?? message.boolean;
  if (value !== undefined) return { kind: 'match', key, value };
  if (message.text !== undefined) return { kind: 'match_text', key, text: message.text };
  if (message.text_any !== undefined) return { kind: 'match_text_any', key, text: message.text_any };
  if (message.phrase !== undefined) return { kind: 'match_phrase', key, phrase: message.phrase };
  if (message.prefix !== undefined) return { kind: 'match_prefix', key, prefix: message.prefix };
  if (message.keywords !== undefined) return { kind: 'match_any', key, any: message.keywords.strings ?? [] };
  if (message.integers !== undefined) return { kind: 'match_any', key, any: message.integers.integers ?? [] };
  if (message.except_keywords !== undefined)
    return { kind: 'match_except', key, except: message.except_keywords.strings ?? [] };
  if (message.except_integers !== undefined)
    return { kind: 'match_except', key, except: message.except_integers.integers ?? [] };
  throw malformed('Malformed Match condition');
}

function rangeOf<T>(bounds: Bounds<T>, toNumber: (value: T) => number): Range {
  const bound = (value: T | undefined): number | null => (value === undefined ? null : toNumber(value));
  return { lt: bound(bounds.lt), gt: bound(bounds.gt), lte: bound(bounds.lte), gte: bound(bounds.gte) };
}
