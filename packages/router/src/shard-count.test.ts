// Limits on shards: of one request, of a collection over all its shard keys, of the cluster.
import type { Catalogue, CollectionRecord, NodeRecord, ShardRecord } from '@quiver/model';
import { expect, test } from 'vitest';
import { checkShardCount } from './shard-count.ts';

function collectionOf(name: string, shardCount: number): CollectionRecord {
  const shards = Array.from({ length: shardCount }, (_, shardId) => ({ shardId }) as ShardRecord);
  return { name, shards } as unknown as CollectionRecord;
}

function catalogueOf(shardNodes: number, collections: readonly CollectionRecord[]): Catalogue {
  const node = (id: number): NodeRecord => ({ id, roles: ['shard'] }) as unknown as NodeRecord;
  return {
    revision: 1,
    aliases: new Map(),
    nodes: new Map(Array.from({ length: shardNodes }, (_, id) => [id, node(id)])),
    collections: new Map(collections.map((one) => [one.name, one])),
  };
}

test('one request makes 256 shards for each shard node at most', () => {
  expect(() => checkShardCount(catalogueOf(2, []), null, 512)).not.toThrow();
  expect(() => checkShardCount(catalogueOf(2, []), null, 513)).toThrow(
    /at most 256 for each of its 2 shard nodes, 512/,
  );
});

test('a collection has 1,024 for each shard node over all its keys, and a refusal says what it has', () => {
  const collection = collectionOf('c', 2_040);
  const catalogue = catalogueOf(2, [collection]);
  expect(() => checkShardCount(catalogue, collection, 8)).not.toThrow();
  expect(() => checkShardCount(catalogue, collection, 9)).toThrow(
    /c has 2040 shards over all shard keys and 9 more are too many: at most 1024 for each/,
  );
  expect(() => checkShardCount(catalogue, null, 9)).not.toThrow();
});

test('a cluster has 16,384 for each shard node, of all collections', () => {
  const catalogue = catalogueOf(
    1,
    Array.from({ length: 16 }, (_, i) => collectionOf(`c${i}`, 1_024)),
  );
  expect(() => checkShardCount(catalogue, null, 1)).toThrow(/has 16384 shards and 1 more are too many/);
});
