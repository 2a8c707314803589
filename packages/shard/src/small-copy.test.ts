// A copy of all rows of a small collection: a start reads it in the place of the points, and shows what the points say.
import type { Change } from '@quiver/storage';
import { createFaultyStore } from '@quiver/storage/testing';
import { afterEach, expect, test } from 'vitest';
import { decodeJson, encodeJson, keys } from './control/records.ts';
import { collectionOn, deletionOf, NodeCluster, upsertOf } from './testing/node-cluster.ts';

let cluster: NodeCluster;

afterEach(() => cluster.close());

const ids = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const dim = 16;
const idleMs = 11_000;

async function clusterOf(
  nodes: readonly number[],
  points: number,
  indexingThreshold = 10_000,
): Promise<void> {
  cluster = new NodeCluster(9);
  for (const id of nodes) await cluster.addNode(id);
  const record = collectionOn('c', nodes, { dim });
  const { config } = record;
  const optimizer = { ...config.optimizer_config, indexing_threshold: indexingThreshold };
  cluster.meta.setCollection({ ...record, config: { ...config, optimizer_config: optimizer } });
  await cluster.env.settle();
  await cluster.write('c', upsertOf(ids(0, points), dim, 1));
}

function copyOn(node: number): Uint8Array | undefined {
  return cluster.node(node).running!.store.getSync(keys.copy(node));
}

async function restart(node: number): Promise<void> {
  await cluster.kill(node);
  await cluster.start(node);
}

/** A start that reads them fails. */
function damagePoints(from: number, to: number, node = 1): void {
  for (const id of ids(from, to)) {
    cluster.node(node).disk.flipBit(keys.point(node, id), 40);
    cluster.node(node).disk.flipBit(keys.vector(node, '', id), 77);
  }
}

/** Writes to the disk of a node that does not run. */
async function writeTo(node: number, changes: readonly Change[]): Promise<void> {
  const measure = () => Promise.resolve({ freeBytes: 1 << 30, totalBytes: 1 << 30 });
  const store = await createFaultyStore(cluster.node(node).disk, { measure }, cluster.env);
  await store.commit(changes);
  await store.close();
}

/** As a version that knows nothing of copies writes it. */
function withoutCopy(state: Uint8Array): Uint8Array {
  const json = decodeJson(state) as { copy?: number };
  delete json.copy;
  return encodeJson(json);
}

test('a start reads the copy, and of the points those that were changed since', async () => {
  await clusterOf([1], 100);
  expect(copyOn(1)).toBeUndefined();
  await cluster.env.advance(idleMs);
  expect(copyOn(1)).toBeDefined();
  await cluster.write('c', upsertOf(ids(95, 103), dim, 2));
  await cluster.write('c', deletionOf([3, 4]));
  const before = await cluster.contents(1, 'c');
  expect(before).toHaveLength(101);
  damagePoints(5, 95);
  await restart(1);
  expect(await cluster.contents(1, 'c')).toEqual(before);
});

test('a change after a start is where the copy is no more of use, and is in the next one', async () => {
  await clusterOf([1], 100);
  await cluster.env.advance(idleMs);
  await restart(1);
  await cluster.write('c', upsertOf(ids(50, 90), dim, 2));
  await cluster.write('c', deletionOf(ids(0, 20)));
  const before = await cluster.contents(1, 'c');
  const first = copyOn(1)!;
  await cluster.env.advance(idleMs);
  expect(copyOn(1)!.length).toBeLessThan(first.length);
  await restart(1);
  expect(await cluster.contents(1, 'c')).toEqual(before);
});

test('a few changes alone do not make another copy soon', async () => {
  await clusterOf([1], 100);
  await cluster.env.advance(idleMs);
  const first = copyOn(1);
  await cluster.write('c', upsertOf(ids(0, 10), dim, 2));
  await cluster.env.advance(60_000);
  expect(copyOn(1)).toEqual(first);
  await cluster.env.advance(600_000);
  expect(copyOn(1)).not.toEqual(first);
});

test('a folder without a copy opens, and gets one', async () => {
  await clusterOf([1], 100);
  const before = await cluster.contents(1, 'c');
  await restart(1);
  expect(copyOn(1)).toBeUndefined();
  expect(await cluster.contents(1, 'c')).toEqual(before);
  await cluster.env.advance(idleMs);
  expect(copyOn(1)).toBeDefined();
});

test('neither a few points nor many have a copy, and one that grew loses it', async () => {
  await clusterOf([1], 10);
  await cluster.env.advance(idleMs);
  expect(copyOn(1)).toBeUndefined();
  await cluster.write('c', upsertOf(ids(0, 500), dim, 1));
  await cluster.env.advance(idleMs);
  expect(copyOn(1)).toBeDefined();
  await cluster.write('c', upsertOf(ids(500, 1_500), dim, 1));
  await cluster.env.advance(idleMs);
  expect(copyOn(1)).toBeUndefined();
});

