// Several shard nodes in one process: what one acknowledges, all in-sync ones have.
import { afterEach, expect, test } from 'vitest';
import { keys } from './control/records.ts';
import { collectionOn, deletionOf, NodeCluster, upsertOf } from './testing/node-cluster.ts';

let cluster: NodeCluster;

afterEach(() => cluster.close());

async function clusterOf(
  nodes: readonly number[],
  options: { seed?: number; minInSync?: number; dim?: number } = {},
) {
  cluster = new NodeCluster(options.seed ?? 1);
  for (const id of nodes) await cluster.addNode(id);
  cluster.meta.setCollection(collectionOn('c', nodes, options));
  await cluster.env.settle();
  return cluster;
}

const ids = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

function isAllInSync(): boolean {
  const { inSync, replicas, primary } = cluster.shard('c');
  return primary !== null && inSync.length === replicas.length;
}

async function expectEqualCopies(nodes: readonly number[]): Promise<void> {
  const first = await cluster.contents(nodes[0]!, 'c');
  for (const node of nodes.slice(1)) expect(await cluster.contents(node, 'c'), `node ${node}`).toEqual(first);
}

test('one node: a write is answered when it is durable and searchable', async () => {
  await clusterOf([1]);
  expect(await cluster.write('c', upsertOf(ids(0, 50), 4, 1))).toBe(1);
  await cluster.write('c', deletionOf([3, 4]));
  expect(await cluster.contents(1, 'c')).toHaveLength(48);
});

test('a restarted single node takes a new term and has everything', async () => {
  await clusterOf([1]);
  await cluster.write('c', upsertOf(ids(0, 50), 4, 1));
  const before = await cluster.contents(1, 'c');
  await cluster.kill(1);
  await cluster.start(1);
  await cluster.write('c', upsertOf([100], 4, 2));
  expect(cluster.shard('c').term).toBe(2);
  expect((await cluster.contents(1, 'c')).slice(0, 50)).toEqual(before);
});

test('an acknowledged write is searchable on every replica', async () => {
  await clusterOf([1, 2, 3]);
  await cluster.write('c', upsertOf(ids(0, 200), 4, 1));
  await cluster.write('c', upsertOf(ids(50, 70), 4, 2));
  await cluster.write('c', deletionOf(ids(10, 20)));
  const payload = { kind: 'set_payload' as const, key: null, payload: { seen: true } };
  await cluster.write('c', { ...payload, target: { kind: 'ids', ids: [1, 2, 60] } });
  const shown = await cluster.contents(1, 'c');
  expect(shown).toHaveLength(190);
  expect(shown[1]).toContain('"seen":true');
  await expectEqualCopies([1, 2, 3]);
});

test('equal replicas have equal digests at equal changes, other points have others', async () => {
  await clusterOf([1, 2]);
  const sums = async () => {
    const described = [1, 2].map((node) =>
      cluster.run(
        cluster
          .node(node)
          .running!.serve.writes.describe(
            { collection: cluster.collection('c'), shardIds: [0] },
            { deadlineMs: cluster.env.now() + 10_000 },
          ),
      ),
    );
    return (await Promise.all(described)).map(([state]) => ({
      digest: state!.digest,
      appliedSeq: state!.appliedSeq,
    }));
  };
  await cluster.write('c', upsertOf(ids(0, 100), 4, 1));
  expect((await sums()).map(({ digest }) => digest)).toEqual([null, null]);
  await cluster.env.advance(5_000);
  const before = await sums();
  expect(before[0]!.digest).toMatch(/^[0-9a-f]{16}$/);
  expect(before[1]).toEqual(before[0]);
  await cluster.write('c', upsertOf([7], 4, 2));
  await cluster.write('c', deletionOf([8]));
  await cluster.env.advance(100);
  const after = await sums();
  expect(after[0]!.digest).not.toBe(before[0]!.digest);
  expect(after[1]).toEqual(after[0]);
  await cluster.kill(2);
  await cluster.start(2);
  await cluster.env.advance(5_000);
  expect((await sums())[1]).toEqual(after[0]);
});

