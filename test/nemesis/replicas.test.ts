// The comparison of replicas against nodes that hold other points on purpose.
import type { CollectionRecord, PointRecord, ShardRecord } from '@quiver/model';
import type { ShardNode } from '@quiver/rpc';
import { expect, test } from 'vitest';
import type { Observer } from './observer.ts';
import { compareReplicas } from './replicas.ts';

interface Held {
  readonly points: Readonly<Record<number, number>>;
  readonly digest: string | null;
  readonly count?: number;
}

/** A collection of one shard with a replica on each node; the first is the primary. */
function observerOf(held: readonly Held[], inSync = held.map((_, i) => i + 1)): Observer {
  const replicas = held.map((_, i) => ({ replica: i + 1, nodeId: i + 1 }));
  const shard = { shardId: 0, primary: 1, inSync, replicas } as unknown as ShardRecord;
  const params = { replication_factor: held.length };
  const collection = { shards: [shard], resharding: null, config: { params } };
  return {
    collection: () => collection as unknown as CollectionRecord,
    node: (nodeId: number) => nodeOf(nodeId, held[nodeId - 1]!),
    deadline: () => ({ deadlineMs: Infinity }),
  } as unknown as Observer;
}

function nodeOf(replica: number, { points, digest, count }: Held): ShardNode {
  const shown = Object.entries(points).map(
    ([id, value]) =>
      ({
        id: Number(id),
        version: value,
        payload: Buffer.from(`{"value":${value}}`),
        vectors: new Map(),
      }) satisfies PointRecord,
  );
  const state = { shardId: 0, replica, digest, appliedSeq: 9, pointsCount: count ?? shown.length };
  return {
    reads: { scroll: () => Promise.resolve({ points: shown, nextOffset: null }) },
    writes: { describe: () => Promise.resolve([state]) },
  } as unknown as ShardNode;
}

test('equal replicas have nothing to complain about', async () => {
  const one = { points: { 1: 10, 2: 20 }, digest: 'a' };
  expect(await compareReplicas(observerOf([one, one, one]), 'c')).toEqual({
    unsettled: [],
    divergent: [],
    pointCount: 2,
    replicaCount: 3,
  });
});

test('a point with another value, a missing one and a ghost are named, each once', async () => {
  const first = { points: { 1: 10, 2: 20 }, digest: 'a' };
  const { divergent } = await compareReplicas(
    observerOf([first, { points: { 1: 11, 3: 30 }, digest: 'a' }]),
    'c',
  );
  expect(divergent.map((text) => /point \d/.exec(text)?.[0])).toEqual(['point 1', 'point 2', 'point 3']);
});

test('other digests, counts that do not fit and replicas out of sync are not settled', async () => {
  const one = { points: { 1: 10 }, digest: 'a' };
  const { unsettled } = await compareReplicas(observerOf([one, { ...one, digest: 'b' }]), 'c');
  expect(unsettled).toHaveLength(1);
  expect((await compareReplicas(observerOf([one, { ...one, digest: null }]), 'c')).unsettled).toHaveLength(1);
  expect((await compareReplicas(observerOf([one, { ...one, count: 2 }]), 'c')).unsettled).toHaveLength(1);
  expect((await compareReplicas(observerOf([one, one], [1]), 'c')).unsettled).toHaveLength(1);
});
