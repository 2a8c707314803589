import { createVirtualEnv, type VirtualEnv } from '@quiver/env/testing';
import { ClusterError } from '@quiver/model';
import { describe, expect, test } from 'vitest';
import { createRoutedReads, type RoutedReads } from '../routed-reads.ts';
import { createNodeCalls } from './node-calls.ts';
import { createScatter, type RoutedReadOptions } from './scatter.ts';
import { createFakeCluster, type FakeCluster } from './testing/fake-cluster.ts';
import { run } from './testing/run.ts';
import { createTopology } from './topology.ts';

const refused = new ClusterError('unavailable', 'connection refused');
const stale = new ClusterError('stale_route', 'not here');
const unleased = new ClusterError('lease_expired', 'was stopped');

interface Setup {
  readonly env: VirtualEnv;
  readonly cluster: FakeCluster;
  readonly reads: RoutedReads;
  /** Counts over all shards, within a second by default. */
  readonly count: (options?: Partial<RoutedReadOptions> & { withinMs?: number }) => Promise<number>;
}

function setup(placement: readonly (readonly number[])[], ownNode: number | null = null): Setup {
  const env = createVirtualEnv({ seed: 7 });
  const cluster = createFakeCluster(env, placement);
  const { nodes, meta } = cluster;
  const topology = createTopology(meta, env);
  const calls = createNodeCalls({ nodes, ownNode, env, catalogue: () => meta.catalogue() });
  const reads = createRoutedReads(createScatter({ calls, topology, env }));
  return {
    env,
    cluster,
    reads,
    count({ withinMs = 1_000, ...options } = {}) {
      const collection = cluster.collection();
      return reads.count(
        { collection, shardIds: collection.shards.map(({ shardId }) => shardId) },
        { filter: null, exact: true },
        {
          call: { deadlineMs: env.now() + withinMs, consistency: { kind: 'any' } },
          affinity: null,
          onMissing: null,
          ...options,
        },
      );
    },
  };
}

const both = 1_000 + 1_000_000;

