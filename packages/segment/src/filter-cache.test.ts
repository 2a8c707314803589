import { emptyFilter, type Condition, type Filter, type JsonObject } from '@quiver/model';
import { describe, expect, test } from 'vitest';
import { Bitset } from './bitset.ts';
import { FilterCache } from './filter-cache.ts';
import { evaluateFilter, type FilterSource } from './filter-evaluate.ts';
import { compileFilter, type PayloadSchema } from './filter-match.ts';
import { runSteps } from './steps.ts';
import { fixtureColumns, fixtureSource, stored } from './testing/filter-fixture.ts';
import { createRandom, keys, randomFilter, randomPayload, randomSchema } from './testing/random-filter.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? Math.floor(Math.random() * 0x1_0000_0000));

const rowsOf = (filter: Filter, schema: PayloadSchema, source: FilterSource): number[] => {
  const out = new Bitset(source.rowCount);
  runSteps(evaluateFilter(compileFilter(filter, schema), source, out));
  return [...out.rows()];
};

test(`kept rows are those of an evaluation, whatever has died since (QUIVER_SEED=${seed})`, () => {
  const random = createRandom(seed);
  const cache = new FilterCache(2_000);
  let passed = 0;
  for (let round = 0; round < 8; round += 1) {
    const payloads = Array.from({ length: 150 }, () => stored(randomPayload(random)));
    const schema: PayloadSchema = Object.fromEntries(
      keys.filter(() => random.chance(0.8)).map((key) => [key, randomSchema(random)]),
    );
    const columns = fixtureColumns(payloads, schema);
    const alive = fixtureSource(payloads, columns, { decoded: true });
    const withDead = fixtureSource(payloads, columns, { decoded: true, dead: true });
    const filters = Array.from({ length: 30 }, () => randomFilter(random, [1, 2, 50, 140]));
    for (const [source, hasDead] of [
      [alive, false],
      [withDead, true],
      [withDead, true],
    ] as const)
      for (const filter of filters) {
        const node = cache.compile(structuredClone(filter), schema);
        const { rows, count } = runSteps(cache.passing(node, source, { segment: columns, hasDead }));
        const expected = rowsOf(filter, schema, source);
        passed += expected.length;
        expect([...rows.rows()]).toEqual(expected);
        expect(count).toBe(expected.length);
      }
  }
  expect(passed).toBeGreaterThan(1_000);
});

describe('a filter that comes again', () => {
  const payloads: JsonObject[] = Array.from({ length: 640 }, (_, i) => stored({ a: i % 10, b: 'x' }));
  const schema: PayloadSchema = { a: { data_type: 'integer', params: null } };
  const source = fixtureSource(payloads, fixtureColumns(payloads, schema), { decoded: false });
  const of = (...must: Condition[]): Filter => ({ ...emptyFilter, must });
  const range = (lt: number | null): Condition => ({
    kind: 'range',
    key: 'a',
    range: { lt, gt: null, lte: null, gte: null },
  });
  const sealed = { segment: {}, hasDead: false };
  /** The set itself: the same object when it was kept. */
  const ask = (cache: FilterCache, filter: Filter, where: typeof sealed | null = sealed): Bitset =>
    runSteps(cache.passing(cache.compile(filter, schema), source, where)).rows;

  test('is evaluated once for a sealed segment, and each time for one that grows', () => {
    const cache = new FilterCache();
    expect(ask(cache, of(range(5)))).toBe(ask(cache, of(range(5))));
    expect(ask(cache, of(range(5)), { ...sealed, segment: {} })).not.toBe(ask(cache, of(range(5))));
    expect(ask(cache, of(range(5)), null)).not.toBe(ask(cache, of(range(5)), null));
  });

  test('is evaluated each time where ids or payloads are asked', () => {
    const cache = new FilterCache();
    const ids = of({ kind: 'has_id', ids: [1] });
    const payload = of({ kind: 'match', key: 'b', value: 'x' });
    expect(ask(cache, ids)).not.toBe(ask(cache, ids));
    expect(ask(cache, payload)).not.toBe(ask(cache, payload));
  });

  test('is another one with another bound, type of value or index', () => {
    const cache = new FilterCache();
    expect(ask(cache, of(range(NaN))).count()).toBe(0);
    expect(ask(cache, of(range(null))).count()).toBe(640);
    expect(ask(cache, of({ kind: 'match', key: 'a', value: 5 })).count()).toBe(64);
    expect(ask(cache, of({ kind: 'match', key: 'a', value: '5' })).count()).toBe(0);
    const node = cache.compile(of(range(5)), schema);
    expect(cache.compile(of(range(5)), { a: { data_type: 'integer', params: null } })).toBe(node);
    expect(cache.compile(of(range(5)), { a: { data_type: 'float', params: null } })).not.toBe(node);
  });

  test('is forgotten first when it was used least recently and the sets take too much', () => {
    const cache = new FilterCache(3 * (640 / 8));
    const first = ask(cache, of(range(1)));
    const second = ask(cache, of(range(2)));
    expect(ask(cache, of(range(1)))).toBe(first);
    ask(cache, of(range(3)));
    ask(cache, of(range(4)));
    expect(ask(cache, of(range(1)))).toBe(first);
    expect(ask(cache, of(range(2)))).not.toBe(second);
  });
});
