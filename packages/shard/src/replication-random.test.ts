// Random histories of writes, kills, cuts and promotions: at the end all copies are equal, and what was acknowledged is
// there. QUIVER_SEED=n replays one: QUIVER_SEED=n npx vitest run --project unit packages/shard/src/replication-random
// QUIVER_HISTORIES=n runs n of them.
import { expect, test } from 'vitest';
import { collectionOn, deletionOf, NodeCluster, upsertOf } from './testing/node-cluster.ts';

const nodes = [1, 2, 3];
const given = process.env['QUIVER_SEED'];
const count = Number(process.env['QUIVER_HISTORIES'] ?? 6);
/** 2078289099: digests taken for one primary answered the barrier of the next. */
const failedOnce = [2_078_289_099];
const seeds =
  given === undefined
    ? [...failedOnce, ...Array.from({ length: count }, () => Math.floor(Math.random() * 2 ** 31))]
    : [Number(given)];

test.each(seeds)('seed %i', async (seed) => {
  const cluster = new NodeCluster(seed);
  const { env, meta } = cluster;
  const pick = (count: number): number => Math.floor(env.random() * count);
  for (const id of nodes) await cluster.addNode(id);
  meta.setCollection(collectionOn('c', nodes));
  const { uuid } = cluster.collection('c');
  /** Newest acknowledged round of each point (null: deleted), and rounds whose fate is open. */
  const acknowledged = new Map<number, number | null>();
  const open = new Map<number, Set<number | null>>();
  const cutOff = new Set<number>();
  let round = 0;
  const isSlow = seed % 2 === 0;

  async function write(): Promise<void> {
    round += 1;
    const mine = round;
    const from = pick(200);
    const points = Array.from({ length: 1 + pick(40) }, (_, i) => from + i);
    const isDeletion = env.random() < 0.25;
    const value = isDeletion ? null : mine;
    const operation = isDeletion ? deletionOf(points) : upsertOf(points, 4, mine);
    try {
      await cluster.write('c', operation, { timeoutMs: 1_500 });
      for (const id of points) {
        acknowledged.set(id, value);
        open.delete(id);
      }
    } catch {
      for (const id of points) open.set(id, (open.get(id) ?? new Set()).add(value));
    }
  }

  async function disturb(): Promise<void> {
    const id = 1 + pick(3);
    const shard = cluster.shard('c');
    const isLeading = shard.replicas.find(({ replica }) => replica === shard.primary)?.nodeId === id;
    switch (pick(4)) {
      case 0:
        if (cluster.node(id).running === null) await cluster.start(id);
        else await cluster.kill(id);
        break;
      case 1:
        for (const other of nodes) if (other !== id) cluster.cut(id, other);
        cutOff.add(id);
        if (isLeading) meta.away.add(id);
        break;
      case 2:
        cluster.heal();
        cutOff.clear();
        break;
      case 3: {
        // As the controller: only a member of the in-sync set that is reachable.
        const isGone = cluster.node(id).running === null || cutOff.has(id);
        if (!isLeading || !isGone) break;
        const next = shard.inSync.find((replica) => {
          const at = shard.replicas.find((one) => one.replica === replica)!.nodeId;
          return at !== id && cluster.node(at).running !== null && !cutOff.has(at);
        });
        if (next !== undefined) meta.promote(uuid, 0, next);
      }
    }
    await env.advance(pick(400));
  }

  for (let step = 0; step < 60; step += 1) {
    await (env.random() < 0.6 ? write() : disturb());
    // Long enough for copies of all rows to be written.
    if (isSlow && step % 6 === 0) await env.advance(12_000);
  }

  cluster.heal();
  for (const id of nodes) if (cluster.node(id).running === null) await cluster.start(id);
  // Members that were away a moment ago may still be evicted.
  await env.advance(5_000);
  await cluster.until('all in sync', () => cluster.shard('c').inSync.length === 3, 60_000);
  await cluster.write('c', upsertOf([999], 4, 1));
  const shown = await cluster.contents(1, 'c');
  for (const id of [2, 3]) expect(await cluster.contents(id, 'c'), `node ${id}`).toEqual(shown);
  const rounds = new Map(
    shown.map((point) => [Number(/^\d+/.exec(point)![0]), Number(/"round":(\d+)/.exec(point)![1])]),
  );
  for (const [id, value] of acknowledged) {
    const found = rounds.get(id) ?? null;
    const isAllowed = found === value || (open.get(id)?.has(found) ?? false);
    expect(isAllowed, `seed ${seed}: point ${id} shows ${found}, acknowledged was ${value}`).toBe(true);
  }
  // As the disk has it.
  if (isSlow) await env.advance(12_000);
  for (const id of nodes) await cluster.kill(id);
  for (const id of nodes) await cluster.start(id);
  await cluster.until('in sync again', () => cluster.shard('c').inSync.length === 3, 60_000);
  await cluster.write('c', upsertOf([998], 4, 1));
  for (const id of nodes) {
    const again = await cluster.contents(id, 'c');
    expect(
      again.filter((point) => !point.startsWith('998@')),
      `node ${id}, after a restart`,
    ).toEqual(shown);
  }
  expect(cluster.logged.filter((line) => /alarm|failed|of our own/.test(line))).toEqual([]);
  await cluster.close();
});
