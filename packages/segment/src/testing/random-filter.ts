/** Random payloads, indexes and filters over a few keys, dense enough that conditions often hold; and filters as REST bodies. */
import {
  formatDatetime,
  type Condition,
  type Filter,
  type JsonObject,
  type JsonValue,
  type PayloadFieldSchema,
  type PayloadSchemaType,
  type PointId,
  type Range,
} from '@quiver/model';

export interface Random {
  /** 0..below-1 */
  int(below: number): number;
  chance(share: number): boolean;
  pick<T>(from: readonly T[]): T;
}

/** @see Vigna, "splitmix": small, seeded, good enough to draw test cases. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e37_79b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85eb_ca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2_ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  const int = (below: number): number => next() % below;
  return {
    int,
    chance: (share) => next() / 0x1_0000_0000 < share,
    pick: (from) => from[int(from.length)]!,
  };
}

const words = ['red', 'Red', 'blue', 'green', 'reddish', 'Zoë', 'straße', 'a', 'x1', '東京', ''];
const uuids = [
  '7c9e6679-7425-40de-944b-e07fc1f90ae7',
  '7C9E6679-7425-40DE-944B-E07FC1F90AE7',
  '550e8400e29b41d4a716446655440000',
  '550e8400-e29b-41d4-a716-446655440000',
];
const dates = [
  '2020-01-01',
  '2020-01-01T10:00:00Z',
  '2020-01-01 12:00:00+02:00',
  '2021-06-15T08:30:00.5',
  '2021-06-15',
  '2019-12-31T23:59',
];
const integers = [0, 1, 2, 3, -5, 10, 9_007_199_254_740_993n, 9_223_372_036_854_775_807n];
/** Whole floats as raw literals, as payloads hold them. */
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => JsonValue };
const numbers: readonly JsonValue[] = [
  ...integers,
  1.5,
  2.5,
  rawJSON('1.0'),
  rawJSON('1e1'),
  rawJSON('-5.0'),
];
export const keys = [
  'a',
  'b',
  'c.d',
  'c.e[]',
  'list[].x',
  'list[0].x',
  'list[].y.z',
  '"we.ird".k',
  'b[]',
] as const;

function phrase(random: Random): string {
  return Array.from({ length: 1 + random.int(4) }, () => random.pick(words)).join(
    random.pick([' ', ', ', '-']),
  );
}

function geoPoint(random: Random): JsonObject {
  return { lon: random.pick([-179.5, -10, 0, 0.5, 10, 179.5]), lat: random.pick([-45, 0, 0.25, 10, 60]) };
}

function scalar(random: Random): JsonValue {
  switch (random.int(9)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
    case 3:
      return random.pick(numbers);
    case 4:
      return random.pick(words);
    case 5:
      return phrase(random);
    case 6:
      return random.pick(uuids);
    case 7:
      return random.pick(dates);
    default:
      return geoPoint(random);
  }
}

function value(random: Random, depth: number): JsonValue {
  if (depth > 0 && random.chance(0.3))
    return Array.from({ length: random.int(4) }, () => value(random, random.chance(0.2) ? depth - 1 : 0));
  if (depth > 0 && random.chance(0.08)) return { d: scalar(random), x: scalar(random) };
  return scalar(random);
}

export function randomPayload(random: Random): JsonObject {
  const payload: JsonObject = {};
  if (random.chance(0.8)) payload['a'] = value(random, 2);
  if (random.chance(0.7)) payload['b'] = value(random, 2);
  if (random.chance(0.6))
    payload['c'] = random.chance(0.9) ? { d: value(random, 1), e: value(random, 2) } : scalar(random);
  if (random.chance(0.7))
    payload['list'] = random.chance(0.9)
      ? Array.from({ length: random.int(4) }, () =>
          random.chance(0.85)
            ? { x: value(random, 1), y: random.chance(0.5) ? { z: scalar(random) } : scalar(random) }
            : scalar(random),
        )
      : { x: scalar(random) };
  if (random.chance(0.3)) payload['we.ird'] = { k: scalar(random) };
  return payload;
}

const types: readonly PayloadSchemaType[] = [
  'keyword',
  'integer',
  'float',
  'bool',
  'datetime',
  'uuid',
  'text',
  'geo',
];

export function randomSchema(random: Random): PayloadFieldSchema {
  const type = random.pick(types);
  if (type === 'text' && random.chance(0.8)) return { data_type: type, params: textParams(random) };
  if (type === 'integer' && random.chance(0.4)) {
    const lookup = random.chance(0.5);
    return { data_type: type, params: { type, lookup, range: !lookup || random.chance(0.3) } };
  }
  return { data_type: type, params: null };
}

