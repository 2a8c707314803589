import { expect, test } from 'vitest';
import { planSearch, rowsOfKib, type PlanInput } from './plan.ts';

const input: PlanInput = {
  hasGraph: true,
  hasNeighbourCodes: true,
  exact: false,
  rowCount: 100_000,
  passing: null,
  k: 10,
  ef: 100,
  fullScanRows: 1000,
  filteredWalkBelow: null,
  linked: null,
};

const kindOf = (change: Partial<PlanInput>): string => planSearch({ ...input, ...change }).kind;

test('without a graph, or when asked for, every search is exact', () => {
  expect(kindOf({ hasGraph: false })).toBe('scan');
  expect(kindOf({ exact: true })).toBe('scan');
});

test('few passing rows are scanned, and a walk among more of them has the cheaper of scan and filtered walk behind it', () => {
  expect(planSearch(input)).toEqual({ kind: 'graph', ef: 100, fallback: null });
  expect(kindOf({ passing: 64 })).toBe('scan');
  expect(kindOf({ passing: 999 })).toBe('scan_codes');
  // Too little to be saved for a walk to be tried first.
  expect(planSearch({ ...input, passing: 2500 })).toEqual({ kind: 'scan_codes', ef: 100, fallback: null });
  expect(planSearch({ ...input, passing: 20_000 })).toEqual({
    kind: 'graph',
    ef: 100,
    fallback: { kind: 'scan_codes', expansionsMax: 1666 },
  });
  expect(planSearch({ ...input, passing: 90_000 })).toEqual({
    kind: 'graph',
    ef: 100,
    fallback: { kind: 'filtered_graph', expansionsMax: 3125 },
  });
});

test('rows below the full scan threshold are never walked', () => {
  expect(kindOf({ passing: 20_000, fullScanRows: 20_001 })).toBe('scan_codes');
});

test('ACORN, when asked for, is walked up to its selectivity', () => {
  expect(kindOf({ passing: 30_000, filteredWalkBelow: 0.4 })).toBe('filtered_graph');
  expect(kindOf({ passing: 50_000, filteredWalkBelow: 0.4 })).toBe('graph');
});

test('no selectivity costs more than the cheaper of a scan and a filtered walk, but for the probe', () => {
  for (const ef of [10, 50, 100, 400])
    for (let passing = 200; passing <= 100_000; passing = Math.ceil(passing * 1.1)) {
      const plan = planSearch({ ...input, fullScanRows: 0, ef, passing });
      const bound = Math.min(passing, 375 * ef);
      if (plan.fallback !== null) expect(plan.fallback.expansionsMax * 12).toBeLessThanOrEqual(bound);
      else expect(plan.kind).toBe(passing <= 375 * ef ? 'scan_codes' : 'filtered_graph');
    }
});

test('asking for a large share of the candidates is a scan', () => {
  expect(kindOf({ k: 20_000 })).toBe('scan');
  expect(kindOf({ k: 19_999 })).toBe('graph');
  expect(kindOf({ passing: 5000, k: 1000 })).toBe('scan');
});

test('a threshold in KiB is rows of f32 vectors', () => {
  expect(rowsOfKib(10_000, 384)).toBe(6666);
  expect(rowsOfKib(0, 384)).toBe(0);
});

test('a value with links of its own is walked by them, with a scan behind', () => {
  const linked = { blocks: 1, rows: 20_000 };
  expect(planSearch({ ...input, passing: 20_000, linked })).toEqual({
    kind: 'linked_graph',
    ef: 100,
    fallback: { kind: 'scan_codes', expansionsMax: 571 },
  });
});

test('several blocks are walked at once where a plain walk among so few would cost more, else after the graph was tried', () => {
  expect(planSearch({ ...input, passing: 20_000, linked: { blocks: 2, rows: 25_000 } })).toEqual({
    kind: 'linked_graph',
    ef: 100,
    fallback: { kind: 'scan_codes', expansionsMax: 500 },
  });
  // 40 * 1.5 * 100 / 0.8 codes are 625 rows of a plain walk; 32 are expanded before it is judged.
  expect(planSearch({ ...input, passing: 30_000, linked: { blocks: 3, rows: 37_500 } })).toEqual({
    kind: 'graph',
    ef: 100,
    fallback: { kind: 'linked_graph', expansionsMax: 657 },
  });
  expect(planSearch({ ...input, passing: 90_000, linked: { blocks: 8, rows: 100_000 } }).fallback?.kind).toBe(
    'linked_graph',
  );
});

test('where a plain walk has no neighbour codes, more of the others are cheaper than to try it', () => {
  const byCodes = { hasNeighbourCodes: false, passing: 30_000 };
  expect(kindOf({ ...byCodes, linked: { blocks: 3, rows: 37_500 } })).toBe('linked_graph');
  expect(planSearch({ ...input, ...byCodes, passing: 60_000 }).fallback).toEqual({
    kind: 'filtered_graph',
    expansionsMax: 1071,
  });
  expect(kindOf({ ...byCodes, ef: 16 })).toBe('filtered_graph');
});

test('without links over all rows nothing joins blocks: two are walked, of more what passes is scanned', () => {
  const kindAt = (passing: number, blocks: number): string =>
    kindOf({ isUnlinked: true, passing, linked: { blocks, rows: passing } });
  expect(kindAt(20_000, 1)).toBe('linked_graph');
  expect(kindAt(25_000, 2)).toBe('linked_graph');
  expect(kindAt(40_000, 3)).toBe('scan_codes');
});

test('links are left alone where few of their rows pass, and below the threshold', () => {
  const kindWith = (passing: number, blocks: number, rows: number, fullScanRows = 1000): string => {
    const { kind, fallback } = planSearch({ ...input, fullScanRows, passing, linked: { blocks, rows } });
    return `${kind}, ${fallback?.kind}`;
  };
  expect(kindWith(2500, 1, 40_000)).toBe('scan_codes, undefined');
  expect(kindWith(9000, 3, 40_000)).toBe('graph, scan_codes');
  expect(kindWith(9000, 1, 9000, 9001)).toBe('scan_codes, undefined');
});