test('a damaged copy costs nothing but time', async () => {
  await clusterOf([1], 100);
  await cluster.env.advance(idleMs);
  const before = await cluster.contents(1, 'c');
  cluster.node(1).disk.flipBit(keys.copy(1), 500);
  await restart(1);
  expect(await cluster.contents(1, 'c')).toEqual(before);
  expect(cluster.logged.join('')).toContain('is of no use');
  await cluster.env.advance(idleMs);
  await restart(1);
  expect(await cluster.contents(1, 'c')).toEqual(before);
  expect(cluster.logged.join('').split('is of no use')).toHaveLength(2);
});

test('a copy that is found damaged is written again', async () => {
  await clusterOf([1], 100);
  await cluster.env.advance(idleMs);
  const whole = copyOn(1)!.slice();
  cluster.node(1).disk.flipBit(keys.copy(1), 500);
  await cluster.env.advance(70_000);
  const { badRecords, mendedRecords } = cluster.control(1).scrubbed();
  expect({ badRecords, mendedRecords }).toEqual({ badRecords: 1, mendedRecords: 1 });
  expect(copyOn(1)).toEqual(whole);
});

test('a damaged copy of a replica that is not open is deleted, and the replica stays', async () => {
  await clusterOf([1, 2], 100);
  await cluster.env.advance(idleMs);
  // In the middle of a catch-up, which the primary cannot go on with.
  const { store } = cluster.node(2).running!;
  const [copy, state] = [store.getSync(keys.copy(2))!.slice(), store.getSync(keys.state(2))!];
  const catchingUp = encodeJson({ ...(decodeJson(state) as object), mode: 'catch_up' });
  await cluster.kill(2);
  await writeTo(2, [
    { kind: 'put', key: keys.copy(2), value: copy },
    { kind: 'put', key: keys.state(2), value: catchingUp },
  ]);
  cluster.node(2).disk.flipBit(keys.copy(2), 500);
  cluster.cut(1, 2);
  await cluster.start(2);
  await cluster.env.advance(70_000);
  const { badRecords, mendedRecords } = cluster.control(2).scrubbed();
  expect({ badRecords, mendedRecords }).toEqual({ badRecords: 1, mendedRecords: 1 });
  expect(copyOn(2)).toBeUndefined();
  expect(cluster.meta.accepted.map(({ kind }) => kind)).not.toContain('replica_lost');
});

test('what a copy holds alive keeps its tombstone until the next copy', async () => {
  await clusterOf([1], 100);
  await cluster.env.advance(idleMs);
  await cluster.write('c', deletionOf([1, 2]));
  const tombstones = (): number =>
    [1, 2].filter((id) => cluster.node(1).running!.store.getSync(keys.point(1, id)) !== undefined).length;
  await cluster.env.advance(3_800_000);
  expect(tombstones()).toBe(0);
  await restart(1);
  expect(await cluster.contents(1, 'c')).toHaveLength(98);
});

test('a replica that goes back to what others have shows that after a start, not what its copy had', async () => {
  await clusterOf([1, 2], 100);
  // The first one leads alone what nobody else takes.
  cluster.cut(1, 2);
  cluster.meta.away.add(1);
  await cluster
    .write('c', upsertOf(ids(0, 60), dim, 2), { node: 1, timeoutMs: 1_000 })
    .catch(() => undefined);
  await cluster.env.advance(idleMs);
  cluster.meta.promote(cluster.collection('c').uuid, 0, 2);
  await cluster.write('c', upsertOf(ids(60, 70), dim, 3), { node: 2 }).catch(() => undefined);
  cluster.heal();
  await cluster.until('in sync', () => cluster.shard('c').inSync.length === 2, 60_000);
  await cluster.write('c', upsertOf([200], dim, 3));
  const shown = await cluster.contents(2, 'c');
  expect(await cluster.contents(1, 'c')).toEqual(shown);
  await cluster.env.advance(idleMs);
  for (const node of [1, 2]) await cluster.kill(node);
  for (const node of [1, 2]) await cluster.start(node);
  await cluster.until('in sync again', () => cluster.shard('c').inSync.length === 2, 60_000);
  await cluster.write('c', upsertOf([200], dim, 3));
  expect((await cluster.contents(1, 'c')).slice(0, -1)).toEqual(shown.slice(0, -1));
  expect((await cluster.contents(2, 'c')).slice(0, -1)).toEqual(shown.slice(0, -1));
});

