// Slots that move between two shards on several nodes in one process, while their points are written and read.
import {
  ownerOf,
  primaryOf,
  shardOf,
  type CollectionRecord,
  type PointId,
  type ShardRecord,
} from '@quiver/model';
import { afterEach, expect, test } from 'vitest';
import { collectionOn, deletionOf, NodeCluster, upsertOf } from './testing/node-cluster.ts';

let cluster: NodeCluster;

afterEach(() => cluster.close());

const ids = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** Shard 0 on nodes 1 and 2 with all slots, shard 1 on nodes 3 and 2 without any; slots are to move. */
async function startUp(seed: number, points: number): Promise<void> {
  cluster = new NodeCluster(seed);
  for (const id of [1, 2, 3]) await cluster.addNode(id);
  cluster.meta.setCollection(collectionOn('c', [1, 2]));
  await cluster.env.settle();
  for (let from = 0; from < points; from += 500) await write(ids(from, Math.min(points, from + 500)), 1);
  reshard('up');
}

function reshard(direction: 'up' | 'down'): void {
  const record = cluster.collection('c');
  const resharding = { id: 'r', direction, shardId: 1, shardKey: null, nodeId: 3, startedAtMs: 0 };
  const shards = record.shards.map((shard): ShardRecord => ({
    ...shard,
    holdsMore: true,
    cfgVersion: shard.cfgVersion + 1,
  }));
  const replicas = [
    { replica: 11, nodeId: 3 },
    { replica: 12, nodeId: 2 },
  ];
  const added: ShardRecord = {
    ...shards[0]!,
    shardId: 1,
    slots: [],
    replicas,
    inSync: [11, 12],
    primary: 11,
    term: 1,
    cfgVersion: 100,
  };
  cluster.meta.setCollection({
    ...record,
    resharding,
    shards: direction === 'up' ? [...shards, added] : shards,
  });
}

/** What a router does: each point to the owner it knows of; what the owner says is elsewhere is split anew. */
async function write(points: readonly PointId[], round: number, operation = upsertOf): Promise<void> {
  const { shards } = cluster.collection('c');
  for (const [owner, part] of Map.groupBy(points, (id) => ownerOf(shards, id)!)) {
    const { shardId } = owner;
    try {
      await cluster.write('c', operation(part, 4, round), { shardId });
    } catch (error) {
      if ((error as { code?: string }).code !== 'slot_moved') throw error;
      await cluster.env.advance(20);
      await write(part, round, operation);
    }
  }
}

/** Every point of the collection with its round, linearizably, by the slots of one record; duplicates stay. */
async function readAll(): Promise<string[]> {
  for (let tries = 0; ; tries += 1) {
    const record = cluster.collection('c');
    try {
      const pages = await Promise.all(record.shards.map((shard) => readShard(record, shard)));
      return pages.flat().sort();
    } catch (error) {
      if (tries > 500) throw error;
      await cluster.env.advance(10);
    }
  }
}

async function readShard(collection: CollectionRecord, { shardId }: ShardRecord): Promise<string[]> {
  const node = primaryOf(shardOf(collection, shardId)!)!.nodeId;
  const running = cluster.node(node).running;
  if (running === null) throw new Error('the primary is down');
  const page = await cluster.run(
    running.serve.reads.scroll(
      { collection, shardIds: [shardId] },
      {
        offset: null,
        limit: 1_000_000,
        filter: null,
        orderBy: null,
        withPayload: { kind: 'all' },
        withVector: { kind: 'none' },
      },
      { deadlineMs: cluster.env.now() + 2_000, consistency: { kind: 'linearizable', inSyncMin: 1 } },
    ),
  );
  return page.points.map(
    ({ id, payload }) => `${id}:${(JSON.parse(Buffer.from(payload!).toString()) as { round: number }).round}`,
  );
}

const shown = (expected: ReadonlyMap<PointId, number>): string[] =>
  [...expected].map(([id, round]) => `${id}:${round}`).sort();

const isOver = (): boolean =>
  cluster.collection('c').resharding === null &&
  cluster.collection('c').shards.every(({ holdsMore }) => holdsMore !== true);

/** Ids that a replica holds on its node, whatever its slots. */
async function held(node: number, shardId: number): Promise<number> {
  const record = cluster.collection('c');
  const shards = record.shards.map((shard) => ({ ...shard, slots: [[0, 16_384]] as const }));
  return cluster.run(
    cluster
      .node(node)
      .running!.serve.reads.count(
        { collection: { ...record, shards }, shardIds: [shardId] },
        { filter: null, exact: true },
        { deadlineMs: cluster.env.now() + 2_000, consistency: { kind: 'any' } },
      ),
  );
}

