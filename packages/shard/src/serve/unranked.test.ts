import type { QueryRequest, ScoredPoint } from '@quiver/model';
import { afterEach, expect, test } from 'vitest';
import { collectionOn, NodeCluster, upsertOf } from '../testing/node-cluster.ts';
import { nearestTo } from '../testing/queries.ts';

let cluster: NodeCluster;
afterEach(() => cluster.close());

test('points that no vector ranks have the score of 1, as in Qdrant', async () => {
  cluster = new NodeCluster(1);
  await cluster.addNode(1);
  const record = collectionOn('c', [1]);
  cluster.meta.setCollection({ ...record, payloadSchema: { n: { data_type: 'integer', params: null } } });
  await cluster.env.settle();
  await cluster.write('c', upsertOf([1, 2, 3], 4, 1));
  const answer = async (query: QueryRequest['query']): Promise<readonly ScoredPoint[]> => {
    const request = nearestTo({ kind: 'dense', values: Float32Array.of(1, 0, 0, 0) }, { query, limit: 2 });
    const target = { collection: cluster.collection('c'), shardIds: [0] };
    const options = { deadlineMs: cluster.env.now() + 10_000, consistency: { kind: 'any' } } as const;
    return (await cluster.run(cluster.node(1).running!.serve.reads.query(target, [request], options)))[0]!;
  };
  const orderBy = { key: 'n', direction: 'asc', startFrom: null, startFromDatetime: false } as const;
  for (const query of [null, { kind: 'sample' }, { kind: 'order_by', orderBy }] as const)
    expect((await answer(query)).map(({ score }) => score)).toEqual([1, 1]);
});
