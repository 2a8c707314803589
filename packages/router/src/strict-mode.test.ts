// Expected texts were read from a Qdrant 1.19.0 server.
import { describe, expect, test } from 'vitest';
import {
  defaultSearchParams,
  emptyFilter,
  type CollectionRecord,
  type Condition,
  type Filter,
  type JsonObject,
  type PayloadFieldSchema,
  type Range,
} from '@quiver/model';
import { newCollectionConfig } from './collection-config.ts';
import { builtInDefaults } from './defaults.ts';
import { checkFilter, checkLimit, checkSearchParams } from './strict-mode.ts';

function record(
  limits: JsonObject,
  payloadSchema: Record<string, PayloadFieldSchema> = {},
): CollectionRecord {
  const request = { vectors: { size: 4, distance: 'Dot' }, strict_mode_config: limits } as const;
  const config = newCollectionConfig(request, builtInDefaults, 1);
  return { name: 'c', uuid: 'u', config, payloadSchema, shards: [], transfers: [], resharding: null };
}
const must = (...conditions: Condition[]): Filter => ({ ...emptyFilter, must: conditions });
const range: Range = { lt: null, gt: 1, lte: null, gte: null };
const match = (key: string, value: string | number | boolean): Condition => ({ kind: 'match', key, value });
const search = defaultSearchParams;

describe('a limit in force refuses in the words of Qdrant', () => {
  const all = record({
    enabled: true,
    max_query_limit: 3,
    search_max_hnsw_ef: 10,
    search_max_oversampling: 2,
    search_allow_exact: false,
    filter_max_conditions: 2,
    condition_max_size: 2,
  });
  const oversampled = { ...search, quantization: { ignore: false, rescore: null, oversampling: 3 } };
  test.each([
    [
      () => checkLimit(all, 'max_query_limit', 'limit', 4),
      'Limit exceeded 4 > 3 for "limit". Help: Reduce the "limit" parameter to or below 3.',
    ],
    [
      () => checkSearchParams(all, { ...search, hnswEf: 11 }),
      'Limit exceeded 11 > 10 for "hnsw_ef". Help: Reduce the "hnsw_ef" parameter to or below 10.',
    ],
    [
      () => checkSearchParams(all, { ...search, exact: true }),
      'Exact search disabled!. Help: Set exact=false.',
    ],
    [
      () => checkSearchParams(all, oversampled),
      'Limit exceeded 3 > 2 for "oversampling". Help: Reduce the "oversampling" parameter to or below 2.',
    ],
    [
      () => checkFilter(all, must({ kind: 'has_id', ids: [1, 2, 3] }), 'read'),
      'Condition size limit reached (3 > 2). Help: Reduce the size of your condition.',
    ],
    [
      () => checkFilter(all, must(match('a', 1), match('a', 1), match('a', 1)), 'read'),
      'Filter condition limit reached (3 > 2). Help: Reduce the amount of conditions of your filter.',
    ],
  ])('%#', (check, message) => {
    expect(check).toThrow(expect.objectContaining({ code: 'bad_request', message }) as Error);
  });

  test('and lets pass what is within it', () => {
    expect(() => checkLimit(all, 'max_query_limit', 'limit', 3)).not.toThrow();
    expect(() => checkSearchParams(all, { ...search, hnswEf: 10 })).not.toThrow();
  });
});

describe('a filter that needs an index', () => {
  const strict = { enabled: true, unindexed_filtering_retrieve: false };
  const nested: Condition = { kind: 'nested', key: 'k', filter: must(match('u', true)) };
  test.each([
    [match('k', 1), 'k', 'integer'],
    [match('k', 'x'), 'k', 'keyword'],
    [{ kind: 'range', key: 'k', range }, 'k', 'float, integer'],
    [{ kind: 'match_text', key: 'k', text: 'a' }, 'k', 'text'],
    [{ kind: 'match_any', key: 'k', any: ['a', 'b'] }, 'k', 'keyword'],
    [nested, 'k[].u', 'bool'],
    [{ kind: 'filter', filter: { ...emptyFilter, mustNot: [match('k', 1)] } }, 'k', 'integer'],
  ] as [Condition, string, string][])('names key and types: %#', (condition, key, types) => {
    expect(() => checkFilter(record(strict), must(condition), 'read')).toThrow(
      `Index required but not found for "${key}" of one of the following types: [${types}]. ` +
        'Help: Create an index for this key or use a different filter.',
    );
  });

  test('passes with an index that serves it, and not with one of another type', () => {
    const indexed = record(strict, { k: { data_type: 'keyword', params: null } });
    expect(() => checkFilter(indexed, must(match('k', 'x')), 'read')).not.toThrow();
    expect(() => checkFilter(indexed, must({ kind: 'range', key: 'k', range }), 'read')).toThrow(
      'float, integer',
    );
  });

  test('passes for updates when only reads are limited, and for conditions that need none', () => {
    expect(() => checkFilter(record(strict), must(match('k', 1)), 'update')).not.toThrow();
    const cheap = must({ kind: 'is_empty', key: 'k', expected: true }, { kind: 'has_id', ids: [1] });
    expect(() => checkFilter(record(strict), cheap, 'read')).not.toThrow();
  });
});

test('limits that are not enabled refuse nothing', () => {
  const off = record({
    enabled: false,
    max_query_limit: 1,
    search_allow_exact: false,
    filter_max_conditions: 1,
  });
  expect(() => checkLimit(off, 'max_query_limit', 'limit', 100)).not.toThrow();
  expect(() => checkSearchParams(off, { ...search, exact: true })).not.toThrow();
  expect(() => checkFilter(off, must(match('a', 1), match('b', 1)), 'read')).not.toThrow();
});
