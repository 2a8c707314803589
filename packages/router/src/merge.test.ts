// fast-check prints the seed and the path that replay a failure.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  comparePointIds,
  defaultSearchParams,
  type PointId,
  type QueryRequest,
  type ScoredPoint,
} from '@quiver/model';
import { mergeTopK } from './merge.ts';
import { groupByShard, shardOfPoint, shardQuery } from './plan.ts';

const point = (id: PointId, score: number, version = 1): ScoredPoint => ({
  id,
  score,
  version,
  payload: null,
  vectors: null,
  orderValue: null,
});
const order = fc.constantFrom('larger' as const, 'smaller' as const);
const sorted = (points: ScoredPoint[], by: 'larger' | 'smaller'): ScoredPoint[] =>
  [...points].sort(
    (a, b) => (by === 'larger' ? b.score - a.score : a.score - b.score) || comparePointIds(a.id, b.id),
  );

describe('merging', () => {
  test('the pages of points spread over shards are the pages of all points together', () => {
    const points = fc.uniqueArray(fc.record({ id: fc.nat(1_000), score: fc.integer({ min: -5, max: 5 }) }), {
      selector: (one) => one.id,
    });
    fc.assert(
      fc.property(points, order, fc.nat(10), fc.integer({ min: 1, max: 10 }), (all, by, offset, limit) => {
        const scored = all.map((one) => point(one.id, one.score));
        const shards = [0, 1, 2].map((shard) => scored.filter((one) => shardOfPoint(one.id, 3) === shard));
        const request = shardQuery({ offset, limit } as QueryRequest, 3);
        const answers = shards.map((part) =>
          sorted(part, by).slice(request.offset, request.offset + request.limit),
        );
        const expected = sorted(scored, by).slice(offset, offset + limit);
        expect(mergeTopK(answers, { order: by, offset, limit })).toEqual(expected);
      }),
    );
  });

  test('a point that two shards know counts once, in its newest version', () => {
    const merged = mergeTopK([[point(1, 0.9, 1), point(2, 0.5)], [point(1, 0.1, 2)]], {
      order: 'larger',
      offset: 0,
      limit: 10,
    });
    expect(merged.map((one) => [one.id, one.score])).toEqual([
      [2, 0.5],
      [1, 0.1],
    ]);
  });
});

describe('planning', () => {
  test('every id goes to the one shard that owns it, in the order given', () => {
    const ids: PointId[] = [5, 2n ** 60n, '550e8400-e29b-41d4-a716-446655440000', 5, 0];
    const groups = groupByShard(ids, 4);
    expect([...groups.values()].flat().sort(comparePointIds)).toEqual([...ids].sort(comparePointIds));
    for (const [shard, group] of groups) for (const id of group) expect(shardOfPoint(id, 4)).toBe(shard);
  });

  test('one shard is asked for the page itself', () => {
    const request = { params: defaultSearchParams, offset: 3, limit: 5 } as QueryRequest;
    expect(shardQuery(request, 1)).toBe(request);
  });
});