test('every point is shown once, as last written, at every moment; in the end each shard holds its own alone', async () => {
  const points = 600;
  await startUp(1, points);
  const expected = new Map<PointId, number>(ids(0, points).map((id) => [id, 1]));
  for (let round = 2; !isOver(); round += 1) {
    const some = ids(0, 20).map((i) => (round * 131 + i * 37) % points);
    const isDeletion = round % 5 === 0;
    await write(some, round, isDeletion ? (part) => deletionOf(part) : upsertOf);
    for (const id of some)
      if (isDeletion) expected.delete(id);
      else expected.set(id, round);
    expect(await readAll()).toEqual(shown(expected));
    expect(round, 'it comes to an end').toBeLessThan(500);
  }
  const { shards } = cluster.collection('c');
  expect(shards.map(({ slots }) => slots)).toEqual([[[0, 8_192]], [[8_192, 16_384]]]);
  const own = [0, 1].map((shardId) =>
    [...expected.keys()].filter((id) => ownerOf(shards, id)!.shardId === shardId),
  );
  expect(await held(1, 0)).toBe(own[0]!.length);
  expect(await held(2, 0)).toBe(own[0]!.length);
  expect(await held(3, 1)).toBe(own[1]!.length);
  expect(await held(2, 1)).toBe(own[1]!.length);

  reshard('down');
  await cluster.until('it is over', () => cluster.shard('c', 1).slots.length === 0, 60_000);
  expect(await readAll()).toEqual(shown(expected));
});

test('a write that was done before its slots moved is answered by the shard that did it, and done by no other', async () => {
  await startUp(2, 300);
  await cluster.env.settle();
  const id = ids(0, 300).find((one) => ownerOf(halves(), one)!.shardId === 1)!;
  const operationKey = 'f'.repeat(32);
  const seq = await cluster.write('c', upsertOf([id], 4, 7), { operationKey });
  await cluster.until('it is over', isOver, 60_000);
  expect(await cluster.write('c', upsertOf([id], 4, 7), { operationKey })).toBe(seq);
  await write([id], 8);
  await expect(cluster.write('c', upsertOf([id], 4, 9))).rejects.toMatchObject({ code: 'slot_moved' });
  expect((await readAll()).filter((point) => point.startsWith(`${id}:`))).toEqual([`${id}:8`]);
});

function halves(): ShardRecord[] {
  const [first] = cluster.collection('c').shards;
  return [
    { ...first!, slots: [[0, 8_192]] },
    { ...first!, shardId: 1, slots: [[8_192, 16_384]] },
  ];
}

test.each([11, 12, 13])(
  'seed %i: nodes that are killed and promotions in between lose nothing and show nothing twice',
  async (seed) => {
    const points = 600;
    await startUp(seed, points);
    const { env } = cluster;
    const below = (count: number): number => Math.floor(env.random() * count);
    const expected = new Map<PointId, number>(ids(0, points).map((id) => [id, 1]));
    let down: number | null = null;
    for (let round = 2; !isOver() || down !== null; round += 1) {
      expect(round, 'it comes to an end').toBeLessThan(400);
      const luck = env.random();
      if (down === null && luck < 0.1) {
        down = 1 + below(3);
        await cluster.kill(down);
        for (const { shardId, primary, replicas, inSync } of cluster.collection('c').shards) {
          const at = replicas.find(({ replica }) => replica === primary)?.nodeId;
          const other = inSync.find((replica) => replica !== primary);
          if (at === down && other !== undefined)
            cluster.meta.promote(cluster.collection('c').uuid, shardId, other);
        }
      } else if (down !== null && luck < 0.4) {
        await cluster.start(down);
        down = null;
      }
      await cluster.env.advance(below(60));
      const isServed = cluster.collection('c').shards.every((shard) => primaryOf(shard)?.nodeId !== down);
      if (!isServed) continue;
      const some = ids(0, 10).map(() => below(points));
      await write([...new Set(some)], round);
      for (const id of some) expected.set(id, round);
      if (round % 4 === 0) expect(await readAll()).toEqual(shown(expected));
    }
    expect(await readAll()).toEqual(shown(expected));
  },
);
