import type { QueryRequest } from '@quiver/model';
import { expect, test } from 'vitest';
import { togetherIn } from './together.ts';

test('queries of a batch run four at a time in their order, one with a filter by itself', () => {
  const query = (limit: number, isFiltered = false): QueryRequest =>
    ({ limit, filter: isFiltered ? {} : null }) as unknown as QueryRequest;
  const asked = [1, 2, 3, 4, 5, 6].map((limit) => query(limit, limit === 6));
  const groups = togetherIn([...asked, query(7, true), query(8), query(9)]);
  expect(groups.map((group) => group.map(({ limit }) => limit))).toEqual([
    [1, 2, 3, 4],
    [5],
    [6],
    [7],
    [8, 9],
  ]);
  expect(togetherIn([])).toEqual([]);
});
