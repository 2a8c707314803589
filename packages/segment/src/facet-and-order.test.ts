import type { JsonObject, OrderBy, PayloadFieldSchema } from '@quiver/model';
import { expect, test } from 'vitest';
import { Bitset } from './bitset.ts';
import { countFacet } from './facet.ts';
import { orderRows } from './order-by.ts';
import type { FacetValue } from './payload-index/column.ts';
import { runSteps } from './steps.ts';
import { fixtureColumns, fixtureSource } from './testing/filter-fixture.ts';
import { createRandom } from './testing/random-filter.ts';

const integer: PayloadFieldSchema = { data_type: 'integer', params: null };
const keyword: PayloadFieldSchema = { data_type: 'keyword', params: null };

function randomRows(seed: number): JsonObject[] {
  const random = createRandom(seed);
  return Array.from({ length: 400 }, () => ({
    n: random.chance(0.2) ? [random.int(20), random.int(20)] : random.chance(0.1) ? 'none' : random.int(20),
    k: random.chance(0.3) ? ['x', `v${random.int(5)}`] : `v${random.int(5)}`,
  }));
}

test('order from a column equals order from payloads equals a sort', () => {
  const payloads = randomRows(3);
  const columns = fixtureColumns(payloads, { n: integer });
  const passing = new Bitset(payloads.length);
  for (let row = 0; row < payloads.length; row += 2) passing.add(row);
  for (const direction of ['asc', 'desc'] as const)
    for (const startFrom of [null, 7, 30])
      for (const limit of [0, 1, 10, 1_000]) {
        const orderBy: OrderBy = { key: 'n', direction, startFrom, startFromDatetime: false };
        const sign = direction === 'asc' ? 1 : -1;
        const expected = payloads
          .flatMap((payload, row) =>
            [...new Set([payload['n']].flat())].map((value) => ({ row, value: value as number })),
          )
          .filter(({ row, value }) => typeof value === 'number' && row % 2 === 0 && row % 7 !== 0)
          .filter(({ value }) => startFrom === null || sign * (value - startFrom) >= 0)
          .sort((a, b) => sign * (a.value - b.value || a.row - b.row))
          .slice(0, limit);
        for (const found of [columns, new Map<string, never>()]) {
          const source = fixtureSource(payloads, found, { decoded: limit === 10, dead: true });
          const rows = runSteps(orderRows(orderBy, integer, source, passing, limit));
          expect(rows.map(({ row, value }) => ({ row, value }))).toEqual(expected);
        }
      }
});

test('facets from a column equal facets from payloads equal a count by hand', () => {
  const payloads = randomRows(4);
  const columns = fixtureColumns(payloads, { k: keyword, n: integer });
  for (const [key, schema, kind] of [
    ['k', keyword, 'string'],
    ['n', integer, 'number'],
  ] as const) {
    const expected = new Map<FacetValue, number>();
    for (const [row, payload] of payloads.entries()) {
      if (row % 7 === 0) continue;
      for (const value of new Set([payload[key]].flat()))
        if (typeof value === kind)
          expected.set(value as FacetValue, (expected.get(value as FacetValue) ?? 0) + 1);
    }
    for (const found of [columns, new Map<string, never>()]) {
      const counts = new Map<FacetValue, number>();
      const source = fixtureSource(payloads, found, { decoded: true, dead: true });
      runSteps(countFacet(key, schema, source, null, counts));
      expect(new Map([...counts].sort())).toEqual(new Map([...expected].sort()));
    }
  }
});
