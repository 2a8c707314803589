// A replica that copies everything gets the primary's graphs with it, instead of building its own.
import { afterEach, expect, test } from 'vitest';
import { isUsableFor } from './control/segment-fetch.ts';
import { collectionOn, deletionOf, NodeCluster, upsertOf } from './testing/node-cluster.ts';

let cluster: NodeCluster;

afterEach(() => cluster.close());

const ids = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const dim = 16;

/** One node with points in a segment with a graph, and some changes since. */
async function indexedOnOne(copyBytesPerSecond = 0): Promise<void> {
  cluster = new NodeCluster(3);
  cluster.copyBytesPerSecond = copyBytesPerSecond;
  await cluster.addNode(1);
  const record = collectionOn('c', [1], { dim });
  const { config } = record;
  cluster.meta.setCollection({
    ...record,
    config: { ...config, optimizer_config: { ...config.optimizer_config, indexing_threshold: 8 } },
  });
  await cluster.env.settle();
  await cluster.write('c', upsertOf(ids(0, 2_000), dim, 1));
  await cluster.write('c', deletionOf(ids(50, 60)));
  await cluster.until('indexed', () => graphsOf(1, 1) > 0);
  await cluster.write('c', upsertOf(ids(20, 30), dim, 2));
  await cluster.write('c', deletionOf(ids(100, 120)));
}

/** Saved segments that have a graph. */
function graphsOf(node: number, replica: number): number {
  const segments = cluster.manifest(node, replica)?.segments ?? [];
  return segments.filter(({ stored }) => stored.graphs.length > 0).length;
}

async function addReplicaOn(node: number): Promise<void> {
  await cluster.addNode(node);
  const { uuid } = cluster.collection('c');
  cluster.meta.changeShard(uuid, 0, (shard) => ({
    ...shard,
    replicas: [...shard.replicas, { replica: 10 + node, nodeId: node }],
  }));
}

const isAllInSync = (): boolean => {
  const { inSync, replicas } = cluster.shard('c');
  return inSync.length === replicas.length;
};

async function expectSame(nodes: readonly number[]): Promise<void> {
  const first = await cluster.contents(nodes[0]!, 'c');
  for (const node of nodes.slice(1)) expect(await cluster.contents(node, 'c')).toEqual(first);
}

test('a blank replica takes the graphs over, builds none, and shows the same points, after a restart too', async () => {
  await indexedOnOne();
  await addReplicaOn(2);
  await cluster.until('in sync', isAllInSync, 60_000);
  await expectSame([1, 2]);
  expect(graphsOf(2, 12)).toBe(graphsOf(1, 1));
  await cluster.env.advance(5_000);
  expect(cluster.builds).not.toContain(2);
  await cluster.kill(2);
  await cluster.start(2);
  await cluster.until('in sync again', isAllInSync, 60_000);
  await cluster.write('c', deletionOf(ids(300, 310)));
  await expectSame([1, 2]);
  expect(cluster.builds).not.toContain(2);
});

test('a fetch that a kill broke goes on with the parts it has', async () => {
  await indexedOnOne(64 << 10);
  await addReplicaOn(2);
  const link = '1>2';
  await cluster.until('a part is there', () => cluster.fetched(2, 12) > 0, 60_000);
  const before = cluster.fetched(2, 12);
  await cluster.kill(2);
  const sentBefore = cluster.sentBytes.get(link)!;
  await cluster.start(2);
  const startMs = cluster.env.now();
  expect(cluster.fetched(2, 12)).toBe(before);
  await cluster.until('in sync', isAllInSync, 300_000);
  await expectSame([1, 2]);
  expect(cluster.builds).not.toContain(2);
  expect(cluster.fetched(2, 12)).toBe(0);
  // 64 KiB a second and a burst of a quarter of that, and one part of a segment that may go into debt.
  const sentBytes = cluster.sentBytes.get(link)! - sentBefore;
  const limitBytes = (64 << 10) * ((cluster.env.now() - startMs) / 1_000 + 0.25);
  expect(sentBytes).toBeLessThan(limitBytes * 1.05 + (1 << 18));
  const listed = cluster.manifest(1, 1)!.segments.flatMap(({ parts }) => Object.values(parts));
  const sizes = await Promise.all(listed.map((blob) => cluster.node(1).blobs.size(blob)));
  const wholeBytes = sizes.reduce<number>((sum, size) => sum + size!, 0);
  const recordBytes = 2_000 * (4 * dim + 100);
  expect(sentBytes).toBeLessThan(wholeBytes + recordBytes);
});

test('a replica that is dropped while it fetches goes at once, whatever it was still to take in', async () => {
  await indexedOnOne(8 << 10);
  await addReplicaOn(2);
  await cluster.until('a part is there', () => cluster.fetched(2, 12) > 0, 120_000);
  const { uuid } = cluster.collection('c');
  cluster.meta.changeShard(uuid, 0, (shard) => ({
    ...shard,
    replicas: shard.replicas.filter(({ nodeId }) => nodeId !== 2),
  }));
  // The clock stands: nothing passes that waits for its turn.
  await cluster.env.settle();
  expect(cluster.fetched(2, 12)).toBe(0);
});

test('segments that are damaged at the source are not sent: the replica builds its own', async () => {
  await indexedOnOne();
  const blobs = Object.values(cluster.manifest(1, 1)!.segments[0]!.parts);
  const bytes = (await cluster.node(1).blobs.size(blobs[0]!))!;
  cluster.node(1).blobs.readChunk = () =>
    Promise.reject(new Error(`a chunk of ${bytes} bytes is not readable`));
  await addReplicaOn(2);
  await cluster.until('in sync', isAllInSync, 120_000);
  await expectSame([1, 2]);
  await cluster.until('indexed', () => graphsOf(2, 12) > 0);
  expect(cluster.builds).toContain(2);
});

test('a source that knows nothing of segments holds nobody up for long', async () => {
  await indexedOnOne();
  cluster.dropFrames = (frame) => Buffer.from(frame).includes('segments_wanted');
  await addReplicaOn(2);
  await cluster.until('in sync', isAllInSync, 60_000);
  await expectSame([1, 2]);
});

test('segments are used only when the records hold the same order and still show what was deleted after them', () => {
  const history = [
    { term: 1, startSeq: 1 },
    { term: 4, startSeq: 50 },
  ];
  const copied = { lastSeq: 100, history, tombstoneHorizon: 40 };
  expect(isUsableFor({ asOf: 60, asOfTerm: 4 }, copied)).toBe(true);
  expect(isUsableFor({ asOf: 45, asOfTerm: 1 }, copied)).toBe(true);
  // Another order: what was saved there at 60 was ordered by a primary whose operations are not here.
  expect(isUsableFor({ asOf: 60, asOfTerm: 3 }, copied)).toBe(false);
  expect(isUsableFor({ asOf: 45, asOfTerm: 0 }, { ...copied, history: [] })).toBe(false);
  // Newer than the records.
  expect(isUsableFor({ asOf: 101, asOfTerm: 4 }, copied)).toBe(false);
  // A point deleted at 40 may be alive in what was saved at 39, and nothing here tells.
  expect(isUsableFor({ asOf: 39, asOfTerm: 1 }, copied)).toBe(false);
});
