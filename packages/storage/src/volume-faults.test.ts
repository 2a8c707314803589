/** The volume over a simulated disk with faults: each is detected at open or survived without a lost acknowledgement. */
import { createVirtualEnv } from '@quiver/env/testing';
import { describe, expect, test } from 'vitest';
import { ringSlots } from './commit-ring.ts';
import type { StorageError } from './storage-error.ts';
import { all, failure, put, remove, text } from './store.contract.ts';
import { createFaultyDisk, type FaultyDisk } from './testing/faulty-engine.ts';
import { createFaultyStore, type FaultyStoreOptions } from './testing/faulty-store.ts';

function setup(options: FaultyStoreOptions = {}) {
  const disk = createFaultyDisk();
  const env = createVirtualEnv();
  return { disk, env, open: (more: FaultyStoreOptions = {}) => createFaultyStore(disk, { ...options, ...more }, env) };
}

async function commitEach(store: Awaited<ReturnType<typeof createFaultyStore>>, from: number, to: number) {
  for (let i = from; i <= to; i++) await store.commit([put(`k${String(i).padStart(6, '0')}`, `v${i}`)]);
}

/** Index of the batch of a group: batch 0 is the base record. */
const batchOf = (group: number): number => group;

describe('a crash', () => {
  test('loses nothing that was acknowledged', async () => {
    const { disk, open } = setup();
    const store = await open();
    await commitEach(store, 1, 50);
    const inFlight = failure(store.commit([put('torn', 'x')]));
    disk.crash();
    expect((await inFlight).code).toBe('poisoned');
    const again = await open();
    expect((await all(again)).length).toBe(50);
    expect(again.opened).toMatchObject({ fresh: false, clean: false, anchor: 'present', loss: undefined });
    expect(again.lastGroup).toBe(50);
  });

  test('may keep a write that was in flight, as a whole', async () => {
    const { disk, open } = setup();
    const store = await open();
    const inFlight = failure(store.commit([put('a', '1'), put('b', '2')]));
    await Promise.resolve();
    disk.crash({ keepInFlight: true });
    await inFlight;
    const found = await all(await open());
    expect([0, 2]).toContain(found.length);
  });

  test('in the middle of creating a volume leaves a volume that can be created', async () => {
    const { disk, open } = setup();
    disk.failNextWrite('power went');
    await expect(open()).rejects.toThrow('power went');
    disk.crash();
    const store = await open();
    expect(store.opened.fresh).toBe(true);
    await commitEach(store, 1, 3);
    disk.crash();
    expect((await open()).lastGroup).toBe(3);
  });
});

describe('a lost group', () => {
  async function damaged(groups: number, damage: (disk: FaultyDisk) => void, waitMs = 0) {
    const { disk, env, open } = setup();
    const store = await open();
    await commitEach(store, 1, groups);
    await env.advance(waitMs);
    disk.crash();
    damage(disk);
    return { disk, open, error: await failure(open()) };
  }

  test('in the middle is found at open and named', async () => {
    const { error } = await damaged(100, (disk) => disk.dropBatch(batchOf(40)));
    expect(error.code).toBe('data_loss');
    expect(error.loss).toMatchObject({ kind: 'hole', missing: [[40, 40]], lastGroup: 100 });
  });

  test('several in the middle are named as a range', async () => {
    const { error } = await damaged(100, (disk) => {
      for (let i = 0; i < 5; i++) disk.dropBatch(batchOf(40));
    });
    expect(error.loss?.missing).toEqual([[40, 44]]);
  });

  test('at the end is found when the anchor had seen it', async () => {
    const { error } = await damaged(100, (disk) => disk.dropBatch(batchOf(100)), 1_001);
    expect(error.loss).toMatchObject({ kind: 'tail', missing: [[100, 100]], witnessedGroup: 100 });
  });

  test('which held the base record is found', async () => {
    const { error } = await damaged(10, (disk) => disk.dropBatch(0));
    expect(error.loss?.kind).toBe('hole');
  });

  test('all of them are found when the anchor had seen them', async () => {
    const { error } = await damaged(10, (disk) => disk.rewind(0), 1_001);
    expect(error.loss).toMatchObject({ kind: 'tail', lastGroup: 0, witnessedGroup: 10 });
  });

  test('can be accepted by the owner, after which the volume opens as usual and numbers go on', async () => {
    const { disk, open } = await damaged(100, (disk) => disk.dropBatch(batchOf(40)));
    const store = await open({ acceptLoss: true });
    expect(store.opened.loss?.kind).toBe('hole');
    expect(store.lastGroup).toBe(100);
    expect(await store.commit([put('after', 'x')])).toBe(101);
    disk.crash();
    const again = await open();
    expect(again.opened.loss).toBeUndefined();
    expect((await all(again)).length).toBe(100);
  });

  test('a tail that was accepted as lost does not give its numbers out again', async () => {
    const { open } = await damaged(100, (disk) => disk.rewind(batchOf(90)), 1_001);
    const store = await open({ acceptLoss: true });
    expect(await store.commit([put('after', 'x')])).toBe(101);
  });
});

