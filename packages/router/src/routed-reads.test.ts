import { createVirtualEnv, type VirtualEnv } from '@quiver/env/testing';
import { ClusterError, ownsPoint, type PointId } from '@quiver/model';
import { expect, test } from 'vitest';
import { createRoutedReads } from './routed-reads.ts';
import { createNodeCalls } from './routing/node-calls.ts';
import { createScatter } from './routing/scatter.ts';
import { createFakeCluster, type FakeCluster } from './routing/testing/fake-cluster.ts';
import { run } from './routing/testing/run.ts';
import { createTopology } from './routing/topology.ts';

function setup(placement: readonly (readonly number[])[]): {
  readonly env: VirtualEnv;
  readonly cluster: FakeCluster;
  readonly retrieve: (ids: readonly PointId[]) => Promise<unknown>;
} {
  const env = createVirtualEnv({ seed: 3 });
  const cluster = createFakeCluster(env, placement);
  const { nodes, meta } = cluster;
  const calls = createNodeCalls({ nodes, ownNode: null, env, catalogue: () => meta.catalogue() });
  const reads = createRoutedReads(createScatter({ calls, topology: createTopology(meta, env), env }));
  const retrieve = (ids: readonly PointId[]): Promise<unknown> => {
    const collection = cluster.collection();
    const shardIds = collection.shards.map(({ shardId }) => shardId);
    const call = { consistency: { kind: 'any' }, deadlineMs: env.now() + 5_000 } as const;
    return run(
      env,
      reads.retrieve({ collection, shardIds }, { ids, withPayload: false, withVector: false } as never, {
        call,
        affinity: null,
        onMissing: null,
      }),
    );
  };
  return { env, cluster, retrieve };
}

test('points are asked of the shards that own them alone: the others may be down', async () => {
  const { cluster, retrieve } = setup([[1], [2], [3], [4]]);
  const ownerOf = (id: number): number =>
    cluster.collection().shards.find(({ slots }) => ownsPoint(slots, id))!.shardId;
  for (const nodeId of [1, 2, 3, 4]) cluster.behaviour(nodeId).isHung = nodeId !== ownerOf(77) + 1;
  await retrieve([77]);
  expect(cluster.asked).toMatchObject([{ nodeId: ownerOf(77) + 1, shardIds: [ownerOf(77)] }]);

  for (const nodeId of [1, 2, 3, 4]) cluster.behaviour(nodeId).isHung = false;
  cluster.asked.length = 0;
  const ids = [1, 2, 3, 4, 5];
  await retrieve(ids);
  const wanted = new Set(ids.map(ownerOf));
  expect(new Set(cluster.asked.flatMap(({ shardIds }) => shardIds))).toEqual(wanted);
});

test('points whose slot moves while they are asked for are found where it is then', async () => {
  const { env, cluster, retrieve } = setup([[1], [2]]);
  const [first, second] = cluster.collection().shards;
  const id = Array.from({ length: 100 }, (_, i) => i).find((one) => ownsPoint(first!.slots, one))!;
  Object.assign(cluster.behaviour(1), {
    latencyMs: 100,
    failure: new ClusterError('stale_route', 'slots have moved'),
  });
  const asked = retrieve([id]);
  const all = [...first!.slots, ...second!.slots];
  cluster.change((shards) =>
    shards.map((shard, i) => ({ ...shard, cfgVersion: shard.cfgVersion + 1, slots: i === 1 ? all : [] })),
  );
  env.after(150, () => (cluster.behaviour(1).failure = null));
  await asked;
  expect(cluster.asked[0]).toMatchObject({ nodeId: 1, shardIds: [0] });
  const last = cluster.asked.findLast(({ nodeId }) => nodeId === 2);
  expect(last?.slots).toContainEqual(all);
});
