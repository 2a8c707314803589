// Vectors on disk: what a node shows is what it would show with them in memory, through restarts, copies and damage.
import { createRng } from '@quiver/kernel';
import { defaultSearchParams, type PointsOperation, type QueryRequest } from '@quiver/model';
import type { StoredSegment } from '@quiver/segment';
import { StorageError } from '@quiver/storage';
import { afterEach, expect, test } from 'vitest';
import { collectionOn, deletionOf, NodeCluster, upsertOf } from './testing/node-cluster.ts';

let cluster: NodeCluster;

afterEach(() => cluster.close());

const ids = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const dim = 16;
const firstLookMs = 70_000;

function vectorsOf(count: number, seed: number): Float32Array<ArrayBuffer> {
  const rng = createRng(seed);
  return Float32Array.from({ length: count * dim }, () => rng.normal());
}

function upsertRandom(points: readonly number[], seed: number, size = dim): PointsOperation {
  const values = vectorsOf(points.length * (size / dim), seed);
  return {
    kind: 'upsert',
    mode: 'upsert',
    updateFilter: null,
    points: {
      ids: points,
      vectors: new Map([['', { kind: 'dense', dim: size, values, present: null }]]),
      payloads: { bytes: new Uint8Array(0), offsets: new Uint32Array(points.length + 1) },
    },
  };
}

/**
 * `c` has its vectors on disk, `m` in memory; both hold the same points, deletions and later changes.
 * @param isInline - the graph of `c` is asked to be inline, and codes are the engine's choice
 */
async function bothOn(nodes: readonly number[], isInline = false): Promise<void> {
  cluster = new NodeCluster(11);
  for (const node of nodes) await cluster.addNode(node);
  for (const [i, name] of ['c', 'm'].entries()) {
    const record = collectionOn(name, nodes, { dim, firstReplica: 1 + 100 * i });
    const { config } = record;
    const vectors = { size: dim, distance: 'Euclid' as const, on_disk: name === 'c' };
    cluster.meta.setCollection({
      ...record,
      config: {
        ...config,
        params: { ...config.params, vectors },
        optimizer_config: { ...config.optimizer_config, indexing_threshold: 8 },
        hnsw_config: { ...config.hnsw_config, inline_storage: isInline },
        quantization_config: isInline ? null : { scalar: { type: 'int8' } },
      },
    });
  }
  await cluster.env.settle();
  for (const name of ['c', 'm']) {
    await cluster.write(name, upsertRandom(ids(0, 2_000), 1));
    await cluster.write(name, deletionOf(ids(50, 60)));
    await cluster.until('indexed', () => savedParts(1, name).length > 0);
    await cluster.write(name, upsertRandom(ids(20, 40), 2));
    await cluster.write(name, deletionOf(ids(100, 120)));
  }
}

function replicaOn(node: number, name: string): number {
  return cluster.shard(name).replicas.find(({ nodeId }) => nodeId === node)!.replica;
}

function savedParts(node: number, name: string): [name: string, blob: number][] {
  const { segments = [] } = cluster.manifest(node, replicaOn(node, name)) ?? {};
  return segments
    .filter(({ stored }) => stored.graphs.length > 0)
    .flatMap(({ parts }) => Object.entries(parts));
}

function rowsBlob(node: number, name: string): number {
  return savedParts(node, name).find(([part]) => part === 'rows/')![1];
}

function bytesOfVectors(node: number): number[] {
  return cluster
    .control(node)
    .memoryParts()
    .filter(({ component }) => component === 'vectors')
    .map(({ bytes }) => bytes);
}

async function found(node: number, name: string, exact: boolean, size = dim): Promise<string[][]> {
  const queries = vectorsOf(20 * (size / dim), 99);
  const requests = Array.from({ length: 20 }, (_, i): QueryRequest => ({
    using: '',
    filter: null,
    limit: 10,
    offset: 0,
    scoreThreshold: null,
    lookupFrom: null,
    query: {
      kind: 'nearest',
      input: {
        kind: 'vector',
        vector: { kind: 'dense', values: queries.slice(i * size, (i + 1) * size) },
      },
    },
    params: { ...defaultSearchParams, hnswEf: 64, exact },
    withPayload: { kind: 'none' },
    withVector: { kind: 'none' },
  }));
  const target = { collection: cluster.collection(name), shardIds: [0] };
  const reading = { deadlineMs: cluster.env.now() + 10_000, consistency: { kind: 'any' } } as const;
  const lists = await cluster.run(cluster.node(node).running!.serve.reads.query(target, requests, reading));
  return lists.map((points) => points.map(({ id, score }) => `${String(id)} ${score}`));
}

/** @param walks - whether both graphs were built of the same segments */
async function expectSame(node: number, walks = true): Promise<void> {
  const withoutVersion = (points: string[]): string[] => points.map((text) => text.replace(/@\d+/, ''));
  expect(withoutVersion(await cluster.contents(node, 'c'))).toEqual(
    withoutVersion(await cluster.contents(node, 'm')),
  );
  for (const exact of walks ? [true, false] : [true])
    expect(await found(node, 'c', exact)).toEqual(await found(node, 'm', exact));
}