test.each([
  ['another version', withoutCopy],
  ['a later copy', (state: Uint8Array) => state],
])('a copy from before what %s wrote is not believed', async (_, restore) => {
  await clusterOf([1], 100);
  await cluster.env.advance(idleMs);
  const old = copyOn(1)!.slice();
  // The tombstones go, which that copy would need.
  await cluster.write('c', deletionOf(ids(1, 30)));
  await cluster.env.advance(3_800_000);
  const before = await cluster.contents(1, 'c');
  const state = cluster.node(1).running!.store.getSync(keys.state(1))!.slice();
  await cluster.kill(1);
  await writeTo(1, [
    { kind: 'put', key: keys.copy(1), value: old },
    { kind: 'put', key: keys.state(1), value: restore(state) },
  ]);
  await cluster.start(1);
  expect(await cluster.contents(1, 'c')).toEqual(before);
  // And is replaced by one that is true.
  await cluster.env.advance(idleMs);
  damagePoints(30, 100);
  await restart(1);
  expect(await cluster.contents(1, 'c')).toEqual(before);
});

test.each([
  ['of too few points', 10, 10_000],
  ['of points in saved segments', 500, 8],
])('a copy %s is deleted after a start', async (_, points, indexingThreshold) => {
  await clusterOf([1], points, indexingThreshold);
  const isSaved = points === 500;
  await cluster.until('saved', () => (cluster.manifest(1, 1)?.segments.length ?? 0) > 0 === isSaved);
  const before = await cluster.contents(1, 'c');
  await cluster.kill(1);
  await writeTo(1, [{ kind: 'put', key: keys.copy(1), value: new Uint8Array(64) }]);
  await cluster.start(1);
  expect(await cluster.contents(1, 'c')).toEqual(before);
  await cluster.env.advance(idleMs);
  expect(copyOn(1)).toBeUndefined();
});

test('the first saved segment takes the place of the copy', async () => {
  await clusterOf([1], 100);
  await cluster.env.advance(idleMs);
  expect(copyOn(1)).toBeDefined();
  const { config, ...record } = cluster.collection('c');
  const optimizer = { ...config.optimizer_config, indexing_threshold: 4 };
  cluster.meta.setCollection({ ...record, config: { ...config, optimizer_config: optimizer } });
  await cluster.until('saved', () => (cluster.manifest(1, 1)?.segments.length ?? 0) > 0);
  const before = await cluster.contents(1, 'c');
  await restart(1);
  expect(await cluster.contents(1, 'c')).toEqual(before);
  await cluster.env.advance(idleMs);
  expect(copyOn(1)).toBeUndefined();
});

test.each([[[]], [[1, 2, 3]]])(
  'what was deleted with its saved segment stays deleted, though there is a copy; %j came again',
  async (again) => {
    await clusterOf([1], 100);
    await cluster.env.advance(idleMs);
    expect(copyOn(1)).toBeDefined();
    const { config, ...record } = cluster.collection('c');
    const optimizer = {
      ...config.optimizer_config,
      indexing_threshold: 4,
      vacuum_min_vector_number: 10,
      deleted_threshold: 0.2,
    };
    cluster.meta.setCollection({ ...record, config: { ...config, optimizer_config: optimizer } });
    await cluster.until('saved', () => (cluster.manifest(1, 1)?.segments.length ?? 0) > 0);
    await cluster.write('c', deletionOf(ids(0, 100)));
    await cluster.until('gone', () => cluster.manifest(1, 1)?.segments.length === 0);
    if (again.length > 0) await cluster.write('c', upsertOf(again, dim, 7));
    const before = await cluster.contents(1, 'c');
    expect(before).toHaveLength(again.length);
    await restart(1);
    expect(await cluster.contents(1, 'c')).toEqual(before);
  },
);

test('a replica that others brought up to date has a copy again, of what it was brought to', async () => {
  await clusterOf([1, 2], 100);
  await cluster.env.advance(idleMs);
  await cluster.kill(2);
  await cluster.write('c', upsertOf(ids(50, 120), dim, 2), { timeoutMs: 60_000 });
  await cluster.write('c', deletionOf(ids(0, 20)));
  await cluster.start(2);
  await cluster.until('in sync', () => cluster.shard('c').inSync.length === 2, 60_000);
  expect(copyOn(2)).toBeUndefined();
  await cluster.env.advance(idleMs);
  expect(copyOn(2)).toBeDefined();
  damagePoints(20, 120, 2);
  await restart(2);
  await cluster.until('in sync again', () => cluster.shard('c').inSync.length === 2, 60_000);
  await cluster.write('c', upsertOf([200], dim, 3));
  expect(await cluster.contents(2, 'c')).toEqual(await cluster.contents(1, 'c'));
});
