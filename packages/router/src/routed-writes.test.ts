import { createVirtualEnv, type VirtualEnv } from '@quiver/env/testing';
import { ClusterError, type ErrorCode, type PointsOperation } from '@quiver/model';
import { describe, expect, test } from 'vitest';
import { createRoutedWrites } from './routed-writes.ts';
import { createNodeCalls } from './routing/node-calls.ts';
import { createFakeCluster, type FakeCluster } from './routing/testing/fake-cluster.ts';
import { run } from './routing/testing/run.ts';
import { createTopology } from './routing/topology.ts';

function setup(placement: readonly (readonly number[])[]): {
  readonly env: VirtualEnv;
  readonly cluster: FakeCluster;
  readonly write: (operation: PointsOperation, withinMs?: number) => Promise<{ operationId: number }>;
} {
  const env = createVirtualEnv({ seed: 3 });
  const cluster = createFakeCluster(env, placement);
  const { nodes, meta } = cluster;
  const topology = createTopology(meta, env);
  const calls = createNodeCalls({ nodes, ownNode: null, env, catalogue: () => meta.catalogue() });
  const writes = createRoutedWrites({ calls, topology, ownNode: null, env });
  return {
    env,
    cluster,
    write: (operation, withinMs = 60_000) => {
      const collection = cluster.collection();
      return writes.write(collection, [collection.shards], operation, { deadlineMs: env.now() + withinMs });
    },
  };
}

const remove = (ids: number[]): PointsOperation => ({ kind: 'delete', target: { kind: 'ids', ids } });
const all: PointsOperation = {
  kind: 'clear_payload',
  target: { kind: 'filter', filter: { must: [], should: [], mustNot: [], minShould: null } },
};
const refusal = (code: ErrorCode) => () => ({ ok: false, failure: { code, message: 'no' } }) as const;

