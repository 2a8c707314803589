import { emptyFilter, type Filter, type QueryRequest, type SegmentExplanation } from '@quiver/model';
import { afterEach, expect, test } from 'vitest';
import { collectionOn, NodeCluster, upsertOf } from '../testing/node-cluster.ts';
import { nearestTo } from '../testing/queries.ts';

let cluster: NodeCluster;
afterEach(() => cluster.close());

async function explained(request: Partial<QueryRequest>): Promise<SegmentExplanation[]> {
  const query = nearestTo({ kind: 'dense', values: Float32Array.of(1, 0, 0, 0) }, request);
  const target = { collection: cluster.collection('c'), shardIds: [0] };
  const options = { deadlineMs: cluster.env.now() + 10_000, consistency: { kind: 'any' } } as const;
  const answers = await cluster.run(cluster.node(1).running!.serve.reads.explain(target, [query], options));
  expect(answers).toHaveLength(1);
  expect(answers[0]).toMatchObject([{ shardId: 0, node: '1' }]);
  return [...answers[0]![0]!.segments];
}

test('a search of a head is an exact scan of its rows, under a filter of those that pass', async () => {
  cluster = new NodeCluster(1);
  await cluster.addNode(1);
  cluster.meta.setCollection(collectionOn('c', [1]));
  await cluster.env.settle();
  await cluster.write(
    'c',
    upsertOf(
      Array.from({ length: 50 }, (_, i) => i),
      4,
      1,
    ),
  );
  expect(await explained({})).toMatchObject([
    {
      kind: 'plain',
      rows: 50,
      plan: 'scan',
      fallback: null,
      filter: null,
      hits: 10,
      distances: { exact: 50 },
    },
  ]);
  const filter: Filter = { ...emptyFilter, must: [{ kind: 'has_id', ids: [1, 2, 3] }] };
  expect(await explained({ filter })).toMatchObject([
    { filter: { min: 0, expected: 3, max: 50, passing: 3 }, hits: 3, distances: { exact: 3 } },
  ]);
  expect(await explained({ query: { kind: 'sample' } })).toMatchObject([{ plan: 'sample', hits: 0 }]);
});

test('a scan of codes has no beam', async () => {
  cluster = new NodeCluster(1);
  await cluster.addNode(1);
  const record = collectionOn('c', [1]);
  const { config } = record;
  cluster.meta.setCollection({
    ...record,
    config: {
      ...config,
      optimizer_config: { ...config.optimizer_config, indexing_threshold: 8 },
      quantization_config: { scalar: { type: 'int8' } },
    },
  });
  await cluster.env.settle();
  const ids = Array.from({ length: 2_000 }, (_, i) => i);
  await cluster.write('c', upsertOf(ids, 4, 1));
  const graphs = (): unknown[] =>
    (cluster.manifest(1, 1)?.segments ?? []).flatMap(({ stored }) => stored.graphs);
  await cluster.until('indexed', () => graphs().length > 0);
  const filter: Filter = { ...emptyFilter, must: [{ kind: 'has_id', ids: ids.slice(0, 1_500) }] };
  expect(await explained({ filter })).toMatchObject([
    { plan: 'scan_codes', ef: null, efFrom: null, hits: 10 },
  ]);
});
