import type { SegmentExplanation } from '@quiver/model';
import { expect, test } from 'vitest';
import { explainOfMetadata, explanationMetadata } from './explain.ts';

const segment: SegmentExplanation = {
  segment: 3,
  kind: 'sealed',
  rows: 1000,
  deletedRows: 4,
  plan: 'graph',
  fallback: 'scan_codes',
  ef: 100,
  efFrom: 'ef_construct',
  filter: { min: 10, expected: 20, max: 30, passing: 25 },
  visitedNodes: 64,
  distances: { codes: 25, links: 2048, exact: 14 },
  hits: 10,
  time: { filterUs: 12, searchUs: 340 },
};

test('metadata takes true and false and nothing else', () => {
  expect(explainOfMetadata(undefined)).toBe(false);
  expect(explainOfMetadata('false')).toBe(false);
  expect(explainOfMetadata('true')).toBe(true);
  expect(() => explainOfMetadata('yes')).toThrow('x-quiver-explain is "yes"; it takes true or false');
});

test('an explanation of few segments is whole, one of many fits into metadata and says what is left out', () => {
  const few = JSON.parse(
    explanationMetadata([[{ shardId: 0, node: '1', segments: [segment] }]]),
  ) as unknown[];
  expect(few).toEqual([
    {
      shards: [
        {
          shard: 0,
          node: '1',
          segments: [
            {
              segment: 3,
              kind: 'sealed',
              rows: 1000,
              deleted_rows: 4,
              plan: 'graph',
              fallback: 'scan_codes',
              ef: 100,
              ef_from: 'ef_construct',
              filter: { min: 10, expected: 20, max: 30, passing: 25 },
              visited_nodes: 64,
              distances: { codes: 25, links: 2048, exact: 14 },
              hits: 10,
              time_us: { filter: 12, search: 340 },
            },
          ],
        },
      ],
    },
  ]);
  const many = explanationMetadata([
    [{ shardId: 0, node: '1', segments: Array.from({ length: 100 }, () => segment) }],
  ]);
  expect(many.length).toBeLessThan(8000);
  const [query, rest] = JSON.parse(many) as [
    { shards: { segments: unknown[] }[] },
    { segments_left_out: number },
  ];
  expect(query.shards[0]!.segments.length + rest.segments_left_out).toBe(100);
});
