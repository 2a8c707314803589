// A disk that is full refuses, and is as before when there is room again.
import { afterEach, expect, test } from 'vitest';
import { collectionOn, NodeCluster, upsertOf } from './testing/node-cluster.ts';

let cluster: NodeCluster;

afterEach(() => cluster.close());

/** Longer than between two looks at the free space. */
const noticedMs = 10_000;

async function fullNode(id: number): Promise<void> {
  cluster.full.add(id);
  await cluster.env.advance(noticedMs);
}

test('a replica that was placed on a node while its disk was full opens when there is room, and others meanwhile', async () => {
  cluster = new NodeCluster(5);
  for (const id of [1, 2]) await cluster.addNode(id);
  cluster.meta.setCollection(collectionOn('before', [2, 1]));
  await cluster.env.settle();
  await fullNode(2);
  cluster.meta.setCollection(collectionOn('c', [1, 2], { firstReplica: 10 }));
  await cluster.until('evicted', () => cluster.shard('c').inSync.length === 1);
  await cluster.write('c', upsertOf([1, 2, 3], 4, 1));
  // The catalogue is followed all the same: the other one leads there now.
  const { uuid } = cluster.collection('before');
  cluster.meta.changeShard(uuid, 0, (shard) => ({ ...shard, primary: 2, term: shard.term + 1 }));
  await cluster.write('before', upsertOf([1], 4, 1));
  cluster.full.delete(2);
  await cluster.until('in sync', () => cluster.shard('c').inSync.length === 2, 60_000);
  expect(await cluster.contents(2, 'c')).toEqual(await cluster.contents(1, 'c'));
  expect(await cluster.contents(2, 'c')).toHaveLength(3);
});

test('a node that starts on a full disk opens what it holds, and what it does not hold yet when there is room', async () => {
  cluster = new NodeCluster(6);
  for (const id of [1, 2]) await cluster.addNode(id);
  cluster.meta.setCollection(collectionOn('before', [2]));
  await cluster.env.settle();
  await cluster.write('before', upsertOf([1, 2], 4, 1));
  await cluster.kill(2);
  cluster.meta.setCollection(collectionOn('c', [2], { firstReplica: 10 }));
  cluster.full.add(2);
  await cluster.start(2);
  cluster.full.delete(2);
  await cluster.write('c', upsertOf([1, 2, 3], 4, 1), { timeoutMs: 60_000 });
  expect(await cluster.contents(2, 'before')).toHaveLength(2);
  expect(await cluster.contents(2, 'c')).toHaveLength(3);
});
