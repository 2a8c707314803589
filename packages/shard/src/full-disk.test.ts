// A disk that is full refuses, and is as before when there is room again.
import { afterEach, expect, test } from 'vitest';
import { collectionOn, deletionOf, NodeCluster, upsertOf } from './testing/node-cluster.ts';

let cluster: NodeCluster;

afterEach(() => cluster.close());

/** Longer than between two looks at the free space. */
const noticedMs = 10_000;

/** Below the limit for writes, above that for what replicas need. */
const nearlyFull = 0.07;

async function setFree(id: number, fraction: number): Promise<void> {
  cluster.freeFraction.set(id, fraction);
  await cluster.env.advance(noticedMs);
}

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

/** Nodes 1 and 2 with a replica each of one collection, three points in it, node 1 leading. */
async function pair(seed: number): Promise<void> {
  cluster = new NodeCluster(seed);
  for (const id of [1, 2]) await cluster.addNode(id);
  cluster.meta.setCollection(collectionOn('c', [1, 2]));
  await cluster.env.settle();
  await cluster.write('c', upsertOf([1, 2, 3], 4, 1));
}

test('a primary whose disk is full gives its role to the one in sync that has room, and the writes are taken', async () => {
  await pair(7);
  await setFree(1, nearlyFull);
  const many = [4, 5, 6].map((id) => cluster.write('c', upsertOf([id], 4, 1)));
  await Promise.all(many);
  expect(cluster.shard('c')).toMatchObject({ primary: 2, term: 2, inSync: [1, 2] });
  expect(await cluster.contents(2, 'c')).toHaveLength(6);
  await cluster.env.advance(1_000);
  expect(await cluster.contents(1, 'c')).toEqual(await cluster.contents(2, 'c'));
});

test('a primary whose disk has nothing left gives its role away too, and goes out of the in-sync set', async () => {
  await pair(8);
  await fullNode(1);
  await cluster.write('c', upsertOf([4], 4, 1));
  expect(cluster.shard('c')).toMatchObject({ primary: 2, inSync: [2] });
  cluster.full.delete(1);
  await cluster.until('in sync', () => cluster.shard('c').inSync.length === 2, 60_000);
  expect(await cluster.contents(1, 'c')).toEqual(await cluster.contents(2, 'c'));
});

test('deletions stay at a primary whose disk is full', async () => {
  await pair(9);
  await setFree(1, nearlyFull);
  await cluster.write('c', deletionOf([1]));
  expect(cluster.shard('c')).toMatchObject({ primary: 1, term: 1 });
});

test('where no disk has more than room enough, writes are refused, and the role stays where it is', async () => {
  await pair(10);
  await setFree(1, nearlyFull);
  // Above the limit: it would take this write, and the role would be back with the next.
  await setFree(2, 0.11);
  for (let i = 0; i < 5; i += 1) {
    await expect(cluster.write('c', upsertOf([4], 4, 1))).rejects.toThrow(
      /insufficient_storage: 7.0 % \(\d+ MiB\) of the disk is free/,
    );
    await cluster.env.advance(2_000);
  }
  expect(cluster.shard('c')).toMatchObject({ primary: 1, term: 1 });
  await setFree(2, 0.5);
  await cluster.write('c', upsertOf([4], 4, 1));
  expect(cluster.shard('c')).toMatchObject({ primary: 2, term: 2 });
});

test('primaries are not spread to a node whose disk is nearly full', async () => {
  cluster = new NodeCluster(11);
  for (const id of [1, 2]) await cluster.addNode(id);
  cluster.meta.setNodes([1, 2]);
  for (const firstReplica of [1, 11, 21, 31])
    cluster.meta.setCollection(collectionOn(`c${firstReplica}`, [1, 2], { firstReplica }));
  await setFree(2, nearlyFull);
  await cluster.env.advance(100_000);
  const leaders = (): number[] => [1, 11, 21, 31].map((first) => cluster.shard(`c${first}`).primary! - first);
  expect(leaders()).toEqual([0, 0, 0, 0]);
  await setFree(2, 1);
  await cluster.until('spread', () => leaders().includes(1), 200_000);
});