describe('a read over replicated shards', () => {
  test('makes one call per node, and none over the network where the own node has everything', async () => {
    const apart = setup([[1], [2], [1]]);
    expect(await run(apart.env, apart.count())).toBe(1_000 + 1_000_000 + 1_000_000_000);
    expect(apart.cluster.asked.map(({ shardIds }) => shardIds)).toEqual([[0, 2], [1]]);

    const own = setup(
      [
        [1, 2],
        [2, 1],
      ],
      2,
    );
    await run(own.env, own.count());
    expect(own.cluster.asked.map(({ nodeId, shardIds }) => [nodeId, shardIds])).toEqual([[2, [0, 1]]]);
  });

  test('asks no replica that is believed dead, though it is in sync', async () => {
    const { env, cluster, count } = setup([[1, 2, 3]]);
    cluster.change((shards) =>
      shards.map((shard) => ({ ...shard, primary: shard.inSync[2]!, suspects: shard.inSync.slice(0, 2) })),
    );
    for (let i = 0; i < 6; i += 1) await run(env, count());
    expect(new Set(cluster.asked.map(({ nodeId }) => nodeId))).toEqual(new Set([3]));
  });

  test('asks only replicas that are in sync', async () => {
    const { env, cluster, count } = setup([[1, 2, 3]]);
    cluster.change((shards) => shards.map((shard) => ({ ...shard, inSync: [3], primary: 3 })));
    for (let i = 0; i < 10; i += 1) await run(env, count());
    expect(new Set(cluster.asked.map(({ nodeId }) => nodeId))).toEqual(new Set([3]));
  });

  test('goes on over other replicas when a node is dead, and leaves that one alone afterwards', async () => {
    const { env, cluster, count } = setup([
      [1, 2],
      [2, 1],
    ]);
    cluster.behaviour(1).failure = refused;
    for (let i = 0; i < 20; i += 1) expect(await run(env, count())).toBe(both);
    const dead = cluster.asked.filter(({ nodeId }) => nodeId === 1);
    // The first failure opens the circuit; a probe may follow each time it closes.
    expect(dead.length).toBeGreaterThan(0);
    expect(dead.length).toBeLessThan(5);
  });

  test('finds a node that came back by a probe', async () => {
    const { env, cluster, count } = setup([[1, 2]]);
    cluster.behaviour(1).failure = refused;
    for (let i = 0; i < 10; i += 1) await run(env, count());
    cluster.behaviour(1).failure = null;
    cluster.asked.length = 0;
    for (let i = 0; i < 200; i += 1) await run(env, count(), 20);
    const shares = [1, 2].map((id) => cluster.asked.filter(({ nodeId }) => nodeId === id).length);
    expect(Math.min(...shares)).toBeGreaterThan(50);
  });

  test('a node that is stopped, not dead, delays a read by no more than its hedge or a second', async () => {
    const { env, cluster, count } = setup([[1, 2]]);
    cluster.behaviour(1).isHung = true;
    for (let i = 0; i < 10; i += 1) {
      const startedAtMs = env.now();
      expect(await run(env, count({ withinMs: 30_000 }))).toBe(1_000);
      expect(env.now() - startedAtMs).toBeLessThan(1_200);
    }
  });

  test('hedges a slow node, and only a small share of calls', async () => {
    const { env, cluster, count } = setup([[1, 2]]);
    for (let i = 0; i < 100; i += 1) await run(env, count());
    cluster.asked.length = 0;
    // Slower than its p95, every time: each of its calls would like a second one.
    cluster.behaviour(1).latencyMs = 40;
    cluster.behaviour(2).latencyMs = 40;
    for (let i = 0; i < 400; i += 1) await run(env, count());
    expect(cluster.asked.length).toBeGreaterThan(400);
    expect(cluster.asked.length).toBeLessThanOrEqual(400 + 0.05 * 400 + 10);
  });

  test('the only replica of a shard is asked again after pauses, for half of the time there is', async () => {
    const { env, cluster, count } = setup([[1]]);
    cluster.behaviour(1).failure = stale;
    const failure = await run(env, count()).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 });
    expect(String(failure)).toContain('shard 0 of collection c');
    expect(cluster.asked.length).toBe(4);
    expect(new Set(cluster.asked.map(({ atMs }) => atMs)).size).toBe(4);
  });

  test.each([refused, stale])(
    'a read waits for a moment in which no replica can answer: %s',
    async (failure) => {
      const { env, cluster, count } = setup([[1, 2]]);
      for (const id of [1, 2]) cluster.behaviour(id).failure = failure;
      const answer = count({ withinMs: 30_000 });
      await env.advance(1_000);
      cluster.behaviour(2).failure = null;
      expect(await run(env, answer)).toBe(1_000);
      expect(cluster.asked.length).toBeLessThan(20);
    },
  );

  test('a replica that was stopped and has no lease yet costs a read one call: another one is asked at once', async () => {
    const { env, cluster, count } = setup([[1, 2]]);
    cluster.behaviour(1).failure = unleased;
    for (let i = 0; i < 20; i += 1) {
      const startedAtMs = env.now();
      expect(await run(env, count(), 1)).toBe(1_000);
      expect(env.now() - startedAtMs).toBeLessThanOrEqual(2 * cluster.behaviour(1).latencyMs + 1);
    }
    // Its connection is in order: it goes on being asked.
    expect(cluster.asked.filter(({ nodeId }) => nodeId === 1).length).toBeGreaterThan(5);
  });

  test('the only replica is asked again in tens of milliseconds while it has no lease, until it has', async () => {
    const { env, cluster, count } = setup([[1]]);
    cluster.behaviour(1).failure = unleased;
    const answer = count({ withinMs: 30_000 });
    await env.advance(40);
    cluster.behaviour(1).failure = null;
    expect(await run(env, answer, 1)).toBe(1_000);
    expect(env.now()).toBeLessThan(120);
  });

  test.each([1, 2])('replicas without leases are waited for, within the deadline: %i of them', async (of) => {
    const { env, cluster, count } = setup([[1, 2].slice(0, of)]);
    for (const id of [1, 2]) cluster.behaviour(id).failure = unleased;
    const answer = count({ withinMs: 10_000 });
    await env.advance(3_000);
    cluster.behaviour(1).failure = null;
    expect(await run(env, answer)).toBe(1_000);
    cluster.behaviour(1).failure = unleased;
    await expect(run(env, count({ withinMs: 1_000 }))).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('the only replica, which has no lease yet, is there: it is waited for as long as half of the time', async () => {
    const { env, cluster, count } = setup([[1]]);
    cluster.behaviour(1).failure = unleased;
    const answer = count({ withinMs: 60_000 });
    await env.advance(20_000);
    cluster.behaviour(1).failure = null;
    expect(await run(env, answer)).toBe(1_000);
  });

  test('a stale route is asked anew with the record of the next revision, without the whole wait', async () => {
    const { env, cluster, count } = setup([[1]]);
    cluster.behaviour(1).failure = stale;
    const answer = count();
    await env.advance(10);
    cluster.change((shards) =>
      shards.map((shard) => ({
        ...shard,
        replicas: [{ replica: 77, nodeId: 2 }],
        inSync: [77],
        primary: 77,
      })),
    );
    expect(await run(env, answer)).toBe(1_000);
    expect(cluster.asked.at(-1)).toMatchObject({ nodeId: 2 });
    expect(env.now()).toBeLessThan(150);
  });

  test('what another replica would say again is final', async () => {
    const { env, cluster, count } = setup([[1, 2]]);
    for (const id of [1, 2]) cluster.behaviour(id).failure = new ClusterError('invalid_argument', 'no');
    await expect(run(env, count())).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(cluster.asked.length).toBe(1);
  });

  test('shards that nobody answers for are named, or left out for a caller who takes that', async () => {
    const { env, cluster, count } = setup([[1], [2]]);
    cluster.behaviour(2).failure = refused;
    await expect(run(env, count())).rejects.toThrow('shard 1 of collection c');
    const missing: number[] = [];
    expect(await run(env, count({ onMissing: (shardId) => missing.push(shardId) }))).toBe(1_000);
    expect(missing).toEqual([1]);
  });

  test('a caller with an affinity stays on one replica until that dies', async () => {
    const { env, cluster, count } = setup([[1, 2, 3]]);
    for (let i = 0; i < 20; i += 1) await run(env, count({ affinity: 'someone' }));
    const [first] = cluster.asked;
    expect(new Set(cluster.asked.map(({ nodeId }) => nodeId)).size).toBe(1);
    cluster.behaviour(first!.nodeId).failure = refused;
    expect(await run(env, count({ affinity: 'someone' }))).toBe(1_000);
    const tokens = Array.from({ length: 20 }, (_, i) => `caller ${i}`);
    cluster.behaviour(first!.nodeId).failure = null;
    await env.advance(5_000);
    cluster.asked.length = 0;
    for (const affinity of tokens) await run(env, count({ affinity }));
    expect(new Set(cluster.asked.map(({ nodeId }) => nodeId)).size).toBeGreaterThan(1);
  });

  test('read_fan_out_factor asks further replicas after its delay', async () => {
    const { env, cluster, count } = setup([[1, 2, 3]]);
    const collection = cluster.collection();
    collection.config.params.read_fan_out_factor = 2;
    collection.config.params.read_fan_out_delay_ms = 7;
    for (const id of [1, 2, 3]) cluster.behaviour(id).latencyMs = 30;
    await run(env, count());
    expect(cluster.asked.map(({ atMs }) => atMs)).toEqual([0, 7, 7]);
  });

  test('a linearizable read goes to the primary, and to its successor when it is stopped', async () => {
    const { env, cluster, count } = setup([[1, 2]]);
    const consistency = { kind: 'linearizable', inSyncMin: 1 } as const;
    const read = (): Promise<number> =>
      count({ call: { deadlineMs: env.now() + 30_000, consistency }, withinMs: 30_000 });
    await run(env, read());
    expect(cluster.asked.map(({ nodeId }) => nodeId)).toEqual([1]);
    cluster.behaviour(1).isHung = true;
    const answer = read();
    await env.advance(2_000);
    cluster.change((shards) => shards.map((shard) => ({ ...shard, primary: null, inSync: [2], term: 2 })));
    await env.advance(2_000);
    cluster.change((shards) => shards.map((shard) => ({ ...shard, primary: 2, inSync: [2], term: 2 })));
    expect(await run(env, answer)).toBe(1_000);
    expect(env.now()).toBeLessThan(5_200);
  });

  test('more bytes than a node may have under way are refused at once', async () => {
    const env = createVirtualEnv();
    const { nodes, meta } = createFakeCluster(env, [[1]]);
    const calls = createNodeCalls({
      nodes,
      ownNode: null,
      env,
      catalogue: () => meta.catalogue(),
      inFlightBytesMax: 100,
    });
    const pending = Promise.withResolvers<number>();
    const first = calls.call(1, 1_000, () => pending.promise);
    await expect(calls.call(1, 1, () => Promise.resolve(2))).rejects.toMatchObject({
      code: 'rate_limited',
      retryAfterSeconds: 1,
    });
    pending.resolve(1);
    expect(await first).toBe(1);
    expect(await calls.call(1, 1, () => Promise.resolve(2))).toBe(2);
  });
});