test('answers are those of a collection in memory, and stay so after a restart', async () => {
  await bothOn([1]);
  await expectSame(1);
  const bytes = bytesOfVectors(1);
  expect(savedParts(1, 'c').map(([part]) => part)).toContain('rows/');
  await cluster.kill(1);
  await cluster.start(1);
  await expectSame(1);
  // Both have a head in memory; the rows of one segment are in none.
  expect(Math.min(...bytesOfVectors(1))).toBeLessThan(Math.max(...bytes) - 1_500 * 4 * dim);
  // A change of payload keeps the vector, which is read for it.
  for (const name of ['c', 'm'])
    await cluster.write(name, {
      kind: 'overwrite_payload',
      payload: { n: 1 },
      key: null,
      target: { kind: 'ids', ids: ids(500, 510) },
    } as unknown as PointsOperation);
  await expectSame(1);
});

test('an inline graph has codes of the neighbours, and its rows leave memory once it is built', async () => {
  const total = (): number => bytesOfVectors(1).reduce((sum, bytes) => sum + bytes, 0);
  await bothOn([1]);
  const cold = total();
  await cluster.close();
  await bothOn([1], true);
  const graphs = (name: string): StoredSegment['graphs'] =>
    cluster.manifest(1, replicaOn(1, name))!.segments.flatMap(({ stored }) => stored.graphs);
  await cluster.until('moved', () => total() === cold);
  expect(graphs('c')).toMatchObject([{ isInline: true, neighbourCodes: 'measured' }]);
  expect(graphs('c')[0]!.persistedBytes).toBe(graphs('m')[0]!.persistedBytes);
  await expectSame(1);
  const before = graphs('c');
  await cluster.env.advance(5_000);
  expect(graphs('c')).toEqual(before);
  await cluster.kill(1);
  await cluster.start(1);
  // Heads are as large as what they hold now; of the two segments one has its rows in memory.
  expect(total()).toBeLessThan(2 * 1_900 * 4 * dim);
  await expectSame(1);
});

test('a copy gets the rows with the graph and builds none', async () => {
  await bothOn([1]);
  await cluster.addNode(2);
  const { uuid } = cluster.collection('c');
  cluster.meta.changeShard(uuid, 0, (shard) => ({
    ...shard,
    replicas: [...shard.replicas, { replica: 12, nodeId: 2 }],
  }));
  await cluster.until('in sync', () => cluster.shard('c').inSync.length === 2, 60_000);
  expect(await cluster.contents(2, 'c')).toEqual(await cluster.contents(1, 'c'));
  expect(await found(2, 'c', false)).toEqual(await found(1, 'c', false));
  await cluster.env.advance(5_000);
  expect(cluster.builds).not.toContain(2);
});

test('damaged rows are written again from the records', async () => {
  await bothOn([1]);
  const { blobs } = cluster.node(1);
  const damaged = rowsBlob(1, 'c');
  const readChunk = blobs.readChunk.bind(blobs);
  blobs.readChunk = (blob, chunk) =>
    blob === damaged
      ? Promise.reject(new StorageError('corruption', 'a flipped bit'))
      : readChunk(blob, chunk);
  await cluster.env.advance(firstLookMs);
  const { badParts, mendedParts } = cluster.control(1).scrubbed();
  expect({ badParts, mendedParts }).toEqual({ badParts: 1, mendedParts: 1 });
  expect(rowsBlob(1, 'c')).not.toBe(damaged);
  expect((await blobs.list()).map(({ blobId }) => blobId)).not.toContain(damaged);
  await expectSame(1);
  await cluster.kill(1);
  await cluster.start(1);
  await expectSame(1);
});

test('rows whose file is gone at the start come from the records', async () => {
  await bothOn([1]);
  await cluster.kill(1);
  const { blobs } = cluster.node(1);
  const lost = rowsBlobOf(await blobs.list());
  await blobs.files.remove(lost);
  await cluster.start(1);
  expect(cluster.logged.join('')).toContain('a saved segment is damaged');
  await cluster.until('indexed', () => savedParts(1, 'c').length > 0);
  await expectSame(1, false);
});

/** The file of `c` is the first that was written. */
function rowsBlobOf(listed: readonly { readonly blobId: number; readonly bytes: number }[]): number {
  const rowBytes = 64;
  return listed.find(
    ({ bytes }) => bytes % rowBytes === 0 && bytes > 1_500 * rowBytes && bytes <= 2_000 * rowBytes,
  )!.blobId;
}

