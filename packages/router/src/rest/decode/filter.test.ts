import { describe, expect, test } from 'vitest';
import { Problems } from './fields.ts';
import { decodeFilter } from './filter.ts';

function decode(filter: unknown) {
  const problems = new Problems();
  const decoded = decodeFilter(filter, 'filter', problems);
  problems.check();
  return decoded;
}

function condition(value: unknown) {
  return decode({ must: [value] })?.must[0];
}

describe('conditions', () => {
  test.each([
    [
      { key: 'a', match: { value: 1 } },
      { kind: 'match', key: 'a', value: 1 },
    ],
    [
      { key: 'a', match: { value: true } },
      { kind: 'match', key: 'a', value: true },
    ],
    [
      { key: 'a', match: { any: ['x', 'y'] } },
      { kind: 'match_any', key: 'a', any: ['x', 'y'] },
    ],
    [
      { key: 'a', match: { any: [] } },
      { kind: 'match_any', key: 'a', any: [] },
    ],
    [
      { key: 'a', match: { except: [1] } },
      { kind: 'match_except', key: 'a', except: [1] },
    ],
    [
      { key: 'a', match: { text: 't' } },
      { kind: 'match_text', key: 'a', text: 't' },
    ],
    [
      { key: 'a', match: { text_any: 't' } },
      { kind: 'match_text_any', key: 'a', text: 't' },
    ],
    [
      { key: 'a', match: { phrase: 'p' } },
      { kind: 'match_phrase', key: 'a', phrase: 'p' },
    ],
    [
      { key: 'a', match: { prefix: '' } },
      { kind: 'match_prefix', key: 'a', prefix: '' },
    ],
    [
      { key: 'a', range: { gt: 1, lte: null } },
      { kind: 'range', key: 'a', range: { gt: 1, lt: null, gte: null, lte: null } },
    ],
    [
      { key: 'a', range: { gte: '1970-01-02' } },
      { kind: 'datetime_range', key: 'a', range: { gte: 86_400_000_000, gt: null, lt: null, lte: null } },
    ],
    [
      { key: 'g', geo_radius: { center: { lon: 1, lat: 2 }, radius: 3 } },
      { kind: 'geo_radius', key: 'g', center: { lon: 1, lat: 2 }, radius: 3 },
    ],
    [
      { key: 'g', geo_bounding_box: { top_left: { lon: 1, lat: 2 }, bottom_right: { lon: 3, lat: 0 } } },
      { kind: 'geo_bounding_box', key: 'g', topLeft: { lon: 1, lat: 2 }, bottomRight: { lon: 3, lat: 0 } },
    ],
    [
      { key: 'a', values_count: { gt: 1 } },
      { kind: 'values_count', key: 'a', range: { gt: 1, lt: null, gte: null, lte: null } },
    ],
    [{ is_empty: { key: 'a' } }, { kind: 'is_empty', key: 'a', expected: true }],
    [
      { key: 'a', is_null: false },
      { kind: 'is_null', key: 'a', expected: false, ofField: true },
    ],
    [
      { has_id: [1, '550e8400e29b41d4a716446655440000'] },
      { kind: 'has_id', ids: [1, '550e8400-e29b-41d4-a716-446655440000'] },
    ],
    [{ has_vector: '' }, { kind: 'has_vector', name: '' }],
    [{ slice: { total: 2, index: 1 } }, { kind: 'slice', total: 2, index: 1 }],
  ])('%j', (value, expected) => {
    expect(condition(value)).toEqual(expected);
  });

  test('an integer may be any i64 and no more', () => {
    const max = 2n ** 63n - 1n;
    expect(condition({ key: 'a', match: { value: max } })).toEqual({ kind: 'match', key: 'a', value: max });
    expect(() => condition({ key: 'a', match: { value: max + 1n } })).toThrow('untagged enum MatchInterface');
  });

  test('several in one condition are alternatives, as in the Qdrant server', () => {
    const both = condition({ key: 'a', match: { value: 2 }, range: { gt: 0 } });
    expect(both).toMatchObject({
      kind: 'filter',
      filter: { should: [{ kind: 'match' }, { kind: 'range' }] },
    });
  });

  test('a filter nests, one condition stands for a list, min_should counts', () => {
    const one = { key: 'a', match: { value: 1 } };
    const filter = decode({
      must: one,
      must_not: { should: [one] },
      should: [{ nested: { key: 'n', filter: { must: one } } }],
      min_should: { conditions: [one], min_count: 1 },
    });
    expect(filter?.must).toHaveLength(1);
    expect(filter?.mustNot[0]).toMatchObject({ kind: 'filter', filter: { should: [{ key: 'a' }] } });
    expect(filter?.should[0]).toMatchObject({ kind: 'nested', key: 'n' });
    expect(filter?.minShould?.minCount).toBe(1);
  });

  test('a filter without conditions is none', () => {
    for (const empty of [null, undefined, {}, { must: [] }, { must: null }]) expect(decode(empty)).toBeNull();
  });
});