function textParams(random: Random): NonNullable<PayloadFieldSchema['params']> {
  return {
    type: 'text',
    tokenizer: random.pick(['word', 'whitespace', 'prefix'] as const),
    lowercase: random.chance(0.7),
    phrase_matching: random.chance(0.5),
    ...(random.chance(0.3) ? { min_token_len: 2 } : {}),
    ...(random.chance(0.3) ? { max_token_len: 4 } : {}),
    ...(random.chance(0.3) ? { ascii_folding: true } : {}),
    ...(random.chance(0.2) ? { stopwords: { custom: ['red'] } } : {}),
  };
}

function range(random: Random, draw: () => number): Range {
  const bounds: { lt: number | null; gt: number | null; lte: number | null; gte: number | null } = {
    lt: null,
    gt: null,
    lte: null,
    gte: null,
  };
  for (const name of ['lt', 'gt', 'lte', 'gte'] as const) if (random.chance(0.4)) bounds[name] = draw();
  return bounds;
}

export function randomFilter(random: Random, ids: readonly PointId[], depth = 2): Filter {
  const some = (share: number): Condition[] =>
    random.chance(share)
      ? Array.from({ length: 1 + random.int(depth === 0 ? 1 : 2) }, () => randomCondition(random, ids, depth))
      : [];
  return {
    must: some(0.6),
    should: some(0.3),
    mustNot: some(0.3),
    minShould: random.chance(0.1)
      ? {
          conditions: Array.from({ length: 1 + random.int(3) }, () => randomCondition(random, ids, 0)),
          minCount: 1 + random.int(3),
        }
      : null,
  };
}

export function randomCondition(random: Random, ids: readonly PointId[], depth: number): Condition {
  const key = random.pick(keys);
  const kind = random.int(depth > 0 ? 23 : 19);
  switch (kind) {
    case 0:
    case 1:
      return { kind: 'match', key, value: random.pick([...words, ...integers, ...uuids, true, false]) };
    case 2:
      return { kind: 'match_any', key, any: list(random) };
    case 3:
      return { kind: 'match_except', key, except: list(random) };
    case 4:
      return { kind: 'match_text', key, text: phrase(random) };
    case 5:
      return { kind: 'match_text_any', key, text: phrase(random) };
    case 6:
      return { kind: 'match_phrase', key, phrase: phrase(random) };
    case 7:
      return { kind: 'match_prefix', key, prefix: random.pick(['', 're', 'R', '2', '東', '7c9']) };
    case 8:
    case 9:
      return { kind: 'range', key, range: range(random, () => random.pick([-5, 0, 1, 1.5, 2, 3, 1e16])) };
    case 10: {
      const bounds = range(random, () =>
        random.pick([1_577_836_800_000_000, 1_577_872_800_000_000, 1_623_745_800_500_000]),
      );
      const isEmpty = Object.values(bounds).every((bound) => bound === null);
      return {
        kind: 'datetime_range',
        key,
        range: isEmpty ? { ...bounds, gte: 1_577_836_800_000_000 } : bounds,
      };
    }
    case 11:
      return { kind: 'values_count', key, range: range(random, () => random.int(4)) };
    case 12:
      return { kind: 'is_empty', key, expected: true };
    case 13:
      return { kind: 'is_null', key, expected: true };
    case 14:
      return {
        kind: random.pick(['is_null', 'is_empty'] as const),
        key,
        expected: random.chance(0.5),
        ofField: true,
      };
    case 15:
      return { kind: 'has_id', ids: Array.from({ length: random.int(6) }, () => random.pick(ids)) };
    case 16:
      return { kind: 'has_vector', name: random.pick(['one', 'two']) };
    case 17: {
      const total = 1 + random.int(4);
      return { kind: 'slice', total, index: random.int(total) };
    }
    case 18:
      return geoCondition(random, key);
    case 19:
    case 20:
    case 21:
      return {
        kind: 'nested',
        key: random.pick(['list', 'list[]', 'a', 'b']),
        filter: nestedFilter(random, ids),
      };
    default:
      return { kind: 'filter', filter: randomFilter(random, ids, depth - 1) };
  }
}

function nestedFilter(random: Random, ids: readonly PointId[]): Filter {
  const inner = (): Condition => {
    const condition = randomCondition(random, ids, 0);
    return 'key' in condition ? { ...condition, key: random.pick(['x', 'y.z', 'd']) } : condition;
  };
  return {
    must: random.chance(0.8) ? [inner()] : [],
    should: random.chance(0.2) ? [inner(), inner()] : [],
    mustNot: random.chance(0.3) ? [inner()] : [],
    minShould: null,
  };
}