test('a follower refuses writes, and linearizable reads, as a stale route', async () => {
  await clusterOf([1, 2]);
  await expect(cluster.write('c', upsertOf([1], 4, 1), { node: 2, timeoutMs: 500 })).rejects.toThrow(
    'stale_route',
  );
  await expect(
    cluster.contents(2, 'c', { consistency: { kind: 'linearizable', inSyncMin: 1 } }),
  ).rejects.toThrow('not the primary');
});

test('a follower that was away copies what changed, and little more', async () => {
  const dim = 256;
  await clusterOf([1, 2], { dim });
  await cluster.write('c', upsertOf(ids(0, 1_000), dim, 1));
  await cluster.kill(2);
  await cluster.write('c', upsertOf(ids(100, 340), dim, 2));
  await cluster.write('c', deletionOf(ids(0, 10)));
  expect(cluster.shard('c').inSync).toEqual([1]);
  const sentBefore = cluster.sentBytes.get('1>2') ?? 0;
  await cluster.start(2);
  await cluster.until('back in sync', isAllInSync);
  const sentBytes = (cluster.sentBytes.get('1>2') ?? 0) - sentBefore;
  expect(sentBytes / (240 * 4 * dim)).toBeLessThan(1.5);
  await expectEqualCopies([1, 2]);
});

test('a new primary leads without what the old one had not replicated, and the old one rewinds', async () => {
  await clusterOf([1, 2, 3]);
  await cluster.write('c', upsertOf(ids(0, 100), 4, 1));
  // Cut off with operations of its own that nobody else will have.
  cluster.cut(1, 2);
  cluster.cut(1, 3);
  cluster.meta.away.add(1);
  const lost = cluster.write('c', upsertOf(ids(90, 120), 4, 7), { node: 1, timeoutMs: 3_000 });
  await expect(lost).rejects.toThrow('may still be applied');
  const { uuid } = cluster.collection('c');
  expect(cluster.meta.promote(uuid, 0, 2)).toBe(true);
  await cluster.write('c', upsertOf(ids(95, 110), 4, 3));
  await cluster.write('c', deletionOf([0]));
  cluster.heal();
  await cluster.until('back in sync', isAllInSync);
  const shown = await cluster.contents(2, 'c');
  expect(shown).toHaveLength(109);
  expect(shown.some((point) => point.includes('"round":7'))).toBe(false);
  await expectEqualCopies([1, 2, 3]);
  // The rewound copy holds after a restart, too.
  await cluster.kill(1);
  await cluster.start(1);
  await cluster.until('back in sync', isAllInSync);
  await expectEqualCopies([1, 2, 3]);
});

test('a blank replica copies everything, and everything again after a kill in the middle', async () => {
  await clusterOf([1, 2]);
  await cluster.write('c', upsertOf(ids(0, 3_000), 4, 1));
  await cluster.write('c', deletionOf(ids(100, 200)));
  await cluster.addNode(3);
  const { uuid } = cluster.collection('c');
  cluster.meta.changeShard(uuid, 0, (shard) => ({
    ...shard,
    replicas: [...shard.replicas, { replica: 9, nodeId: 3 }],
  }));
  await cluster.env.advance(20);
  await cluster.kill(3);
  await cluster.start(3);
  await cluster.until('in sync', isAllInSync);
  await expectEqualCopies([1, 2, 3]);
});

test('the primary dies: a follower is promoted and has every acknowledged write', async () => {
  await clusterOf([1, 2, 3]);
  for (let round = 0; round < 5; round += 1) await cluster.write('c', upsertOf(ids(0, 100), 4, round));
  const before = await cluster.contents(1, 'c');
  await cluster.kill(1);
  cluster.meta.promote(cluster.collection('c').uuid, 0, 3);
  await cluster.write('c', upsertOf([500], 4, 9));
  expect((await cluster.contents(3, 'c')).slice(0, 100)).toEqual(before);
  await cluster.start(1);
  await cluster.until('back in sync', isAllInSync);
  await expectEqualCopies([1, 2, 3]);
});