describe('what the Qdrant server refuses', () => {
  test.each([
    [7, 'Format error in JSON body: invalid type: integer `7`, expected struct Filter'],
    [{ must: 7 }, 'Format error in JSON body: invalid type: integer `7`, expected null, array or map'],
    [{ must: [7] }, 'Format error in JSON body: Expected some form of condition'],
    [{ must: [{ bogus: 1 }] }, 'Format error in JSON body: Expected some form of condition'],
    [{ must: [{ is_empty: { key: 'a[' } }] }, 'Format error in JSON body: Expected some form of condition'],
    [{ must: [{ has_id: ['foo'] }] }, 'Format error in JSON body: Expected some form of condition'],
    [
      { must: [{ slice: { total: 0, index: 0 } }] },
      'Format error in JSON body: Expected some form of condition',
    ],
    [{ bogus: [] }, 'unknown field `bogus`, expected one of `should`, `min_should`, `must`, `must_not`'],
    [{ must: [{ key: 'a', match: {} }] }, 'data did not match any variant of untagged enum MatchInterface'],
    [{ must: [{ key: 'a', match: { value: 1.5 } }] }, 'untagged enum MatchInterface'],
    [{ must: [{ key: 'a', match: { any: [1, 'x'] } }] }, 'untagged enum MatchInterface'],
    [{ must: [{ key: 'a', range: 7 }] }, 'untagged enum RangeInterfaceUntagged'],
    [{ must: [{ key: 'a', range: { gt: 'x' } }] }, "'x' does not match accepted datetime format (RFC3339)"],
    [
      { must: [{ key: 'a', range: { gt: '2020-01-01', lt: 5 } }] },
      'invalid type: integer `5`, expected a string',
    ],
    [{ must: [{ key: 'a[', match: { value: 1 } }] }, "Invalid json path: 'a['"],
    [{ must: [{ key: 7, match: { value: 1 } }] }, "Filter condition 'key' must be a string"],
    [{ must: [{ key: 'a', values_count: { gt: -1 } }] }, 'Invalid value integer `-1`. Expected usize'],
    [{ must: [{ key: 'g', geo_radius: { center: { lon: 1 }, radius: 1 } }] }, 'Missing field lat'],
    [{ must: [{ key: 'g', geo_radius: { center: { lon: 500, lat: 1 }, radius: 1 } }] }, 'within [-180;180]'],
    [
      { must: [{ key: 'g', geo_polygon: { exterior: { points: [] } } }] },
      'the size must be at least 4, got 0',
    ],
    [{ min_should: { conditions: [] } }, 'missing field `min_count`'],
    [
      { min_should: { conditions: [], min_count: 0 } },
      '[filter.min_should.min_count: min_count must be greater than 0]',
    ],
    [
      { must: [{ key: 'a' }] },
      'Validation error in JSON body: [filter.must[0].__all__: Validation error: At least one field condition must be specified [{}]]',
    ],
    [
      { must: [{ nested: { key: 'a', filter: { should: [{ slice: { total: 2, index: 2 } }] } } }] },
      '[filter.must[0].nested.filter.should[0].__all__: Validation error: Slice index must be less',
    ],
  ])('%j', (filter, text) => {
    expect(() => decode(filter)).toThrow(text);
  });
});