describe('an old copy put back', () => {
  test('under a newer anchor is a lost tail; with other groups in its place it is a fork', async () => {
    const { disk, env, open } = setup();
    const store = await open();
    await commitEach(store, 1, 20);
    await env.advance(1_001);
    const anchor = disk.anchor;
    disk.crash();
    disk.rewind(batchOf(10));
    expect((await failure(open())).loss?.kind).toBe('tail');

    disk.anchor = undefined;
    const other = await open();
    for (let i = 0; i < 15; i++) await other.commit([put('else', String(i))]);
    disk.crash();
    disk.anchor = anchor;
    expect((await failure(open())).loss).toMatchObject({ kind: 'fork', missing: [[20, 20]] });
  });

  test('an anchor of another volume is a fork', async () => {
    const { disk, open } = setup();
    await commitEach(await open(), 1, 3);
    disk.crash();
    disk.anchor = { volumeId: '0'.repeat(32), lastGroup: 2, chain: 0, clean: false };
    expect((await failure(open())).loss?.kind).toBe('fork');
  });
});

describe('the ring', () => {
  test('verifies after it has gone round, and finds a hole in its last lap', async () => {
    const { disk, open } = setup();
    const store = await open();
    await commitEach(store, 1, ringSlots + 100);
    disk.crash();
    const again = await open();
    expect(again.opened).toMatchObject({ groupsVerified: ringSlots, loss: undefined });
    disk.crash();
    disk.dropBatch(batchOf(200));
    expect((await failure(open())).loss?.missing).toEqual([[200, 200]]);
  });

  test('never runs a whole lap ahead of the anchor, even while the clock stands still', async () => {
    const { disk, open } = setup();
    const store = await open();
    await commitEach(store, 1, ringSlots);
    expect(disk.anchor?.lastGroup).toBeGreaterThanOrEqual(ringSlots / 2 - 1);
  });
});

describe('a failed write', () => {
  test('poisons: its request, those behind it and all later calls are refused, and the owner is told once', async () => {
    const told: StorageError[] = [];
    const { disk, open } = setup({ onPoison: (error) => told.push(error), limits: { groupChangesMax: 1 } });
    const store = await open();
    await commitEach(store, 1, 5);
    disk.failNextWrite('No space left on device');
    const refused = await Promise.all([
      failure(store.commit([put('a', '1')])),
      failure(store.commit([put('b', '1')])),
    ]);
    expect(refused.map((error) => error.code)).toEqual(['poisoned', 'poisoned']);
    expect(refused[0].message).toContain('No space left on device');
    for (const attempt of [
      store.commit([remove('a')]),
      store.get(text('k000001')),
      store.deleteRange(text('a'), text('b')),
      all(store),
    ])
      expect((await failure(attempt)).code).toBe('poisoned');
    expect(() => store.getSync(text('k000001'))).toThrow(/accepts nothing/);
    expect(told.length).toBe(1);
    expect(store.poisoned).toBe(true);
    await store.close();
    const again = await open();
    expect((await all(again)).length).toBe(5);
  });

  test('after which the disk would lose later writes costs nothing, because none is accepted', async () => {
    const { disk, open } = setup();
    const store = await open();
    await commitEach(store, 1, 40);
    disk.failNextWriteAndLoseLater('File too large');
    await failure(store.commit([put('k41', 'x')]));
    const accepted = await Promise.allSettled(Array.from({ length: 19 }, (_, i) => store.commit([put(`l${i}`, 'x')])));
    expect(accepted.filter((result) => result.status === 'fulfilled')).toEqual([]);
    disk.crash();
    const again = await open();
    expect(again.opened.loss).toBeUndefined();
    expect((await all(again)).length).toBe(40);
  });

  test('that reached the disk all the same is there after the reopen, under its number', async () => {
    const { disk, open } = setup();
    const store = await open();
    disk.failNextWriteAfterApplying('Input/output error');
    expect((await failure(store.commit([put('a', '1')]))).code).toBe('poisoned');
    disk.crash();
    const again = await open();
    expect(await all(again)).toEqual([['a', '1']]);
    expect(again.lastGroup).toBe(1);
  });

  test('of the anchor poisons too', async () => {
    const { disk, env, open } = setup();
    const store = await open();
    await commitEach(store, 1, 1);
    disk.failNextAnchor('Input/output error');
    await env.advance(1_001);
    expect(store.poisoned).toBe(true);
  });
});