function list(random: Random): (string | number | bigint)[] {
  const source = random.pick([words, integers, uuids] as const);
  return Array.from({ length: random.int(4) }, () => random.pick<string | number | bigint>(source));
}

function geoCondition(random: Random, key: string): Condition {
  const point = (): { lon: number; lat: number } => geoPoint(random) as { lon: number; lat: number };
  switch (random.int(3)) {
    case 0:
      return {
        kind: 'geo_radius',
        key,
        center: point(),
        radius: random.pick([1, 1_000, 100_000, 2_000_000, 30_000_000]),
      };
    case 1: {
      const [a, b] = [point(), point()];
      return {
        kind: 'geo_bounding_box',
        key,
        topLeft: { lon: a.lon, lat: Math.max(a.lat, b.lat) + 0.5 },
        bottomRight: { lon: b.lon, lat: Math.min(a.lat, b.lat) },
      };
    }
    default: {
      const [west, south, size] = [-20 + random.int(20), -50 + random.int(40), 5 + random.int(80)];
      const ring = (by: number): { lon: number; lat: number }[] => [
        { lon: west + by, lat: south + by },
        { lon: west + size - by, lat: south + by },
        { lon: west + size - by, lat: south + size - by },
        { lon: west + by, lat: south + size - by },
        { lon: west + by, lat: south + by },
      ];
      return {
        kind: 'geo_polygon',
        key,
        exterior: ring(0),
        interiors: random.chance(0.5) ? [ring(size / 4)] : [],
      };
    }
  }
}

/** The filter as a REST body. */
export function filterBody(filter: Filter): JsonObject {
  const body: JsonObject = {};
  if (filter.must.length > 0) body['must'] = filter.must.map(conditionBody);
  if (filter.should.length > 0) body['should'] = filter.should.map(conditionBody);
  if (filter.mustNot.length > 0) body['must_not'] = filter.mustNot.map(conditionBody);
  if (filter.minShould !== null)
    body['min_should'] = {
      conditions: filter.minShould.conditions.map(conditionBody),
      min_count: filter.minShould.minCount,
    };
  return body;
}

function rangeBody(bounds: Range, print: (bound: number) => JsonValue): JsonObject {
  return Object.fromEntries(
    Object.entries(bounds)
      .filter(([, bound]) => bound !== null)
      .map(([name, bound]) => [name, print(bound as number)]),
  );
}

function conditionBody(condition: Condition): JsonValue {
  switch (condition.kind) {
    case 'match':
      return { key: condition.key, match: { value: condition.value } };
    case 'match_any':
      return { key: condition.key, match: { any: [...condition.any] } };
    case 'match_except':
      return { key: condition.key, match: { except: [...condition.except] } };
    case 'match_text':
      return { key: condition.key, match: { text: condition.text } };
    case 'match_text_any':
      return { key: condition.key, match: { text_any: condition.text } };
    case 'match_phrase':
      return { key: condition.key, match: { phrase: condition.phrase } };
    case 'match_prefix':
      return { key: condition.key, match: { prefix: condition.prefix } };
    case 'range':
      return { key: condition.key, range: rangeBody(condition.range, (bound) => bound) };
    case 'datetime_range':
      return { key: condition.key, range: rangeBody(condition.range, formatDatetime) };
    case 'values_count':
      return { key: condition.key, values_count: rangeBody(condition.range, (bound) => bound) };
    case 'geo_radius':
      return {
        key: condition.key,
        geo_radius: { center: { ...condition.center }, radius: condition.radius },
      };
    case 'geo_bounding_box':
      return {
        key: condition.key,
        geo_bounding_box: { top_left: { ...condition.topLeft }, bottom_right: { ...condition.bottomRight } },
      };
    case 'geo_polygon':
      return {
        key: condition.key,
        geo_polygon: {
          exterior: { points: condition.exterior.map((point) => ({ ...point })) },
          interiors: condition.interiors.map((ring) => ({ points: ring.map((point) => ({ ...point })) })),
        },
      };
    case 'is_empty':
    case 'is_null':
      return condition.ofField === true
        ? { key: condition.key, [condition.kind]: condition.expected }
        : { [condition.kind]: { key: condition.key } };
    case 'has_id':
      return { has_id: [...condition.ids] };
    case 'has_vector':
      return { has_vector: condition.name };
    case 'slice':
      return { slice: { total: condition.total, index: condition.index } };
    case 'nested':
      return { nested: { key: condition.key, filter: filterBody(condition.filter) } };
    case 'filter':
      return filterBody(condition.filter);
  }
}
