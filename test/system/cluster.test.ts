// Clusters of real processes, formed in both ways: a write through one router is read through the other, a killed node
// hides behind its replicas, and comes back without a command.
import { afterEach, expect, test } from 'vitest';
import { startPeers, startRoles, type Cluster, type Role } from '../harness/cluster.ts';
import { ask, send } from './rest-client.ts';

const running: Cluster[] = [];

afterEach(async () => {
  for (const cluster of running.splice(0)) await cluster.stop();
});

const pointCount = 60;
const batch = (version: number): unknown => ({
  points: Array.from({ length: pointCount }, (_, id) => ({
    id,
    vector: [Math.sin(id), Math.cos(id), id / pointCount, version],
    payload: { version },
  })),
});
const search = { query: [0.3, 0.4, 0.5, 0], limit: 10, with_payload: true };

interface Scored {
  readonly points: readonly { readonly id: number; readonly payload: { readonly version: number } }[];
}

/** Asks until the answer is as wanted; the test's own limit ends it otherwise. */
async function until<T>(what: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await what().catch(() => undefined);
    if (value !== undefined && holds(value)) return value;
    await new Promise<void>((resolve) => setTimeout(resolve, 100));
  }
}

/** Upload through one router, search through the other, kill a shard node, the same search, write, restart. */
async function liveThroughAKill(cluster: Cluster, victimRole: Role): Promise<void> {
  const [one, other] = cluster.urls() as [string, string];
  await ask(one, 'PUT', '/collections/c', {
    vectors: { size: 4, distance: 'Euclid' },
    shard_number: 4,
    replication_factor: 2,
  });
  await ask(one, 'PUT', '/collections/c/points?wait=true', batch(1));
  const before = await ask<Scored>(other, 'POST', '/collections/c/points/query', search);
  expect(before.points).toHaveLength(10);

  const victim = cluster.of(victimRole).at(-1)!;
  await victim.server.kill();
  for (let i = 0; i < 20; i += 1)
    expect(await ask<Scored>(one, 'POST', '/collections/c/points/query', search)).toEqual(before);
  // Points are written again while a node is away: primaries move to replicas that are in sync.
  await ask(one, 'PUT', '/collections/c/points?wait=true&timeout=30', batch(2));
  const after = await ask<Scored>(one, 'POST', '/collections/c/points/query', search);
  expect(after.points.every(({ payload }) => payload.version === 2)).toBe(true);

  await victim.restart();
  const all = { exact: true };
  const counted = await until(
    () => ask<{ count: number }>(one, 'POST', '/collections/c/points/count?consistency=all', all),
    ({ count }) => count === pointCount,
  );
  expect(counted.count).toBe(pointCount);
  const linearizable = await ask<Scored>(
    one,
    'POST',
    '/collections/c/points/query?consistency=majority',
    search,
  );
  expect(linearizable.points.map(({ id }) => id)).toEqual(after.points.map(({ id }) => id));
}

test('roles apart: three meta, three shards, two routers', async () => {
  const cluster = await startRoles({ metas: 3, shards: 3, routers: 2 });
  running.push(cluster);
  await liveThroughAKill(cluster, 'shard');
});

test("Qdrant's way: three equal peers, two of which joined the first", async () => {
  const cluster = await startPeers(3);
  running.push(cluster);
  await liveThroughAKill(cluster, 'peer');
  const reply = await send(cluster.urls()[0]!, 'GET', '/cluster');
  expect(reply.status).toBe(200);
  const telemetry = await ask<{ cluster: { enabled: boolean } }>(cluster.urls()[0]!, 'GET', '/telemetry');
  expect(telemetry.cluster.enabled).toBe(true);
});
