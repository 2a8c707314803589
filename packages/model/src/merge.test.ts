// fast-check prints the seed and the path that replay a failure.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeScroll, mergeTopK, partOf } from './merge.ts';
import { comparePointIds, type PointId } from './point-id.ts';
import { defaultSearchParams, type QueryRequest, type ScoredPoint, type ScrollRequest } from './query.ts';
import { slotOf } from './slot.ts';

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
        const shards = [0, 1, 2].map((shard) => scored.filter((one) => slotOf(one.id) % 3 === shard));
        const request = partOf({ offset, limit } as QueryRequest, 3);
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

describe('parts', () => {
  test('one part is asked for the page itself', () => {
    const request = { params: defaultSearchParams, offset: 3, limit: 5 } as QueryRequest;
    expect(partOf(request, 1)).toBe(request);
  });

  test('paging through joined pages sees every point once, in id order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(500)), fc.integer({ min: 1, max: 7 }), (ids, limit) => {
        const parts = [0, 1, 2].map((part) =>
          ids.filter((id) => slotOf(id) % 3 === part).sort((a, b) => a - b),
        );
        const page = (part: readonly number[], offset: PointId | null): number[] =>
          part.filter((id) => offset === null || id >= Number(offset));
        const seen: PointId[] = [];
        let offset: PointId | null = null;
        do {
          const request = { limit, offset, orderBy: null } as ScrollRequest;
          const joined = mergeScroll(
            request,
            parts.map((part) => {
              const left = page(part, offset);
              return {
                points: left.slice(0, limit).map((id) => point(id, 0)),
                nextOffset: left[limit] ?? null,
              };
            }),
          );
          seen.push(...joined.points.map(({ id }) => id));
          offset = joined.nextOffset;
        } while (offset !== null);
        expect(seen).toEqual([...ids].sort((a, b) => a - b));
      }),
    );
  });
});
