// A replica whose process was stopped may have been put out of the in-sync set meanwhile: it does not show what it has.
import { afterEach, expect, test } from 'vitest';
import { collectionOn, NodeCluster, upsertOf } from './testing/node-cluster.ts';

let cluster: NodeCluster;

afterEach(() => cluster.close());

/** What node 2 answers as the first thing after a stop of five seconds, in which points were written without it. */
async function readAtWaking(servingLeaseMs: number | null): Promise<string[] | string> {
  cluster = new NodeCluster(7);
  cluster.servingLeaseMs = servingLeaseMs;
  for (const id of [1, 2]) await cluster.addNode(id);
  cluster.meta.setCollection(collectionOn('c', [1, 2]));
  await cluster.env.settle();
  await cluster.write('c', upsertOf([1, 2], 4, 1));
  const collection = cluster.collection('c');
  cluster.pause(2);
  await cluster.write('c', upsertOf([3], 4, 1));
  await cluster.env.advance(5_000);
  expect(cluster.shard('c').inSync).toEqual([1]);
  const read = { offset: null, limit: 100, filter: null, orderBy: null } as const;
  const all = { kind: 'all' } as const;
  let answer: Promise<string[] | string> = Promise.resolve([]);
  await cluster.resume(2, () => {
    answer = cluster
      .node(2)
      .running!.serve.reads.scroll(
        { collection, shardIds: [0] },
        { ...read, withPayload: all, withVector: all },
        { deadlineMs: cluster.env.now() + 1_000, consistency: { kind: 'any' } },
      )
      .then(
        ({ points }) => points.map(({ id }) => String(id)),
        (error: unknown) => (error as { code: string }).code,
      );
  });
  return cluster.run(answer);
}

test('a follower that was stopped shows nothing when it wakes, and everything once it is in sync again', async () => {
  expect(await readAtWaking(null)).toBe('lease_expired');
  await cluster.until('in sync', () => cluster.shard('c').inSync.length === 2);
  await cluster.env.advance(1_000);
  expect(await cluster.contents(2, 'c')).toHaveLength(3);
});

test('without the lease it would show what it had: this test can fail', async () => {
  expect(await readAtWaking(Infinity)).toEqual(['1', '2']);
});

/** Two nodes with a replica each, and two points; node `id` is stopped for a time in which nobody takes its place. */
async function stopped(id: number, { metaIsAway }: { readonly metaIsAway: boolean }): Promise<void> {
  cluster = new NodeCluster(8);
  for (const node of [1, 2]) await cluster.addNode(node);
  cluster.meta.setCollection(collectionOn('c', [1, 2]));
  await cluster.env.settle();
  await cluster.write('c', upsertOf([1, 2], 4, 1));
  cluster.pause(id);
  await cluster.env.advance(1_200);
  expect(cluster.shard('c').inSync).toEqual([1, 2]);
  if (metaIsAway) cluster.meta.away.add(id);
}

test('a process that was only busy answers again two ticks later', async () => {
  await stopped(2, { metaIsAway: false });
  let atOnce: Promise<unknown> = Promise.resolve();
  await cluster.resume(2, () => {
    atOnce = cluster.contents(2, 'c').catch((error: unknown) => error);
  });
  expect(await atOnce).toMatchObject({ code: 'lease_expired' });
  await cluster.env.advance(100);
  expect(await cluster.contents(2, 'c')).toHaveLength(2);
});

test('a primary that was stopped shows nothing until the others say that it leads still, while meta is away', async () => {
  await stopped(1, { metaIsAway: true });
  await cluster.resume(1);
  await cluster.env.advance(100);
  for (let i = 0; i < 100; i += 1) {
    expect(await cluster.contents(1, 'c')).toHaveLength(2);
    await cluster.env.advance(10);
  }
});

test('a primary that nobody confirms shows nothing, whatever it knew', async () => {
  await stopped(1, { metaIsAway: true });
  cluster.cut(1, 2);
  await cluster.resume(1);
  for (let i = 0; i < 20; i += 1) {
    await expect(cluster.contents(1, 'c')).rejects.toMatchObject({ code: 'lease_expired' });
    await cluster.env.advance(100);
  }
});

test('a linearizable read needs no lease: the primary asks the others for it', async () => {
  await stopped(1, { metaIsAway: true });
  let atOnce: Promise<string[]> = Promise.resolve([]);
  await cluster.resume(1, () => {
    atOnce = cluster.contents(1, 'c', { consistency: { kind: 'linearizable', inSyncMin: 1 } });
  });
  expect(await atOnce).toHaveLength(2);
});

test('reads and writes go on while meta is away and nothing is stopped', async () => {
  cluster = new NodeCluster(8);
  for (const node of [1, 2]) await cluster.addNode(node);
  cluster.meta.setCollection(collectionOn('c', [1, 2]));
  await cluster.env.settle();
  for (const node of [1, 2]) cluster.meta.away.add(node);
  for (let id = 1; id <= 20; id += 1) {
    await cluster.write('c', upsertOf([id], 4, 1));
    for (const node of [1, 2]) expect(await cluster.contents(node, 'c')).toHaveLength(id);
    await cluster.env.advance(500);
  }
});

test('a lone replica answers whatever happened: nobody can have gone on without it', async () => {
  cluster = new NodeCluster(9);
  await cluster.addNode(1);
  cluster.meta.setCollection(collectionOn('c', [1]));
  await cluster.env.settle();
  await cluster.write('c', upsertOf([1, 2], 4, 1));
  cluster.meta.away.add(1);
  cluster.pause(1);
  await cluster.env.advance(60_000);
  await cluster.resume(1);
  expect(await cluster.contents(1, 'c')).toHaveLength(2);
});