test('vectors move to disk when the collection asks for it', async () => {
  await bothOn([1]);
  const before = bytesOfVectors(1);
  const record = cluster.collection('m');
  const { config } = record;
  cluster.meta.setCollection({
    ...record,
    config: {
      ...config,
      params: { ...config.params, vectors: { size: dim, distance: 'Euclid', memory: 'cold' } },
    },
  });
  const sum = (parts: number[]): number => parts.reduce((a, b) => a + b, 0);
  await cluster.until('moved', () => sum(bytesOfVectors(1)) < sum(before) - 1_500 * 4 * dim);
  await expectSame(1);
});

test('a collection that did not ask for it has its vectors on disk when memory is scarce, and small codes', async () => {
  const wide = 64;
  const batch = 600;
  const count = 8 * batch;
  const shown: string[][] = [];
  for (const budgetBytes of [2 ** 28, 3_600_000]) {
    cluster = new NodeCluster(17);
    cluster.budgetBytes = budgetBytes;
    await cluster.addNode(1);
    const record = collectionOn('c', [1], { dim: wide });
    const { config } = record;
    cluster.meta.setCollection({
      ...record,
      config: { ...config, optimizer_config: { ...config.optimizer_config, indexing_threshold: 200 } },
    });
    await cluster.env.settle();
    for (let from = 0; from < count; from += batch) {
      await cluster.write('c', upsertRandom(ids(from, from + batch), from + 1, wide));
      // A second time: rows that moved have died meanwhile.
      if (from > 0) await cluster.write('c', deletionOf(ids(from - 20, from)));
      await cluster.env.advance(5_000);
    }
    await cluster.env.advance(20_000);
    shown.push(await cluster.contents(1, 'c'));
    if (budgetBytes === 2 ** 28) await cluster.close();
  }
  expect(shown[1]).toEqual(shown[0]);
  const total = (parts: readonly number[]): number => parts.reduce((sum, bytes) => sum + bytes, 0);
  expect(total(bytesOfVectors(1))).toBeLessThan(count * 4 * wide * 0.6);
  const graphs = (): { isCompact?: boolean }[] =>
    cluster.manifest(1, 1)!.segments.flatMap(({ stored }) => [...stored.graphs]);
  expect(graphs().some(({ isCompact }) => isCompact === true)).toBe(true);
  const before = graphs();
  await cluster.kill(1);
  await cluster.start(1);
  expect(await cluster.contents(1, 'c')).toEqual(shown[0]);
  // What memory asked for is no reason to build it again.
  await cluster.env.advance(10_000);
  expect(graphs()).toEqual(before);
}, 120_000);

test('codes that were taken while there was room become small when another collection fills memory', async () => {
  const wide = 64;
  cluster = new NodeCluster(19);
  cluster.budgetBytes = 4_000_000;
  await cluster.addNode(1);
  for (const [i, name] of ['c', 'd'].entries()) {
    const record = collectionOn(name, [1], { dim: wide, firstReplica: 1 + 100 * i });
    const { config } = record;
    cluster.meta.setCollection({
      ...record,
      config: { ...config, optimizer_config: { ...config.optimizer_config, indexing_threshold: 200 } },
    });
  }
  await cluster.env.settle();
  const fill = async (name: string, from: number, to: number): Promise<void> => {
    await cluster.write(name, upsertRandom(ids(from, to), from + 1, wide));
    await cluster.env.advance(5_000);
  };
  const areCompact = (): (boolean | undefined)[] =>
    (cluster.manifest(1, replicaOn(1, 'c'))?.segments ?? []).flatMap(({ stored }) =>
      stored.graphs.map(({ isCompact }) => isCompact),
    );
  await fill('c', 0, 1_000);
  expect(areCompact()).toEqual([false]);
  const [contents, answers] = [await cluster.contents(1, 'c'), await found(1, 'c', true, wide)];
  for (let from = 0; from < 30_000 && !areCompact()[0]; from += 500) await fill('d', from, from + 500);
  expect(areCompact()).toEqual([true]);
  expect(await cluster.contents(1, 'c')).toEqual(contents);
  expect(await found(1, 'c', true, wide)).toEqual(answers);
}, 120_000);

test('an operation that lies half in a saved segment and half in a head is whole after a restart', async () => {
  cluster = new NodeCluster(13);
  await cluster.addNode(1);
  const wide = 2_048;
  const record = collectionOn('c', [1], { dim: wide });
  const { config } = record;
  cluster.meta.setCollection({
    ...record,
    config: { ...config, optimizer_config: { ...config.optimizer_config, indexing_threshold: 1_000 } },
  });
  await cluster.env.settle();
  const writeSome = (from: number): Promise<number> =>
    cluster.write('c', upsertOf(ids(from, from + 300), wide, 1));
  // Heads end in the middle of operations, and are sealed while writes go on.
  let next = 0;
  for (; (cluster.manifest(1, 1)?.segments.length ?? 0) === 0; next += 300) await writeSome(next);
  const before = await cluster.contents(1, 'c');
  await cluster.kill(1);
  await cluster.start(1);
  expect(await cluster.contents(1, 'c')).toEqual(before);
  expect(before).toHaveLength(next);
}, 120_000);