test('a primary whose disk lost the newest it had confirmed, and shows no trace of it, gives the role away', async () => {
  await clusterOf([1, 2]);
  await cluster.write('c', upsertOf(ids(0, 20), 4, 1));
  await cluster.env.advance(5_000);
  const batches = cluster.node(1).disk.batchCount;
  await cluster.write('c', upsertOf([20], 4, 2));
  expect(cluster.node(1).disk.batchCount).toBeGreaterThan(batches);
  await cluster.kill(1);
  cluster.node(1).disk.rewind(batches);
  await cluster.start(1);

  await cluster.until('the other one leads', () => cluster.shard('c').primary === 2 && isAllInSync());
  expect(cluster.logged.join('')).not.toContain('data_loss');
  const all = await cluster.contents(2, 'c', { consistency: { kind: 'linearizable', inSyncMin: 2 } });
  expect(all).toHaveLength(21);
  await expectEqualCopies([1, 2]);
});

test('too few replicas in sync refuse a write before anything of it is applied', async () => {
  await clusterOf([1, 2], { minInSync: 2 });
  await cluster.write('c', upsertOf([1], 4, 1));
  await cluster.kill(2);
  await cluster.until('evicted', () => cluster.shard('c').inSync.length === 1);
  await expect(cluster.write('c', upsertOf([2], 4, 1))).rejects.toThrow('not_enough_replicas');
  expect(await cluster.contents(1, 'c')).toHaveLength(1);
  await expect(
    cluster.contents(1, 'c', { consistency: { kind: 'linearizable', inSyncMin: 2 } }),
  ).rejects.toThrow('in sync');
});

test('a repeated operation is answered as the first time, also by another primary', async () => {
  await clusterOf([1, 2]);
  const operationKey = 'a'.repeat(32);
  const seq = await cluster.write('c', upsertOf([1, 2], 4, 1), { operationKey });
  await cluster.write('c', deletionOf([1]));
  expect(await cluster.write('c', upsertOf([1, 2], 4, 1), { operationKey })).toBe(seq);
  await cluster.kill(1);
  cluster.meta.promote(cluster.collection('c').uuid, 0, 2);
  expect(await cluster.write('c', upsertOf([1, 2], 4, 1), { operationKey })).toBe(seq);
  expect(await cluster.contents(2, 'c')).toHaveLength(1);
});

test('a linearizable read of a primary that was replaced without its knowledge is not answered', async () => {
  await clusterOf([1, 2]);
  await cluster.write('c', upsertOf([1], 4, 1));
  const linearizable = { consistency: { kind: 'linearizable', inSyncMin: 1 } as const };
  expect(await cluster.contents(1, 'c', linearizable)).toHaveLength(1);
  cluster.cut(1, 2);
  cluster.meta.away.add(1);
  cluster.meta.promote(cluster.collection('c').uuid, 0, 2);
  await cluster.write('c', upsertOf([2], 4, 1));
  await expect(cluster.contents(1, 'c', linearizable)).rejects.toThrow();
});

test('a drained node hands its primaries over, and writes go on', async () => {
  await clusterOf([1, 2]);
  await cluster.write('c', upsertOf(ids(0, 10), 4, 1));
  await cluster.run(cluster.control(1).drain(cluster.env.now() + 5_000));
  expect(cluster.shard('c').primary).toBe(2);
  await cluster.write('c', upsertOf(ids(5, 15), 4, 2));
  await expectEqualCopies([1, 2]);
  expect(cluster.control(2).reports().replicas).toMatchObject([{ replica: 2, role: 'primary', points: 15 }]);
});

test('writes are refused with a time to come back while too much waits to be indexed; deletions are not', async () => {
  cluster = new NodeCluster(1);
  cluster.unindexedBytesMax = 100 * 4 * 4;
  await cluster.addNode(1);
  cluster.meta.setCollection(collectionOn('c', [1]));
  await cluster.env.settle();
  await cluster.write('c', upsertOf(ids(0, 90), 4, 1));
  const atOnceMs = cluster.env.now();
  await cluster.write('c', upsertOf(ids(90, 150), 4, 1));
  const slowedMs = cluster.env.now();
  await cluster.write('c', upsertOf(ids(150, 200), 4, 1));
  // Half of the way from once to twice the limit: half a second.
  expect(slowedMs - atOnceMs).toBeLessThan(300);
  expect(cluster.env.now() - slowedMs).toBeGreaterThanOrEqual(500);
  await expect(cluster.write('c', upsertOf([200], 4, 1), { node: 1 })).rejects.toThrow('rate_limited');
  await cluster.write('c', deletionOf(ids(0, 150)));
  await cluster.write('c', upsertOf([200], 4, 1));
});

