import { createMemoryStore } from '@quiver/storage';
import { expect, test } from 'vitest';
import { orphansIn } from './orphans.ts';
import { keys } from './records.ts';

test.each([
  { stored: [], known: [], orphans: [] },
  { stored: [1, 2, 3], known: [3, 1, 2], orphans: [] },
  { stored: [1, 2, 3], known: [], orphans: [1, 2, 3] },
  { stored: [2, 5, 6, 9, 300, 70_000], known: [6, 5, 300], orphans: [2, 9, 70_000] },
  { stored: [4], known: [1, 2, 7], orphans: [4] },
])('of $stored, where $known are known, $orphans are orphans', async ({ stored, known, orphans }) => {
  const store = await createMemoryStore();
  const ofReplicas = stored.flatMap((number) => [keys.state(number), keys.point(number, 1)]);
  // The node's own record is no replica's.
  const all = [keys.node(), ...ofReplicas];
  await store.commit(all.map((key) => ({ kind: 'put', key, value: Uint8Array.of(1) })));
  expect(await Array.fromAsync(orphansIn(store, known))).toEqual(orphans);
});

test('thousands of known replicas cost no look at each', async () => {
  const store = await createMemoryStore();
  let scans = 0;
  const counted: Pick<typeof store, 'scan'> = {
    scan(range) {
      scans += 1;
      return store.scan(range);
    },
  };
  const known = Array.from({ length: 2_000 }, (_, i) => i + 1);
  expect(await Array.fromAsync(orphansIn(counted, known))).toEqual([]);
  expect(scans).toBe(1);
});
