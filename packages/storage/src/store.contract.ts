/**
 * What every store keeps to, whatever is underneath. Run by store.test.ts over LevelDB, memory and the faulty disk
 * with its faults off.
 */
import { describe, expect, test } from 'vitest';
import { afterPrefix, key } from './key.ts';
import { StorageError } from './storage-error.ts';
import type { Change, Store } from './store.ts';

export interface Opened {
  readonly store: Store;
  /** Opens the same content again after a close; undefined where nothing outlives the store. */
  readonly reopen: (() => Promise<Store>) | undefined;
}

export const text = (value: string): Uint8Array => Buffer.from(value);
export const put = (at: string, value: string): Change => ({ kind: 'put', key: text(at), value: text(value) });
export const remove = (at: string): Change => ({ kind: 'delete', key: text(at) });

export async function all(store: Store, from = 'a', to = 'z'): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const [at, value] of store.scan({ from: text(from), to: text(to) }))
    found.push([Buffer.from(at).toString(), Buffer.from(value).toString()]);
  return found;
}

export async function failure(promise: Promise<unknown>): Promise<StorageError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StorageError)) throw new Error(`expected a StorageError, got ${String(error)}`);
  return error;
}

export function storeContract(name: string, open: () => Promise<Opened>): void {
  describe(`store contract: ${name}`, () => {
    test('a committed value is read back by every kind of read, without its checksum', async () => {
      const { store } = await open();
      await store.commit([put('k', 'value'), put('empty', '')]);
      expect(Buffer.from((await store.get(text('k')))!).toString()).toBe('value');
      expect(Buffer.from(store.getSync(text('k'))!).toString()).toBe('value');
      expect((await store.get(text('empty')))!.length).toBe(0);
      expect(await store.get(text('absent'))).toBeUndefined();
      expect(store.getSync(text('absent'))).toBeUndefined();
      expect(await all(store)).toEqual([
        ['empty', ''],
        ['k', 'value'],
      ]);
      await store.close();
    });

    test('a snapshot keeps reading what was durable when it was made', async () => {
      const { store } = await open();
      await store.commit([put('a', '1'), put('b', '1')]);
      const snapshot = store.snapshot();
      await store.commit([put('a', '2'), remove('b'), put('c', '2')]);
      const found: string[] = [];
      for await (const page of snapshot.scanPages({ from: text('a'), to: text('z') }))
        for (const [at, value] of page) found.push(`${Buffer.from(at).toString()}${Buffer.from(value).toString()}`);
      expect(found).toEqual(['a1', 'b1']);
      const many = await snapshot.getMany([text('c'), text('b'), text('a')]);
      expect(many.map((value) => (value === undefined ? null : Buffer.from(value).toString()))).toEqual([
        null,
        '1',
        '1',
      ]);
      await snapshot.close();
      expect(Buffer.from((await store.get(text('a')))!).toString()).toBe('2');
      await store.close();
    });

    test('within a request later changes win, over requests the order of arrival wins', async () => {
      const { store } = await open();
      const first = store.commit([put('a', '1'), put('a', '2'), put('b', '1'), remove('b')]);
      const second = store.commit([put('c', '1')]);
      const third = store.commit([remove('c'), put('d', '1')]);
      await Promise.all([first, second, third]);
      expect(await all(store)).toEqual([
        ['a', '2'],
        ['d', '1'],
      ]);
      await store.close();
    });

    test('requests made together share a group, later ones get a higher number', async () => {
      const { store } = await open();
      const numbers = await Promise.all([store.commit([put('a', '1')]), store.commit([put('b', '1')])]);
      const later = await store.commit([put('c', '1')]);
      expect(numbers[0]).toBe(numbers[1]);
      expect(later).toBe(numbers[0] + 1);
      expect(store.stats).toMatchObject({ commits: 2, changes: 3 });
      await store.close();
    });

    test('a request larger than a group is not split', async () => {
      const { store } = await open();
      const changes = Array.from({ length: 5_000 }, (_, i) => put(`k${i}`, 'x'));
      const [big, small] = await Promise.all([store.commit(changes), store.commit([put('last', '')])]);
      expect(small).toBe(big + 1);
      expect(store.stats.commits).toBe(2);
      expect((await all(store)).length).toBe(5_001);
      await store.close();
    });

    test('a scan honours both bounds, the limit and the direction', async () => {
      const { store } = await open();
      await store.commit(['b', 'a', 'd', 'c', 'e'].map((at) => put(at, at)));
      const keys = async (range: { limit?: number; reverse?: boolean }): Promise<string> => {
        let found = '';
        for await (const [at] of store.scan({ from: text('b'), to: text('e'), ...range }))
          found += Buffer.from(at).toString();
        return found;
      };
      expect(await keys({})).toBe('bcd');
      expect(await keys({ limit: 2 })).toBe('bc');
      expect(await keys({ reverse: true })).toBe('dcb');
      expect(await keys({ reverse: true, limit: 1 })).toBe('d');
      await store.close();
    });

    test('a value is what was given and its tail, with one checksum', async () => {
      const { store } = await open();
      await store.commit([
        { kind: 'put', key: text('a'), value: text('one '), tail: text('two') },
        { kind: 'put', key: text('b'), value: text(''), tail: text('') },
      ]);
      expect(Buffer.from(store.getSync(text('a'))!).toString()).toBe('one two');
      expect((await store.get(text('b')))?.length).toBe(0);
      await store.close();
    });

    test('a scan sees the store as it was when it began', async () => {
      const { store } = await open();
      await store.commit(Array.from({ length: 3_000 }, (_, i) => put(`k${String(i).padStart(5, '0')}`, 'old')));
      const values = new Set<string>();
      let count = 0;
      for await (const [, value] of store.scan({ from: text('k'), to: text('l') })) {
        if (count++ === 0) await store.commit([put('k02999', 'new'), put('k1', 'new')]);
        values.add(Buffer.from(value).toString());
      }
      expect([count, ...values]).toEqual([3_000, 'old']);
      await store.close();
    });

    test('deleting a range leaves its bounds’ neighbours', async () => {
      const { store } = await open();
      const prefix = key().u32(7).done();
      const row = (replica: number, i: number): Change => ({
        kind: 'put',
        key: key().u32(replica).u64(i).done(),
        value: text('x'),
      });
      await store.commit([row(6, 2 ** 40), row(8, 0), ...Array.from({ length: 2_500 }, (_, i) => row(7, i))]);
      await store.deleteRange(prefix, afterPrefix(prefix));
      let left = 0;
      for await (const page of store.scanPages({ from: Uint8Array.of(0), to: Uint8Array.of(255, 255) }))
        left += page.length;
      expect(left).toBe(2);
      await store.close();
    });

    test('a large range delete may be cut short by a close, and the rest can be deleted after', async () => {
      const { store, reopen } = await open();
      const rows = 20_000;
      await store.commit(Array.from({ length: rows }, (_, i) => put(`k${i}`, 'x'.repeat(50))));
      const deleting = store.deleteRange(text('k'), text('l'));
      deleting.catch(() => undefined);
      while (store.stats.changes < rows + 2_000) await store.commit([put('a', '1')]);
      await store.close();
      const cut = await deleting.then(
        () => undefined,
        (error: unknown) => error as StorageError,
      );
      expect(cut?.code).toBe('closed');
      if (reopen === undefined) return;
      const again = await reopen();
      expect((await all(again)).length).toBeLessThan(rows);
      await again.deleteRange(text('k'), text('l'));
      expect(await all(again)).toEqual([['a', '1']]);
      await again.close();
    });

    test('the volume’s own keys are neither writable nor seen, and an empty key is refused', async () => {
      const { store } = await open();
      await expect(store.commit([{ kind: 'put', key: Uint8Array.of(0xff, 1), value: text('') }])).rejects.toThrow(
        /0xff/,
      );
      await expect(store.commit([{ kind: 'put', key: Uint8Array.of(), value: text('') }])).rejects.toThrow(/0 bytes/);
      const seen: unknown[] = [];
      for await (const entry of store.scan({ from: Uint8Array.of(0), to: Uint8Array.of(0xff, 0xff) })) seen.push(entry);
      expect(seen).toEqual([]);
      await store.close();
    });

    test('closing waits for what is pending and refuses what comes after', async () => {
      const { store, reopen } = await open();
      const pending = Array.from({ length: 20 }, (_, i) => store.commit([put(`k${i}`, 'x')]));
      const closing = store.close();
      expect((await failure(store.commit([put('late', '')]))).code).toBe('closed');
      await Promise.all(pending);
      await closing;
      await store.close();
      expect((await failure(store.get(text('k1')))).code).toBe('closed');
      if (reopen === undefined) return;
      const again = await reopen();
      expect((await all(again)).length).toBe(20);
      await again.close();
    });

    test('group numbers go on rising over a reopen', async () => {
      const { store, reopen } = await open();
      const before = await store.commit([put('a', '1')]);
      await store.close();
      expect(before).toBe(1);
      if (reopen === undefined) return;
      const again = await reopen();
      expect(await again.commit([put('b', '1')])).toBe(before + 1);
      await again.close();
    });

    test('random commits leave what a plain map holds', async () => {
      const seed = Date.now() >>> 0;
      let state = seed;
      const below = (n: number): number => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return Math.floor((state / 2 ** 32) * n);
      };
      const { store, reopen } = await open();
      const expected = new Map<string, string>();
      for (let round = 0; round < 20; round++) {
        const requests = Array.from({ length: 1 + below(5) }, () =>
          Array.from({ length: below(40) }, () => {
            const at = `k${below(200)}`;
            if (below(3) === 0) {
              expected.delete(at);
              return remove(at);
            }
            const value = `${'v'.repeat(below(300))}${round}`;
            expected.set(at, value);
            return put(at, value);
          }),
        );
        await Promise.all(requests.map((changes) => store.commit(changes)));
      }
      const sorted = [...expected].sort(([a], [b]) => (a < b ? -1 : 1));
      expect(await all(store), `seed ${seed}`).toEqual(sorted);
      await store.close();
      if (reopen === undefined) return;
      const again = await reopen();
      expect(await all(again), `seed ${seed}`).toEqual(sorted);
      await again.close();
    });
  });
}