test('nothing waits to be indexed where vectors are to have no graph', async () => {
  cluster = new NodeCluster(1);
  cluster.unindexedBytesMax = 100 * 4 * 4;
  await cluster.addNode(1);
  const record = collectionOn('c', [1]);
  const { config } = record;
  const vectors = { size: 4, distance: 'Euclid' as const, hnsw_config: { m: 0 } };
  cluster.meta.setCollection({
    ...record,
    config: { ...config, params: { ...config.params, vectors } },
  });
  await cluster.env.settle();
  await cluster.write('c', upsertOf(ids(0, 500), 4, 1));
  await cluster.write('c', upsertOf([500], 4, 1), { node: 1 });
  expect(await cluster.contents(1, 'c')).toHaveLength(501);
});

test('writes that come while the primary is handed over wait, and are done by whoever leads then', async () => {
  await clusterOf([1, 2]);
  await cluster.write('c', upsertOf(ids(0, 10), 4, 1));
  // Not drained before the follower has this write, which is on its way.
  cluster.cut(1, 2);
  const first = cluster.write('c', upsertOf([20], 4, 2));
  const drained = cluster.control(1).drain(cluster.env.now() + 5_000);
  const { serve } = cluster.node(1).running!;
  const queued = serve.writes.write(
    cluster.collection('c'),
    [{ shardId: 0, operation: upsertOf([21], 4, 2), operationKey: 'a'.repeat(32) }],
    { deadlineMs: cluster.env.now() + 10_000 },
  );
  await cluster.env.advance(300);
  cluster.heal();
  const [outcome] = await cluster.run(queued);
  await cluster.run(drained);
  await first;
  expect(cluster.shard('c').primary).toBe(2);
  // Another leads: the router asks there, with the same key. Nothing of it was done here.
  expect(outcome).toMatchObject({ ok: false, failure: { code: 'stale_route' } });
  await cluster.write('c', upsertOf([21], 4, 2), { operationKey: 'a'.repeat(32) });
  await expectEqualCopies([1, 2]);
  expect(await cluster.contents(2, 'c')).toHaveLength(12);
});

test('writes that waited for a hand-over that was given up are done where they are', async () => {
  await clusterOf([1, 2]);
  await cluster.write('c', upsertOf(ids(0, 10), 4, 1));
  cluster.meta.away.add(1);
  const drained = cluster.control(1).drain(cluster.env.now() + 1_000);
  const { serve } = cluster.node(1).running!;
  const queued = serve.writes.write(
    cluster.collection('c'),
    [{ shardId: 0, operation: upsertOf([21], 4, 2), operationKey: 'b'.repeat(32) }],
    { deadlineMs: cluster.env.now() + 10_000 },
  );
  const [outcome] = await cluster.run(queued);
  await cluster.run(drained);
  expect(outcome).toMatchObject({ ok: true });
  await expectEqualCopies([1, 2]);
});

test('a copy that lost a record is given up, and the one placed instead copies everything', async () => {
  await clusterOf([1, 2]);
  for (const id of ids(0, 20)) await cluster.write('c', upsertOf([id], 4, 1));
  await cluster.node(2).running!.store.commit([{ kind: 'delete', key: keys.bySeq(2, 7, 0, 1) }]);
  await cluster.kill(2);
  await cluster.start(2);
  await cluster.until('given up', () => cluster.shard('c').replicas.length === 1);
  const { uuid } = cluster.collection('c');
  cluster.meta.changeShard(uuid, 0, (shard) => ({
    ...shard,
    replicas: [...shard.replicas, { replica: 9, nodeId: 2 }],
  }));
  await cluster.until('in sync', () => cluster.shard('c').inSync.includes(9));
  await expectEqualCopies([1, 2]);
});
