// What a process does with volumes that lost bytes while it was down, on real files.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRealEnv } from '@quiver/env';
import { silentLog } from '@quiver/telemetry';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openShardVolumes, type ShardVolumes } from './shard-volumes.ts';

const key = Uint8Array.of(0, 0, 0, 9);
let folder: string;
let opened: ShardVolumes | null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quiver-volumes-'));
  opened = null;
});
afterEach(async () => {
  await close();
  rmSync(folder, { recursive: true });
});

async function close(): Promise<void> {
  await opened?.store.close();
  await opened?.blobs.close();
  opened = null;
}

async function open(isOfCluster: boolean): Promise<ShardVolumes> {
  const watermarks = { clientFreeFractionMin: 0, essentialFreeFractionMin: 0, roomBytes: 0 };
  opened = await openShardVolumes({
    engine: {},
    folder,
    watermarks,
    isOfCluster,
    env: createRealEnv(),
    log: silentLog(),
    onPoison: () => undefined,
  });
  return opened;
}

/** A volume with a hundred confirmed groups, closed. @returns its node */
async function written(): Promise<number> {
  const { store, blobs, nodeId } = await open(true);
  for (let i = 0; i < 100; i += 1) await store.commit([{ kind: 'put', key, value: Uint8Array.of(i) }]);
  await blobs.put(1, new Uint8Array(10_000).fill(7));
  await close();
  return nodeId;
}

/** Flips a bit in the middle of the newest file of that kind. */
function damage(place: string, ending: string): void {
  const path = join(folder, place);
  const name = readdirSync(path)
    .filter((file) => file.endsWith(ending))
    .sort()
    .at(-1)!;
  const bytes = readFileSync(join(path, name));
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(join(path, name), bytes);
}

test('a data volume that lost confirmed groups is set aside in a cluster, and the node is a new one', async () => {
  const before = await written();
  damage('data/db', '.log');
  const { store, nodeId } = await open(true);
  expect(nodeId).not.toBe(before);
  expect(await store.get(key)).toBeUndefined();
  const aside = readdirSync(folder).filter((name) => name.includes('.lost-'));
  expect(aside.map((name) => name.split('.')[0]).sort()).toEqual(['data', 'segments']);
});

test('alone, a data volume that lost confirmed groups is not opened: a person must decide', async () => {
  await written();
  damage('data/db', '.log');
  await expect(open(false)).rejects.toMatchObject({ code: 'data_loss' });
  expect(readdirSync(folder).sort()).toEqual(['data', 'segments']);
});

test('segments whose table of contents is damaged are set aside, and the points stay', async () => {
  const before = await written();
  for (const name of readdirSync(join(folder, 'segments')))
    if (name.startsWith('MANIFEST')) writeFileSync(join(folder, 'segments', name), 'not a manifest');
  const { store, nodeId, blobs } = await open(false);
  expect(nodeId).toBe(before);
  expect([...(await store.get(key))!]).toEqual([99]);
  expect(await blobs.list()).toEqual([]);
});
