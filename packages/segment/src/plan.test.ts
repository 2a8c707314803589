import { expect, test } from 'vitest';
import { planSearch, rowsOfKib, type PlanInput } from './plan.ts';

const input: PlanInput = {
  hasGraph: true,
  exact: false,
  rowCount: 100_000,
  passing: null,
  k: 10,
  fullScanRows: 1000,
  filteredWalkBelow: null,
};

test('without a graph, or when asked for, every search is exact', () => {
  expect(planSearch({ ...input, hasGraph: false })).toBe('scan');
  expect(planSearch({ ...input, exact: true })).toBe('scan');
});

test('the share of passing rows decides between scan, filtered walk and plain walk', () => {
  expect(planSearch(input)).toBe('graph');
  expect(planSearch({ ...input, passing: 999 })).toBe('scan');
  expect(planSearch({ ...input, passing: 1000 })).toBe('filtered_graph');
  expect(planSearch({ ...input, passing: 49_999 })).toBe('filtered_graph');
  expect(planSearch({ ...input, passing: 50_000 })).toBe('graph');
  expect(planSearch({ ...input, passing: 30_000, filteredWalkBelow: 0.2 })).toBe('graph');
});

test('asking for a large share of the candidates is a scan', () => {
  expect(planSearch({ ...input, k: 20_000 })).toBe('scan');
  expect(planSearch({ ...input, k: 19_999 })).toBe('graph');
  expect(planSearch({ ...input, passing: 5000, k: 1000 })).toBe('scan');
});

test('a threshold in KiB is rows of f32 vectors', () => {
  expect(rowsOfKib(10_000, 384)).toBe(6666);
  expect(rowsOfKib(0, 384)).toBe(0);
});