describe('a flipped bit', () => {
  test('in a value or in its checksum is found by every kind of read', async () => {
    for (const bit of [3, 8 * 5 + 1]) {
      const { disk, open } = setup();
      await commitEach(await open(), 1, 2);
      disk.crash();
      disk.flipBit(text('k000001'), bit % (8 * 6));
      const store = await open();
      for (const attempt of [store.get(text('k000001')), all(store)])
        expect((await failure(attempt)).code).toBe('corruption');
      expect(() => store.getSync(text('k000001'))).toThrow(/checksum/);
      expect(await store.get(text('k000002'))).toBeDefined();
    }
  });
});

describe('watermarks', () => {
  const space = (free: number) => () => Promise.resolve({ freeBytes: free, totalBytes: 100 });

  test('below 10 % free a client write is refused and an essential one taken; below 5 % both are refused', async () => {
    const low = await setup({ measure: space(9) }).open();
    expect((await failure(low.commit([put('a', '1')]))).code).toBe('insufficient_storage');
    expect(await low.commit([remove('a')], { essential: true })).toBe(1);
    expect(low.poisoned).toBe(false);
    const lowest = await setup({ measure: space(4) }).open();
    expect((await failure(lowest.commit([remove('a')], { essential: true }))).code).toBe('insufficient_storage');
  });

  test('on a small disk the room that compacting may take stays free', async () => {
    const small = (free: number) =>
      setup({
        measure: () => Promise.resolve({ freeBytes: free * 2 ** 20, totalBytes: 1_000 * 2 ** 20 }),
        roomBytes: 300 * 2 ** 20,
      });
    const low = await small(290).open();
    expect(await failure(low.commit([put('a', '1')]))).toMatchObject({
      code: 'insufficient_storage',
      message:
        '29.0 % (290 MiB) of the disk is free and 30.0 % (300 MiB) of the disk must stay free, ' +
        'for what flushing and compacting take for a moment (deletes are still accepted)',
    });
    expect(await low.commit([remove('a')], { essential: true })).toBe(1);
    const lowest = await small(140).open();
    expect((await failure(lowest.commit([remove('a')], { essential: true }))).code).toBe('insufficient_storage');
    const roomy = await small(310).open();
    expect(await roomy.commit([put('a', '1')])).toBe(1);
  });

  test('bytes written since the last measurement count as used, and a new measurement opens the gate again', async () => {
    let free = 1_150;
    const { env, open } = setup({ measure: () => Promise.resolve({ freeBytes: free, totalBytes: 10_000 }) });
    const store = await open();
    await store.commit([put('a', 'x'.repeat(200))]);
    expect((await failure(store.commit([put('b', 'x')]))).code).toBe('insufficient_storage');
    free = 5_000;
    await env.advance(1_001);
    expect(await store.commit([put('b', 'x')])).toBe(2);
  });
});

describe('the queue', () => {
  test('refuses as busy what would wait beyond its limit, and takes it when it has drained', async () => {
    const { open } = setup({ limits: { pendingBytesMax: 1_000, groupChangesMax: 1 } });
    const store = await open();
    const first = store.commit([put('a', 'x'.repeat(900))]);
    const second = await failure(store.commit([put('b', 'x'.repeat(200))]));
    expect(second.code).toBe('busy');
    await first;
    expect(await store.commit([put('b', 'x'.repeat(2_000))])).toBe(2);
  });
});

describe('the anchor', () => {
  test('is refreshed within a second while there is something new, rests otherwise, and is clean after a close', async () => {
    const { disk, env, open } = setup();
    const store = await open();
    await commitEach(store, 1, 7);
    expect(disk.anchor).toMatchObject({ lastGroup: 0, clean: false });
    await env.advance(1_001);
    expect(disk.anchor).toMatchObject({ lastGroup: 7, clean: false });
    expect(env.pendingCount).toBe(1); // the space measurement alone
    await commitEach(store, 8, 9);
    await store.close();
    expect(disk.anchor).toMatchObject({ lastGroup: 9, clean: true });
    expect(env.pendingCount).toBe(0);
    expect((await open()).opened.clean).toBe(true);
    expect(disk.anchor).toMatchObject({ lastGroup: 9, clean: false });
  });
});
