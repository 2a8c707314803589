import { defaultSearchParams, type PointsOperation } from '@quiver/model';
import { afterEach, expect, test } from 'vitest';
import { collectionOn, NodeCluster } from '../testing/node-cluster.ts';

let cluster: NodeCluster;
afterEach(() => cluster.close());

test('the modifier idf weighs a query by how rare its dimensions are', async () => {
  cluster = new NodeCluster(1);
  await cluster.addNode(1);
  const plain = collectionOn('c', [1]);
  const { params } = plain.config;
  const config = {
    ...plain.config,
    params: { ...params, sparse_vectors: { words: { modifier: 'idf' as const } } },
  };
  cluster.meta.setCollection({ ...plain, config });
  await cluster.env.settle();
  // Dimension 5 is in all four vectors, 9 in one; the fifth point has no sparse vector and does not count.
  const upsert: PointsOperation = {
    kind: 'upsert',
    mode: 'upsert',
    updateFilter: null,
    points: {
      ids: [1, 2, 3, 4, 5],
      vectors: new Map([
        [
          'words',
          {
            kind: 'sparse',
            offsets: Uint32Array.of(0, 1, 2, 3, 5, 5),
            indices: Uint32Array.of(5, 5, 5, 5, 9),
            values: Float32Array.of(1, 2, 3, 1, 2),
            present: Uint8Array.of(1, 1, 1, 1, 0),
          },
        ],
      ]),
      payloads: { bytes: new Uint8Array(0), offsets: new Uint32Array(6) },
    },
  };
  await cluster.write('c', upsert);
  const target = { collection: cluster.collection('c'), shardIds: [0] };
  const vector = {
    kind: 'sparse',
    indices: Uint32Array.of(5, 9, 77),
    values: Float32Array.of(1, 3, 1),
  } as const;
  const [hits] = await cluster.run(
    cluster.node(1).running!.serve.reads.query(
      target,
      [
        {
          query: { kind: 'nearest', input: { kind: 'vector', vector } },
          using: 'words',
          filter: null,
          params: defaultSearchParams,
          limit: 10,
          offset: 0,
          scoreThreshold: null,
          withPayload: { kind: 'none' },
          withVector: { kind: 'none' },
          lookupFrom: null,
        },
      ],
      { deadlineMs: cluster.env.now() + 10_000, consistency: { kind: 'any' } },
    ),
  );
  const idf = (count: number): number => Math.log((4 - count + 0.5) / (count + 0.5) + 1);
  expect(hits!.map(({ id }) => id)).toEqual([4, 3, 2, 1]);
  for (const [i, want] of [1 * idf(4) + 2 * 3 * idf(1), 3 * idf(4), 2 * idf(4), idf(4)].entries())
    expect(hits![i]!.score).toBeCloseTo(want, 5);
});