describe('a read while slots move', () => {
  const move = (cluster: FakeCluster): void =>
    cluster.change(([first, second]) => [
      { ...first!, slots: [[0, 100]], cfgVersion: 2 },
      { ...second!, slots: [[100, 16_384]], cfgVersion: 2 },
    ]);

  test('begins anew with all shards when one of them says that its slots have moved', async () => {
    const { env, cluster, count } = setup([[1], [2]]);
    cluster.behaviour(1).failure = stale;
    const answer = count();
    await env.advance(5);
    cluster.behaviour(1).failure = null;
    move(cluster);
    expect(await run(env, answer)).toBe(both);
    const slots = cluster.asked.slice(-2).map((call) => call.slots);
    expect(slots).toEqual([[[[0, 100]]], [[[100, 16_384]]]]);
  });

  test('goes on with what it knew when slots move after all parts were asked', async () => {
    const { env, cluster, count } = setup([[1], [2]]);
    cluster.behaviour(2).latencyMs = 20;
    const answer = count();
    await env.advance(5);
    move(cluster);
    expect(await run(env, answer)).toBe(both);
    expect(cluster.asked).toHaveLength(2);
  });

  test('is not answered by the shard of another key that has the number of one that went', async () => {
    const { env, cluster, count } = setup([[1], [2]]);
    const keyed = (second: string, version: number): void =>
      cluster.change((shards) =>
        shards.map((shard, i) => {
          const replica = 100 * version + i;
          const replicas = [{ replica, nodeId: i + 1 }];
          const shardKey = i === 0 ? 'first' : second;
          return { ...shard, shardKey, replicas, inSync: [replica], primary: replica, slots: [[0, 16_384]] };
        }),
      );
    keyed('second', 1);
    cluster.behaviour(2).failure = stale;
    const answer = count();
    await env.advance(5);
    cluster.behaviour(2).failure = null;
    keyed('other', 2);
    expect(await run(env, answer)).toBe(1_000);
  });

  test('fails when all the shards it is for have gone', async () => {
    const { env, cluster, count } = setup([[1]]);
    const keyed = (shardKey: string): void =>
      cluster.change(([shard]) => [{ ...shard!, shardKey, cfgVersion: shard!.cfgVersion + 1 }]);
    keyed('first');
    cluster.behaviour(1).failure = stale;
    const answer = count();
    const failed = expect(answer).rejects.toMatchObject({ code: 'not_found' });
    await env.advance(5);
    cluster.behaviour(1).failure = null;
    keyed('other');
    await run(env, failed);
  });

  test('asks a shard that came meanwhile', async () => {
    const { env, cluster, count } = setup([[1], [2]]);
    cluster.behaviour(1).failure = stale;
    const answer = count();
    await env.advance(5);
    cluster.behaviour(1).failure = null;
    cluster.change(([first, second]) => [
      { ...first!, slots: [[0, 100]], cfgVersion: 2 },
      second!,
      { ...first!, shardId: 2, slots: [[100, 8_192]], replicas: second!.replicas, primary: 12, inSync: [12] },
    ]);
    expect(await run(env, answer)).toBe(both + 1_000_000_000);
  });
});
