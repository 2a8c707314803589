import { emptyFilter, type JsonObject } from '@quiver/model';
import { expect, test } from 'vitest';
import { Bitset } from './bitset.ts';
import { estimateFilter } from './cardinality.ts';
import { evaluateFilter } from './filter-evaluate.ts';
import { compileFilter, type PayloadSchema } from './filter-match.ts';
import { withinSlots } from './filter-node.ts';
import { runSteps } from './steps.ts';
import { fixtureColumns, fixtureSource, stored } from './testing/filter-fixture.ts';
import { createRandom, keys, randomFilter, randomPayload, randomSchema } from './testing/random-filter.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? Math.floor(Math.random() * 0x1_0000_0000));

test(`columns, decoded fields and payloads give the rows that pass one by one (QUIVER_SEED=${seed})`, () => {
  const random = createRandom(seed);
  let passed = 0;
  for (let round = 0; round < 12; round += 1) {
    const payloads = Array.from({ length: 150 }, () => stored(randomPayload(random)));
    const schema: PayloadSchema = Object.fromEntries(
      keys.filter(() => random.chance(0.6)).map((key) => [key, randomSchema(random)]),
    );
    const columns = fixtureColumns(payloads, schema);
    const sources = [
      fixtureSource(payloads, columns, { decoded: false, dead: true }),
      fixtureSource(payloads, columns, { decoded: true, dead: true }),
      fixtureSource(payloads, new Map(), { decoded: true, dead: true }),
    ];
    for (let i = 0; i < 40; i += 1) {
      const whole = compileFilter(randomFilter(random, [1, 2, 50, 140]), schema);
      const node = random.chance(0.2) ? withinSlots([[0, 6_000]], random.chance(0.5) ? whole : null) : whole;
      const expected = payloads.flatMap((payload, row) =>
        sources[0]!.isVisible(row) &&
        node.check(payload, { id: row, hasVector: (name) => sources[0]!.hasVector(row, name) })
          ? [row]
          : [],
      );
      passed += expected.length;
      for (const source of sources) {
        const out = new Bitset(payloads.length);
        runSteps(evaluateFilter(node, source, out));
        expect([...out.rows()]).toEqual(expected);
      }
    }
  }
  expect(passed).toBeGreaterThan(1_000);
});

test(`the number of rows lies within every estimate (QUIVER_SEED=${seed})`, () => {
  const random = createRandom(seed);
  for (let round = 0; round < 8; round += 1) {
    const payloads = Array.from({ length: 100 }, () => stored(randomPayload(random)));
    const schema: PayloadSchema = Object.fromEntries(keys.map((key) => [key, randomSchema(random)]));
    const source = fixtureSource(payloads, fixtureColumns(payloads, schema), { decoded: false });
    for (let i = 0; i < 60; i += 1) {
      const node = compileFilter(randomFilter(random, [1, 2, 50, 90]), schema);
      const out = new Bitset(payloads.length);
      runSteps(evaluateFilter(node, source, out));
      const { min, expected, max } = estimateFilter(node, source);
      expect(out.count()).toBeGreaterThanOrEqual(min);
      expect(out.count()).toBeLessThanOrEqual(max);
      expect(expected).toBeGreaterThanOrEqual(min);
      expect(expected).toBeLessThanOrEqual(max);
    }
  }
});

test('payloads are read only for rows that the columns left over', () => {
  const payloads: JsonObject[] = Array.from({ length: 1_000 }, (_, row) => ({ k: `v${row % 100}`, n: row }));
  const schema: PayloadSchema = { k: { data_type: 'keyword', params: null } };
  const read: number[] = [];
  const source = {
    ...fixtureSource(payloads, fixtureColumns(payloads, schema), { decoded: true }),
    payload: (row: number): JsonObject => {
      read.push(row);
      return payloads[row]!;
    },
  };
  const node = compileFilter(
    {
      ...emptyFilter,
      must: [
        { kind: 'range', key: 'n', range: { lt: null, gt: null, lte: null, gte: 500 } },
        { kind: 'match', key: 'k', value: 'v7' },
      ],
    },
    schema,
  );
  const out = new Bitset(1_000);
  runSteps(evaluateFilter(node, source, out));
  expect([...out.rows()]).toEqual([507, 607, 707, 807, 907]);
  expect(read).toHaveLength(10);
});

test('a long evaluation yields many times', () => {
  const payloads: JsonObject[] = Array.from({ length: 5_000 }, (_, row) => ({ n: row }));
  const source = fixtureSource(payloads, new Map(), { decoded: true });
  const node = compileFilter({ ...emptyFilter, must: [{ kind: 'match', key: 'n', value: 7 }] });
  const steps = evaluateFilter(node, source, new Bitset(5_000));
  let yields = 0;
  while (steps.next().done !== true) yields += 1;
  expect(yields).toBeGreaterThan(30);
});
