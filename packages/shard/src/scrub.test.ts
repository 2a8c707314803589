// Bits that flip on a disk are found by looking, and what they damaged is put back from another replica or from memory.
import { StorageError } from '@quiver/storage';
import { afterEach, expect, test } from 'vitest';
import { keys } from './control/records.ts';
import { collectionOn, deletionOf, NodeCluster, upsertOf } from './testing/node-cluster.ts';

let cluster: NodeCluster;

afterEach(() => cluster.close());

const ids = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const dim = 16;
/** The first look begins a minute after the start. */
const firstLookMs = 70_000;

async function clusterOf(nodes: readonly number[], indexingThreshold = 10_000): Promise<void> {
  cluster = new NodeCluster(5);
  for (const id of nodes) await cluster.addNode(id);
  const record = collectionOn('c', nodes, { dim });
  const { config } = record;
  cluster.meta.setCollection({
    ...record,
    config: {
      ...config,
      optimizer_config: { ...config.optimizer_config, indexing_threshold: indexingThreshold },
    },
  });
  await cluster.env.settle();
  await cluster.write('c', upsertOf(ids(0, 1_500), dim, 1));
  await cluster.write('c', deletionOf([7]));
}

test.each([
  ['a follower', 2],
  ['the primary', 1],
])('damaged records of %s are replaced by those of another replica', async (_, node) => {
  await clusterOf([1, 2]);
  const { disk } = cluster.node(node);
  const replica = node;
  disk.flipBit(keys.point(replica, 3), 200);
  disk.flipBit(keys.vector(replica, '', 4), 77);
  // Of a deletion, and of a point that is changed before anybody looks.
  disk.flipBit(keys.point(replica, 7), 10);
  await cluster.env.advance(firstLookMs);
  const { badRecords, mendedRecords, passes } = cluster.control(node).scrubbed();
  expect({ badRecords, mendedRecords, passes }).toEqual({ badRecords: 3, mendedRecords: 3, passes: 1 });
  // As a restart reads it.
  const whole = await cluster.contents(node, 'c');
  await cluster.kill(node);
  await cluster.start(node);
  await cluster.until('in sync', () => cluster.shard('c').inSync.length === 2, 60_000);
  await cluster.write('c', upsertOf([9_999], dim, 1));
  expect((await cluster.contents(node, 'c')).slice(0, -1)).toEqual(whole);
  expect(await cluster.contents(1, 'c')).toEqual(await cluster.contents(2, 'c'));
});

test('a node that ends does not wait for a record of another one', async () => {
  await clusterOf([1, 2]);
  cluster.node(1).disk.flipBit(keys.point(1, 3), 200);
  let isAsked = false;
  cluster.dropFrames = (frame) => {
    const isQuestion = Buffer.from(frame).includes('records_wanted');
    isAsked ||= isQuestion;
    return isQuestion;
  };
  await cluster.until('asked', () => isAsked, firstLookMs);
  // The clock stands.
  await cluster.kill(1);
  expect(cluster.logged.join('')).not.toContain('was not replaced');
});

test('a lone replica says that a record is damaged, and keeps what it has', async () => {
  await clusterOf([1]);
  cluster.node(1).disk.flipBit(keys.point(1, 3), 200);
  await cluster.env.advance(firstLookMs);
  const { badRecords, mendedRecords } = cluster.control(1).scrubbed();
  expect({ badRecords, mendedRecords }).toEqual({ badRecords: 1, mendedRecords: 0 });
  expect(cluster.logged.join('')).toContain('no other replica is in sync: it cannot be replaced');
  expect(await cluster.contents(1, 'c')).toHaveLength(1_499);
});

test('a replica whose index is damaged is given up when another one is in sync', async () => {
  await clusterOf([1, 2]);
  const { term } = cluster.shard('c');
  cluster.node(2).disk.flipBit(keys.bySeq(2, 1, 5, term), 3);
  await cluster.env.advance(firstLookMs);
  expect(cluster.logged.join('')).toContain('a replica is damaged and is given up');
  expect([...cluster.meta.accepted, ...cluster.meta.refused].map(({ kind }) => kind)).toContain(
    'replica_lost',
  );
});

test('a damaged part of a saved segment is written again from memory', async () => {
  await clusterOf([1], 8);
  await cluster.until('saved', () => (cluster.manifest(1, 1)?.segments.length ?? 0) > 0);
  const { blobs } = cluster.node(1);
  const damaged = Object.values(cluster.manifest(1, 1)!.segments[0]!.parts)[0]!;
  const readChunk = blobs.readChunk.bind(blobs);
  blobs.readChunk = (blob, chunk) =>
    blob === damaged
      ? Promise.reject(new StorageError('corruption', 'a flipped bit'))
      : readChunk(blob, chunk);
  await cluster.env.advance(firstLookMs);
  const { badParts, mendedParts } = cluster.control(1).scrubbed();
  expect({ badParts, mendedParts }).toEqual({ badParts: 1, mendedParts: 1 });
  const parts = Object.values(cluster.manifest(1, 1)!.segments[0]!.parts);
  expect(parts).not.toContain(damaged);
  expect((await blobs.list()).map(({ blobId }) => blobId).sort()).toEqual([...parts].sort());
});

test('a saved segment that is damaged at the start is built anew from the records', async () => {
  await clusterOf([1], 8);
  await cluster.until('saved', () => (cluster.manifest(1, 1)?.segments.length ?? 0) > 0);
  await cluster.write('c', upsertOf(ids(100, 110), dim, 2));
  await cluster.write('c', deletionOf(ids(200, 210)));
  const before = await cluster.contents(1, 'c');
  const built = cluster.builds.length;
  const { blobs } = cluster.node(1);
  const damaged = Object.values(cluster.manifest(1, 1)!.segments[0]!.parts)[0]!;
  const read = blobs.read.bind(blobs);
  blobs.read = (blob, into) =>
    blob === damaged ? Promise.reject(new StorageError('corruption', 'a flipped bit')) : read(blob, into);
  await cluster.kill(1);
  await cluster.start(1);
  expect(await cluster.contents(1, 'c')).toEqual(before);
  await cluster.until('built anew', () => {
    const segments = cluster.manifest(1, 1)?.segments ?? [];
    const saved = segments.flatMap(({ parts }) => Object.values(parts));
    return saved.length > 0 && !saved.includes(damaged);
  });
  expect(cluster.builds.length).toBeGreaterThan(built);
  expect(await cluster.contents(1, 'c')).toEqual(before);
});
