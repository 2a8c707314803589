import type { Condition, JsonObject, PayloadFieldSchema } from '@quiver/model';
import { expect, test } from 'vitest';
import { Bitset } from '../bitset.ts';
import { runSteps } from '../steps.ts';
import { fixtureColumns, stored } from '../testing/filter-fixture.ts';
import { createRandom } from '../testing/random-filter.ts';
import { buildColumn, openColumn } from './build-column.ts';
import type { PayloadColumn } from './column.ts';

const type = (data_type: PayloadFieldSchema['data_type'], params: object = {}): PayloadFieldSchema => ({
  data_type,
  params: { type: data_type, ...params },
});

function columnOf(values: readonly unknown[], schema: PayloadFieldSchema): PayloadColumn {
  const payloads = values.map((value) => stored({ k: value } as JsonObject));
  return fixtureColumns(payloads, { k: schema }).get('k')!;
}

function rowsOf(column: PayloadColumn, condition: Condition): number[] {
  const out = new Bitset(column.rowCount);
  expect(column.serves(condition)).toBe(true);
  runSteps(column.evaluate(condition, out));
  return [...out.rows()];
}
const range = { lt: null, gt: null, lte: null, gte: null };

test('terms are found across planes of Unicode, and by their start', () => {
  const values = ['\u{1F600}', '\uffee', 'z', '', 'zebra', ['a', 'z', 'a'], 7, null];
  const column = columnOf(values, type('keyword'));
  for (const [row, value] of values.entries())
    if (typeof value === 'string' && value !== 'z')
      expect(rowsOf(column, { kind: 'match', key: 'k', value })).toEqual([row]);
  expect(rowsOf(column, { kind: 'match', key: 'k', value: 'z' })).toEqual([2, 5]);
  expect(rowsOf(column, { kind: 'match_prefix', key: 'k', prefix: 'z' })).toEqual([2, 4, 5]);
  expect(rowsOf(column, { kind: 'match_prefix', key: 'k', prefix: '' })).toEqual([0, 1, 2, 3, 4, 5]);
  expect(rowsOf(column, { kind: 'match_except', key: 'k', except: ['z'] })).toEqual([0, 1, 3, 4, 5]);
  expect(column.valuesOf(5).sort()).toEqual(['a', 'z']);
  expect(column.serves({ kind: 'match', key: 'k', value: 7 })).toBe(false);
});

test('integers beyond the safe range are compared exactly', () => {
  const column = columnOf(
    [9_007_199_254_740_993n, 9_007_199_254_740_992n, 5, [-3, 2n ** 63n - 1n], 1.5],
    type('integer'),
  );
  expect(rowsOf(column, { kind: 'match', key: 'k', value: 9_007_199_254_740_993n })).toEqual([0]);
  expect(rowsOf(column, { kind: 'range', key: 'k', range: { ...range, gt: 4.5 } })).toEqual([0, 1, 2, 3]);
  expect(column.valuesOf(3)).toEqual([-3, 2n ** 63n - 1n]);
  expect(column.valuesOf(4)).toEqual([]);
});

test('every range over random numbers gives the rows of a scan', () => {
  const random = createRandom(11);
  const values = Array.from({ length: 3_000 }, () =>
    random.chance(0.2) ? [random.int(50), random.int(50)] : random.int(50) / (random.chance(0.5) ? 1 : 3),
  );
  const column = columnOf(values, type('float'));
  for (let i = 0; i < 50; i += 1) {
    const [low, high] = [random.int(50), random.int(50)];
    const inside = (value: number): boolean => value >= low && value < high;
    const expected = values.flatMap((value, row) => ([value].flat().some(inside) ? [row] : []));
    expect(rowsOf(column, { kind: 'range', key: 'k', range: { ...range, gte: low, lt: high } })).toEqual(
      expected,
    );
  }
  const ordered = column.ordered!;
  for (let at = 1; at < ordered.length; at += 1)
    expect(ordered.valueAt(at) >= ordered.valueAt(at - 1)).toBe(true);
});

