/**
 * Random histories of commits, crashes and faults over the simulated disk, checked against a model: what was
 * acknowledged is there, or the open said that it is not. `QUIVER_SEED=n` replays one history.
 */
import { createVirtualEnv } from '@quiver/env/testing';
import { expect, test } from 'vitest';
import { StorageError } from './storage-error.ts';
import { all, put, remove } from './store.contract.ts';
import { createFaultyDisk } from './testing/faulty-engine.ts';
import { createFaultyStore } from './testing/faulty-store.ts';
import type { Change } from './store.ts';
import type { Volume } from './volume.ts';

type State = ReadonlyMap<string, string>;

/** What may be found: states between `acknowledged` and all requests in flight applied in order. */
interface Model {
  acknowledged: State;
  inFlight: State[];
}

function applied(state: State, changes: readonly Change[]): State {
  const next = new Map(state);
  for (const change of changes) {
    const key = Buffer.from(change.key).toString();
    if (change.kind === 'put') next.set(key, Buffer.from(change.value).toString());
    else next.delete(key);
  }
  return next;
}

async function runHistory(seed: number): Promise<'kept' | 'loss reported'> {
  const env = createVirtualEnv({ seed });
  const below = (n: number): number => Math.floor(env.random() * n);
  const disk = createFaultyDisk();
  const model: Model = { acknowledged: new Map(), inFlight: [] };
  let store = await createFaultyStore(disk, { limits: { groupChangesMax: 8 } }, env);
  let damaged = false;

  function submit(on: Volume): Promise<void> {
    const changes = Array.from({ length: 1 + below(5) }, (_, i) =>
      below(4) === 0 ? remove(`k${below(30)}`) : put(`k${below(30)}`, `${seed}-${env.now()}-${i}-${below(1e6)}`),
    );
    const before = model.inFlight.at(-1) ?? model.acknowledged;
    const after = applied(before, changes);
    model.inFlight.push(after);
    return on.commit(changes).then(
      () => {
        model.acknowledged = after;
        model.inFlight = model.inFlight.slice(model.inFlight.indexOf(after) + 1);
      },
      (error: unknown) => expect((error as StorageError).code).toBe('poisoned'),
    );
  }

  for (let life = 0; life < 6; life++) {
    const requests: Promise<void>[] = [];
    const steps = below(40);
    for (let step = 0; step < steps; step++) {
      const fault = below(60);
      if (fault === 0) disk.failNextWrite('EIO');
      else if (fault === 1) disk.failNextWriteAndLoseLater('ENOSPC');
      else if (fault === 2) disk.failNextWriteAfterApplying('EIO');
      else if (fault === 3) disk.failNextAnchor('EIO');
      else if (fault < 12) await env.advance(below(1_500));
      requests.push(submit(store));
      if (below(3) > 0) await Promise.all(requests.splice(0));
    }
    if (below(4) === 0) {
      // May fail to note that it was clean, when the anchor meets a fault.
      await store.close().catch((error: unknown) => expect((error as StorageError).code).toBe('unavailable'));
      await Promise.all(requests);
    }
    disk.crash({ keepInFlight: below(2) === 0 });
    await Promise.all(requests);
    // Batch 0 is the base record; batches on the disk that no anchor has seen and no batch follows are the torn tail.
    const anchored = disk.anchor?.lastGroup ?? 0;
    if (below(8) === 0 && disk.batchCount > 2) {
      const last = disk.batchCount - 1;
      const index = 1 + below(last);
      if (index < last || anchored >= last) {
        disk.dropBatch(index);
        damaged = true;
      }
    }
    try {
      store = await createFaultyStore(disk, { limits: { groupChangesMax: 8 } }, env);
    } catch (error) {
      if (error instanceof StorageError && error.code === 'data_loss' && damaged) return 'loss reported';
      throw error;
    }
    expect(damaged, `seed ${seed}: a dropped group went unnoticed`).toBe(false);
    const found = JSON.stringify(await all(store));
    const allowed = [model.acknowledged, ...model.inFlight];
    const match = allowed.find(
      (state) => JSON.stringify([...state].sort(([a], [b]) => (a < b ? -1 : 1))) === found,
    );
    expect(match, `seed ${seed}, life ${life}: found ${found}`).toBeDefined();
    model.acknowledged = match!;
    model.inFlight = [];
  }
  await store.close();
  return 'kept';
}

test('in random histories of faults nothing acknowledged is lost without a word', async () => {
  const replay = process.env['QUIVER_SEED'];
  const first = replay === undefined ? Date.now() >>> 0 : Number(replay);
  const counts = { kept: 0, 'loss reported': 0 };
  for (let i = 0; i < (replay === undefined ? 60 : 1); i++) {
    const outcome = await runHistory(first + i).catch((error: unknown) => {
      throw new Error(`replay with QUIVER_SEED=${first + i}`, { cause: error });
    });
    counts[outcome]++;
  }
  expect(counts.kept + counts['loss reported']).toBe(replay === undefined ? 60 : 1);
  if (replay !== undefined) return;
  expect(counts.kept).toBeGreaterThan(0);
  expect(counts['loss reported']).toBeGreaterThan(0);
});