describe('a write over shards', () => {
  test('goes to the primaries, each part once, with keys of its own', async () => {
    const { env, cluster, write } = setup([
      [1, 2],
      [2, 1],
    ]);
    await run(env, write(remove(Array.from({ length: 50 }, (_, i) => i))));
    expect(cluster.written.map(({ nodeId, write: part }) => [nodeId, part.shardId])).toEqual([
      [1, 0],
      [2, 1],
    ]);
    const ids = cluster.written.flatMap(({ write: { operation } }) =>
      operation.kind === 'delete' && operation.target.kind === 'ids' ? operation.target.ids : [],
    );
    expect(ids.sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 50 }, (_, i) => i));
    const keys = cluster.written.map(({ write: part }) => part.operationKey);
    expect(new Set(keys).size).toBe(2);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/);
  });

  test('a refused part follows the primary with the same key; the part that was done is not sent again', async () => {
    const { env, cluster, write } = setup([[1, 2], [2]]);
    cluster.outcomes.set(1, refusal('stale_route'));
    const answer = write(all);
    await env.advance(50);
    cluster.change((shards) =>
      shards.map((shard) => (shard.shardId === 0 ? { ...shard, primary: 2 } : shard)),
    );
    await run(env, answer);
    const first = cluster.written.filter(({ write: part }) => part.shardId === 0);
    expect(first.at(-1)!.nodeId).toBe(2);
    expect(new Set(first.map(({ write: part }) => part.operationKey)).size).toBe(1);
    expect(cluster.written.filter(({ write: part }) => part.shardId === 1)).toHaveLength(1);
  });

  test('waits for a new primary when the connection to the old one breaks', async () => {
    const { env, cluster, write } = setup([[1, 2]]);
    cluster.behaviour(1).failure = new ClusterError('unavailable', 'connection lost');
    const answer = write(remove([1]));
    await env.advance(3_000);
    cluster.change((shards) => shards.map((shard) => ({ ...shard, primary: 2, inSync: [2], term: 2 })));
    await run(env, answer);
    const [sent, again] = [cluster.written[0]!, cluster.written.at(-1)!];
    expect(again.nodeId).toBe(2);
    expect(again.write.operationKey).toBe(sent.write.operationKey);
    expect(env.now()).toBeLessThan(3_600);
  });

  test('leaves a primary that is stopped as soon as another took its place', async () => {
    const { env, cluster, write } = setup([[1, 2]]);
    cluster.behaviour(1).isHung = true;
    const answer = write(remove([1]));
    await env.advance(6_000);
    cluster.change((shards) => shards.map((shard) => ({ ...shard, primary: 2, inSync: [2], term: 2 })));
    await run(env, answer);
    expect(cluster.written.map(({ nodeId }) => nodeId)).toEqual([1, 2]);
    expect(env.now()).toBeLessThan(6_500);
  });

  test('too few replicas in sync for longer than a moment is final: nothing was applied', async () => {
    const { env, cluster, write } = setup([[1, 2]]);
    cluster.outcomes.set(1, refusal('not_enough_replicas'));
    await expect(run(env, write(remove([1])))).rejects.toMatchObject({ code: 'not_enough_replicas' });
    expect(env.now()).toBeLessThan(10_500);
    await expect(run(env, write(remove([1]), 100))).rejects.toMatchObject({ code: 'not_enough_replicas' });
  });

  test('too few replicas in sync for a moment fails no write', async () => {
    const { env, cluster, write } = setup([[1, 2]]);
    cluster.outcomes.set(1, refusal('not_enough_replicas'));
    const answer = write(remove([1]));
    await env.advance(1_000);
    cluster.outcomes.delete(1);
    await run(env, answer);
    expect(new Set(cluster.written.map(({ write: part }) => part.operationKey)).size).toBe(1);
  });

  test.each(['rate_limited', 'insufficient_storage', 'not_enough_replicas'] as const)(
    'a refusal as %s after a lost connection leaves open whether the write happened',
    async (code) => {
      const { env, cluster, write } = setup([[1]]);
      cluster.behaviour(1).failure = new ClusterError('unavailable', 'connection lost');
      const answer = write(remove([1]));
      await env.advance(5);
      cluster.behaviour(1).failure = null;
      cluster.outcomes.set(1, refusal(code));
      await expect(run(env, answer)).rejects.toMatchObject({ code: 'deadline_exceeded' });
    },
  );

  test('without a primary it fails as not done; after a lost connection as perhaps done', async () => {
    const none = setup([[1]]);
    none.cluster.change((shards) => shards.map((shard) => ({ ...shard, primary: null })));
    await expect(run(none.env, none.write(remove([1])))).rejects.toMatchObject({ code: 'unavailable' });
    expect(none.cluster.written).toHaveLength(0);

    const lost = setup([[1]]);
    lost.cluster.behaviour(1).failure = new ClusterError('unavailable', 'connection lost');
    await expect(run(lost.env, lost.write(remove([1])))).rejects.toMatchObject({ code: 'deadline_exceeded' });
  });

  test('points whose slots moved while the write was refused go to their new shard', async () => {
    const { env, cluster, write } = setup([[1], [2]]);
    cluster.outcomes.set(1, refusal('slot_moved'));
    const ids = Array.from({ length: 40 }, (_, i) => i);
    const answer = write(remove(ids));
    await env.advance(50);
    cluster.change(([first, second]) => [
      { ...first!, slots: [[0, 100]], cfgVersion: 2 },
      { ...second!, slots: [[100, 16_384]], cfgVersion: 2 },
    ]);
    cluster.outcomes.delete(1);
    await run(env, answer);
    const moved = cluster.written.filter(({ nodeId, write: part }) => nodeId === 2 && part.shardId === 1);
    expect(moved).toHaveLength(2);
    const reached = new Set(
      cluster.written
        .filter(({ nodeId, atMs }) => nodeId === 2 || atMs >= 50)
        .flatMap(({ write: { operation } }) =>
          operation.kind === 'delete' && operation.target.kind === 'ids' ? operation.target.ids : [],
        ),
    );
    expect(reached.size).toBe(40);
  });

  test('a part whose outcome is open stays with its shard, with its key, until the shard says it is elsewhere', async () => {
    const { env, cluster, write } = setup([[1], [2]]);
    cluster.behaviour(1).failure = new ClusterError('unavailable', 'connection lost');
    const ids = Array.from({ length: 40 }, (_, i) => i);
    const answer = write(remove(ids));
    await env.advance(50);
    cluster.change(([first, second]) => [
      { ...first!, slots: [[0, 100]], cfgVersion: 2 },
      { ...second!, slots: [[100, 16_384]], cfgVersion: 2 },
    ]);
    await env.advance(1_000);
    const sent = cluster.written.filter(({ nodeId }) => nodeId === 1);
    expect(sent.length).toBeGreaterThan(2);
    expect(new Set(sent.map(({ write: part }) => part.operationKey)).size).toBe(1);
    expect(cluster.written.filter(({ nodeId }) => nodeId === 2)).toHaveLength(1);
    cluster.behaviour(1).failure = null;
    cluster.outcomes.set(1, refusal('slot_moved'));
    await env.advance(600);
    const moved = cluster.written.filter(({ nodeId }) => nodeId === 2).at(-1)!;
    expect(moved.write.operationKey).not.toBe(sent[0]!.write.operationKey);
    cluster.outcomes.delete(1);
    await run(env, answer);
  });

  test('a part whose shard is gone with the answer is told as perhaps done', async () => {
    const { env, cluster, write } = setup([[1], [2]]);
    cluster.behaviour(2).failure = new ClusterError('unavailable', 'connection lost');
    const answer = write(remove(Array.from({ length: 40 }, (_, i) => i)));
    const failed = expect(run(env, answer)).rejects.toMatchObject({ code: 'deadline_exceeded' });
    await env.advance(50);
    cluster.change(([first]) => [{ ...first!, slots: [[0, 16_384]], cfgVersion: 2 }]);
    await failed;
  });

  test('a filter is sent on with the slots that it is left to be done for', async () => {
    const { env, cluster, write } = setup([[1], [2]]);
    cluster.outcomes.set(1, refusal('slot_moved'));
    const answer = write(all);
    await env.advance(50);
    cluster.change(([first, second]) => [
      { ...first!, slots: [[0, 100]], cfgVersion: 2 },
      { ...second!, slots: [[100, 16_384]], cfgVersion: 2 },
    ]);
    cluster.outcomes.delete(1);
    await run(env, answer);
    const slots = cluster.written.filter(({ nodeId }) => nodeId === 2).map(({ write: part }) => part.slots);
    expect(slots).toEqual([[[8_192, 16_384]], [[100, 8_192]]]);
  });
});
