import { createMemoryStore, StorageError, type Change, type Store } from '@quiver/storage';
import { expect, test } from 'vitest';
import { heldCopy, readAhead, type ReplicaSource } from './read-ahead.ts';
import { keys } from './records.ts';

const number = 7;

async function storeWith(points: number, more: readonly Uint8Array[] = []): Promise<Store> {
  const store = await createMemoryStore();
  const put = (key: Uint8Array, i: number): Change => ({
    kind: 'put',
    key,
    value: Uint8Array.of(i % 256, 1),
  });
  const changes = [
    keys.state(number),
    keys.ident(number),
    keys.history(number, 3),
    keys.operation(number, 'a key'),
    ...more,
    // Of the replicas before and after it.
    keys.state(number - 1),
    keys.state(number + 1),
    keys.point(number - 1, 1),
    keys.point(number + 1, 1),
  ].map(put);
  for (let id = 0; id < points; id += 1)
    changes.push(put(keys.point(number, id), id), put(keys.vector(number, '', id), id));
  await store.commit(changes);
  return store;
}

async function scanned(source: ReplicaSource, range: Parameters<Store['scanPages']>[0]): Promise<string[]> {
  const found: string[] = [];
  for await (const page of source.scanPages(range))
    for (const [key, value] of page) found.push(`${Buffer.from(key).toString('hex')} ${value.join()}`);
  return found;
}

test.each([0, 1, 100, 998, 3_000])('what is read of %i points is what the store has', async (points) => {
  const store = await storeWith(points);
  const source = await readAhead(store, number);
  const ranges = [
    keys.order(number),
    keys.points(number),
    keys.pointsAfter(number, Math.floor(points / 2)),
    keys.vectors(number, ''),
    { from: keys.replica(number), to: keys.replica(number + 1) },
    { ...keys.points(number), limit: 3 },
    { ...keys.points(number), limit: 3, reverse: true },
    { from: keys.bySeq(number, 0, 0, 0), to: keys.bySeqEnd(number) },
  ];
  for (const range of ranges) expect(await scanned(source, range)).toEqual(await scanned(store, range));
  const asked = [
    keys.state(number),
    keys.manifest(number),
    keys.state(number + 1),
    keys.point(number, 0),
    keys.vector(number, '', 0),
  ];
  for (const key of asked) expect(source.getSync(key)).toEqual(store.getSync(key));
});

test('few points are read by one scan, many and those with saved segments by those who need them', async () => {
  const small = await storeWith(100);
  const large = await storeWith(2_000);
  const saved = await storeWith(100, [keys.manifest(number)]);
  expect(await readAhead(small, number)).not.toBe(small);
  expect(await readAhead(large, number)).toBe(large);
  expect((await readAhead(saved, number)).hasIndex).toBeUndefined();
});

test('a held copy of a range has what the source had', async () => {
  const store = await storeWith(100);
  const copy = await heldCopy(await readAhead(store, number), keys.points(number));
  const held: ReplicaSource = { getSync: () => undefined, scanPages: (range) => copy.scanPages(range) };
  expect(await scanned(held, keys.points(number))).toEqual(await scanned(store, keys.points(number)));
});

test('a damaged record leaves reading to those who need it', async () => {
  const store = await storeWith(100);
  const damaged: Store = {
    ...store,
    scanPages() {
      throw new StorageError('corruption', 'a record is not what was written');
    },
  };
  expect(await readAhead(damaged, number)).toBe(damaged);
  const broken: Store = {
    ...store,
    scanPages() {
      throw new StorageError('poisoned', 'a write failed');
    },
  };
  await expect(readAhead(broken, number)).rejects.toThrow('a write failed');
});
