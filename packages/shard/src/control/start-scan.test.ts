import { createMemoryStore, StorageError, type Change, type Store } from '@quiver/storage';
import { expect, test } from 'vitest';
import type { ReplicaSource } from './read-ahead.ts';
import { keys } from './records.ts';
import { StartScan } from './start-scan.ts';

const small = [3, 4, 9, 12, 40];
const saved = 6;
/** With a copy of their rows. */
const copied = [7, 11, 13];
const large = 10;
const unasked = [5, 8, 20, 41];

/** Replicas with gaps between them, one with saved segments, one with too much to be read ahead. */
async function stage(): Promise<{ store: Store; scans: () => number }> {
  const memory = await createMemoryStore();
  for (const number of [...small, saved, large, ...copied, ...unasked]) {
    const changes: Change[] = [];
    const put = (key: Uint8Array): number =>
      changes.push({ kind: 'put', key, value: Uint8Array.of(number, changes.length % 256) });
    put(keys.state(number));
    if (number === saved) put(keys.manifest(number));
    if (copied.includes(number)) put(keys.copy(number));
    const points = number === large ? 2_000 : number === 12 ? 0 : 100 + number;
    for (let id = 0; id < points; id += 1) {
      put(keys.point(number, id));
      put(keys.vector(number, '', id));
      put(keys.bySeq(number, id + 1, 0, 1));
    }
    await memory.commit(changes);
  }
  let scans = 0;
  const store: Store = {
    ...memory,
    scanPages(range) {
      scans += 1;
      return memory.scanPages(range);
    },
  };
  return { store, scans: () => scans };
}

async function contentOf(source: ReplicaSource, number: number): Promise<string[]> {
  const found: string[] = [];
  for (const range of [
    keys.beside(number),
    keys.order(number),
    keys.points(number),
    keys.index(number),
    keys.vectors(number, ''),
  ])
    for await (const page of source.scanPages(range))
      for (const [key, value] of page) found.push(`${Buffer.from(key).toString('hex')} ${value.join()}`);
  return found;
}

async function expectWhole(store: Store, scan: StartScan, numbers: readonly number[]): Promise<void> {
  const sources = await Promise.all(numbers.map((number) => scan.take(number)));
  for (const [i, number] of numbers.entries())
    expect(await contentOf(sources[i]!, number)).toEqual(await contentOf(store, number));
}

const all = [...small, saved, large, ...copied].sort((a, b) => a - b);

test('what is given of each replica is what the store has', async () => {
  const { store } = await stage();
  const scan = new StartScan(store, all);
  await expectWhole(store, scan, all);
  await scan.close();
});

test('in any order, and again', async () => {
  const { store } = await stage();
  const scan = new StartScan(store, all);
  await expectWhole(store, scan, [9, 3, 40, 40, saved, 12, large, 4]);
  await scan.close();
});

test('neighbours are read by one scan', async () => {
  const { store, scans } = await stage();
  const scan = new StartScan(store, [3, 4, 5]);
  for (const number of [3, 4, 5]) expect(await scan.take(number)).not.toBe(store);
  await scan.close();
  // And a look at what lies before the points of the first one.
  expect(scans()).toBe(2);
});

test('of replicas with a copy nothing is read but what lies before their points', async () => {
  const { store } = await stage();
  const ranges: string[] = [];
  const watched: Store = {
    ...store,
    scanPages(range) {
      ranges.push(`${Buffer.from(range.from).toString('hex')} ${Buffer.from(range.to).toString('hex')}`);
      return store.scanPages(range);
    },
  };
  const scan = new StartScan(watched, copied);
  for (const number of copied) await scan.take(number);
  await scan.close();
  const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex');
  expect(ranges).toEqual(copied.map(keys.beside).map(({ from, to }) => `${hex(from)} ${hex(to)}`));
});

test('what is saved as segments, or is too much, is left to who reads it', async () => {
  const { store } = await stage();
  const scan = new StartScan(store, all);
  expect((await scan.take(saved)).hasIndex).toBeUndefined();
  expect(await scan.take(large)).toBe(store);
  await scan.close();
});

test('a damaged record costs its own replica alone the reading ahead', async () => {
  const { store } = await stage();
  const damaged: Store = {
    ...store,
    async *scanPages(range) {
      for await (const page of store.scanPages(range)) {
        if (page.some(([key]) => Buffer.compare(key, keys.point(9, 1)) === 0))
          throw new StorageError('corruption', 'a record is not what was written');
        yield page;
      }
    },
  };
  const scan = new StartScan(damaged, all);
  for (const number of all) {
    const source = await scan.take(number);
    if (number === 9) expect(source).toBe(damaged);
    else expect(await contentOf(source, number)).toEqual(await contentOf(store, number));
  }
  await scan.close();
});

test('a failed store fails who asks', async () => {
  const { store } = await stage();
  const broken: Store = {
    ...store,
    scanPages() {
      throw new StorageError('poisoned', 'a write failed');
    },
  };
  const scan = new StartScan(broken, all);
  await expect(scan.take(3)).rejects.toThrow('a write failed');
  await scan.close();
});
