// A segment that is too small for a graph, by the vectors it would be made of, comes to rest.
import type { PointsOperation, VectorParams } from '@quiver/model';
import { afterEach, expect, test } from 'vitest';
import { collectionOn, NodeCluster } from './testing/node-cluster.ts';

let cluster: NodeCluster;
afterEach(() => cluster.close());

const pointCount = 1_000;
const dim = 32;

/** One point in `aOneIn` has the vector `a`, all have `b`. */
function upsert(aOneIn: number): PointsOperation {
  const ids = Array.from({ length: pointCount }, (_, n) => n);
  const column = (size: number, oneIn: number) =>
    ({
      kind: 'dense',
      dim: size,
      values: Float32Array.from({ length: pointCount * size }, (_, i) => Math.sin(i)),
      present: Uint8Array.from(ids, (n) => Number(n % oneIn === 0)),
    }) as const;
  return {
    kind: 'upsert',
    mode: 'upsert',
    updateFilter: null,
    points: {
      ids,
      vectors: new Map([
        ['a', column(dim, aOneIn)],
        ['b', column(2, 1)],
      ]),
      payloads: { bytes: new Uint8Array(0), offsets: new Uint32Array(pointCount + 1) },
    },
  };
}

test.for<[string, VectorParams, number]>([
  ['half of the points lack the vector', { size: dim, distance: 'Cosine' }, 2],
  ['the largest vector has m: 0', { size: dim, distance: 'Cosine', hnsw_config: { m: 0 } }, 1],
])('once sealed it is not merged again: %s', async ([, a, aOneIn]) => {
  cluster = new NodeCluster(1);
  await cluster.addNode(1);
  const plain = collectionOn('c', [1]);
  const { params, optimizer_config } = plain.config;
  cluster.meta.setCollection({
    ...plain,
    config: {
      ...plain.config,
      params: { ...params, vectors: { a, b: { size: 2, distance: 'Dot' } } },
      optimizer_config: { ...optimizer_config, indexing_threshold: 100 },
    },
  });
  await cluster.env.settle();
  await cluster.write('c', upsert(aOneIn));
  await cluster.until('sealed', () => (cluster.manifest(1, 1)?.segments.length ?? 0) > 0);
  await cluster.env.advance(20_000);
  expect(cluster.builds.length).toBe(1);
});
