// Sparse vectors get an inverted index when they are sealed; it is saved, loaded, and made later where it is missing.
import { type PointsOperation, type ScoredPoint } from '@quiver/model';
import { afterEach, expect, test } from 'vitest';
import { encodeJson, keys } from './control/records.ts';
import { collectionOn, NodeCluster } from './testing/node-cluster.ts';
import { nearestTo } from './testing/queries.ts';

let cluster: NodeCluster;
afterEach(() => cluster.close());

const pointCount = 2_000;

/** Point n has the dimensions n % 10 and 100 + n, with weight n in both. */
function upsert(): PointsOperation {
  const ids = Array.from({ length: pointCount }, (_, n) => n);
  return {
    kind: 'upsert',
    mode: 'upsert',
    updateFilter: null,
    points: {
      ids,
      vectors: new Map([
        [
          'words',
          {
            kind: 'sparse',
            offsets: Uint32Array.from({ length: pointCount + 1 }, (_, n) => 2 * n),
            indices: Uint32Array.from(ids.flatMap((n) => [n % 10, 100 + n])),
            values: Float32Array.from(ids.flatMap((n) => [n, n])),
            present: null,
          },
        ],
      ]),
      payloads: { bytes: new Uint8Array(0), offsets: new Uint32Array(pointCount + 1) },
    },
  };
}

async function search(indices: readonly number[]): Promise<ScoredPoint[]> {
  const target = { collection: cluster.collection('c'), shardIds: [0] };
  const vector = {
    kind: 'sparse',
    indices: Uint32Array.from(indices),
    values: new Float32Array(indices.length).fill(1),
  } as const;
  const request = nearestTo(vector, { using: 'words', limit: 3 });
  const [points] = await cluster.run(
    cluster.node(1).running!.serve.reads.query(target, [request], {
      deadlineMs: cluster.env.now() + 10_000,
      consistency: { kind: 'any' },
    }),
  );
  return points!;
}

const savedIndexes = (): number =>
  (cluster.manifest(1, 1)?.segments ?? []).filter(({ stored }) => (stored.sparse?.length ?? 0) > 0).length;

test('the index of sealed sparse vectors survives a restart, and is made for a segment that was saved without', async () => {
  cluster = new NodeCluster(1);
  await cluster.addNode(1);
  const plain = collectionOn('c', [1]);
  const { params, optimizer_config } = plain.config;
  cluster.meta.setCollection({
    ...plain,
    config: {
      ...plain.config,
      params: { ...params, sparse_vectors: { words: {} } },
      optimizer_config: { ...optimizer_config, indexing_threshold: 100 },
    },
  });
  await cluster.env.settle();
  await cluster.write('c', upsert());
  await cluster.until('indexed', () => savedIndexes() > 0);
  const want = [
    [1_993, 2 * 1_993],
    [1_983, 1_983],
    [1_973, 1_973],
  ];
  const found = async (): Promise<number[][]> =>
    (await search([3, 2_093])).map(({ id, score }) => [Number(id), score]);
  expect(await found()).toEqual(want);

  const before = cluster.manifest(1, 1)!;
  await cluster.kill(1);
  await cluster.start(1);
  expect(cluster.builds.length).toBe(1);
  expect(await found()).toEqual(want);

  const segments = before.segments.map(({ stored, parts, ...rest }) => ({
    ...rest,
    stored: { ...stored, sparse: undefined },
    parts: Object.fromEntries(Object.entries(parts).filter(([name]) => !name.startsWith('sparse/'))),
  }));
  await cluster
    .node(1)
    .running!.store.commit(
      [{ kind: 'put', key: keys.manifest(1), value: encodeJson({ ...before, segments }) }],
      { essential: true },
    );
  await cluster.kill(1);
  await cluster.start(1);
  await cluster.until('indexed again', () => savedIndexes() > 0);
  expect(cluster.builds.length).toBe(1);
  expect(await found()).toEqual(want);
});