test('datetimes are ordered and ranged over as microseconds', () => {
  const column = columnOf(
    ['2020-01-02', 'no date', '2020-01-01T23:00:00-02:00', ['2019-01-01']],
    type('datetime'),
  );
  const after = { ...range, gt: Date.UTC(2020, 0, 2) * 1_000 };
  expect(rowsOf(column, { kind: 'datetime_range', key: 'k', range: after })).toEqual([2]);
  expect(column.ordered!.rowAt(0)).toBe(3);
});

test('geo conditions over a grid give the points of a scan, across the antimeridian and at the poles too', () => {
  const random = createRandom(5);
  const points = Array.from({ length: 2_000 }, () => ({
    lon: random.int(36_001) / 100 - 180,
    lat: random.int(18_001) / 100 - 90,
  }));
  const column = columnOf(points, type('geo'));
  const oracle = (condition: Condition): number[] => {
    const single = points.map((point) => columnOf([point], type('geo')));
    return single.flatMap((one, row) => (rowsOf(one, condition).length > 0 ? [row] : []));
  };
  for (const condition of [
    { kind: 'geo_radius', key: 'k', center: { lon: 179, lat: 10 }, radius: 1_500_000 },
    { kind: 'geo_radius', key: 'k', center: { lon: 20, lat: 89 }, radius: 700_000 },
    { kind: 'geo_radius', key: 'k', center: { lon: 0, lat: 0 }, radius: 15_000_000 },
    {
      kind: 'geo_bounding_box',
      key: 'k',
      topLeft: { lon: 170, lat: 40 },
      bottomRight: { lon: -170, lat: -40 },
    },
  ] as const) {
    const expected = oracle(condition);
    expect(expected.length).toBeGreaterThan(5);
    expect(rowsOf(column, condition)).toEqual(expected);
    expect(column.estimate(condition).max).toBeGreaterThanOrEqual(expected.length);
  }
});

test('a phrase is found in any place of a text, and not across a gap', () => {
  const column = columnOf(
    ['the quick brown fox', 'brown the quick fox', ['Quick', 'brown'], 'quick quick brown'],
    type('text', { phrase_matching: true }),
  );
  expect(rowsOf(column, { kind: 'match_phrase', key: 'k', phrase: 'quick brown' })).toEqual([0, 2, 3]);
  expect(rowsOf(column, { kind: 'match_text', key: 'k', text: 'fox the' })).toEqual([0, 1]);
  expect(rowsOf(column, { kind: 'match_text_any', key: 'k', text: 'fox zzz' })).toEqual([0, 1]);
  expect(rowsOf(column, { kind: 'match_text', key: 'k', text: 'zzz quick' })).toEqual([]);
});

test('empty and null rows are known to every column', () => {
  const values = [null, [], 'x', [null], [null, 1]];
  for (const name of ['keyword', 'integer', 'text', 'geo', 'bool'] as const) {
    const column = columnOf(values, type(name));
    expect(rowsOf(column, { kind: 'is_empty', key: 'k', expected: true })).toEqual([0, 1]);
    expect(rowsOf(column, { kind: 'is_null', key: 'k', expected: false })).toEqual([1, 2]);
  }
});

test('a column without rows opens and answers', () => {
  for (const name of ['keyword', 'float', 'geo', 'text', 'uuid'] as const) {
    const column = columnOf([], type(name));
    expect(rowsOf(column, { kind: 'is_empty', key: 'k', expected: true })).toEqual([]);
  }
});

test('bytes that are no column are refused as corrupt', () => {
  const bytes = runSteps(buildColumn('k', type('float'), { rowCount: 1, payload: () => ({ k: 1 }) }));
  expect(openColumn('k', type('float'), bytes).valuesOf(0)).toEqual([1]);
  bytes[0]! ^= 1;
  expect(() => openColumn('k', type('float'), bytes)).toThrow('magic number');
  expect(() => openColumn('k', type('float'), bytes.slice(0, 10))).toThrow('no payload column');
});
