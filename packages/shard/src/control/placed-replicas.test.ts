import type { Catalogue, CollectionRecord, ShardRecord } from '@quiver/model';
import { expect, test } from 'vitest';
import { placementChange } from './placed-replicas.ts';

const here = 1;
const elsewhere = 2;

/** @param replicas - of one shard: number and node */
function collection(name: string, replicas: readonly (readonly [number, number])[]): CollectionRecord {
  const shard = { shardId: 0, replicas: replicas.map(([replica, nodeId]) => ({ replica, nodeId })) };
  return { name, uuid: name, shards: [shard as unknown as ShardRecord] } as unknown as CollectionRecord;
}

function catalogue(...records: CollectionRecord[]): Catalogue {
  const collections = new Map(records.map((record) => [record.name, record]));
  return { revision: 1, collections, aliases: new Map(), nodes: new Map() };
}

function change(before: Catalogue | null, next: Catalogue): { changed: number[]; gone: readonly number[] } {
  const { changed, gone } = placementChange(before, next, here);
  return { changed: changed.map(({ number }) => number), gone };
}

const a = collection('a', [
  [1, here],
  [2, elsewhere],
]);
const b = collection('b', [[3, here]]);

test('at first all that is placed here has changed, and nothing else', () => {
  expect(change(null, catalogue(a, b))).toEqual({ changed: [1, 3], gone: [] });
});

test('a new collection changes nothing of the others', () => {
  expect(change(catalogue(a), catalogue(a, b))).toEqual({ changed: [3], gone: [] });
});

test('a changed record is told, a dropped one is gone', () => {
  expect(change(catalogue(a, b), catalogue({ ...a }))).toEqual({ changed: [1], gone: [3] });
});

test('a replica that moved to another node is gone, and one that came is told', () => {
  const moved = collection('a', [
    [1, elsewhere],
    [4, here],
  ]);
  expect(change(catalogue(a, b), catalogue(moved, b))).toEqual({ changed: [4], gone: [1] });
});

test('a collection that was dropped and made again under its name is gone and told', () => {
  const again = collection('b', [[5, here]]);
  expect(change(catalogue(b), catalogue(again))).toEqual({ changed: [5], gone: [3] });
});
