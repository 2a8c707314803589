import { describe, expect, test } from 'vitest';
import { createRealEnv } from '@quiver/env';
import { createMemoryStore, key, type Store } from '@quiver/storage';
import { createFaultyDisk, createFaultyStore } from '@quiver/storage/testing';
import { openSingleVoterLog } from './single-voter-log.ts';

const env = createRealEnv();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A host whose state is the list of entries. */
async function open(store: Store, snapshotAfterBytes = 1 << 20) {
  let entries: string[] = [];
  const log = await openSingleVoterLog({
    store,
    snapshotAfterBytes,
    host: {
      apply: (index, entry) => {
        entries.push(`${index}:${new TextDecoder().decode(entry)}`);
      },
      snapshot: () => bytes(JSON.stringify(entries)),
      restore: (snapshot) => {
        entries = JSON.parse(new TextDecoder().decode(snapshot)) as string[];
      },
    },
  });
  return { log, entries: () => entries };
}

describe('the log of one voter', () => {
  test('entries appended at once are applied in order, each once, with its own index', async () => {
    const { log, entries } = await open(await createMemoryStore());
    const indexes = await Promise.all(Array.from({ length: 600 }, (_, i) => log.append(bytes(`e${i}`))));
    expect(indexes).toEqual(Array.from({ length: 600 }, (_, i) => i + 1));
    expect(entries()).toEqual(Array.from({ length: 600 }, (_, i) => `${i + 1}:e${i}`));
  });

  test('an entry is never applied before it is durable: a crash takes only what was not answered', async () => {
    const disk = createFaultyDisk();
    const { log, entries } = await open(await createFaultyStore(disk, {}, env));
    await log.append(bytes('kept'));
    const lost = log.append(bytes('in flight'));
    lost.catch(() => undefined);
    disk.crash();
    expect(entries()).toEqual(['1:kept']);
    const again = await open(await createFaultyStore(disk, {}, env));
    expect(again.entries()).toEqual(['1:kept']);
    expect(await again.log.append(bytes('next'))).toBe(2);
  });

  test('a failed write refuses the entry and all after it, and applies none', async () => {
    const disk = createFaultyDisk();
    const { log, entries } = await open(await createFaultyStore(disk, {}, env));
    await log.append(bytes('a'));
    disk.failNextWrite('disk error');
    await expect(log.append(bytes('b'))).rejects.toMatchObject({ name: 'ClusterError' });
    await expect(log.append(bytes('c'))).rejects.toMatchObject({ name: 'ClusterError' });
    expect(entries()).toEqual(['1:a']);
  });

  test('snapshots of many pieces replace the entries they cover, over many restarts', async () => {
    const store = await createMemoryStore();
    const long = 'x'.repeat(300_000);
    for (let round = 0; round < 5; round += 1) {
      const { log, entries } = await open(store, 700_000);
      expect(entries()).toHaveLength(round * 3);
      for (let i = 0; i < 3; i += 1) await log.append(bytes(long));
      await log.close();
    }
    const kept = new Map<string, number>();
    for await (const [at] of store.scan({ from: Uint8Array.of(0), to: Uint8Array.of(255) })) {
      const kind = String.fromCharCode(at[0]!);
      kept.set(kind, (kept.get(kind) ?? 0) + 1);
    }
    expect(kept.get('r') ?? 0).toBeLessThan(3);
    expect(kept.get('x')).toBe(5);
  });

  test('a missing entry is corruption, not a shorter history', async () => {
    const store = await createMemoryStore();
    const { log } = await open(store);
    for (const text of ['a', 'b', 'c']) await log.append(bytes(text));
    await log.close();
    await store.commit([{ kind: 'delete', key: key().u8(0x72).u64(2).done() }]);
    await expect(open(store)).rejects.toMatchObject({ code: 'corruption' });
  });

  test('a closed log takes nothing', async () => {
    const { log } = await open(await createMemoryStore());
    await log.close();
    await expect(log.append(bytes('late'))).rejects.toMatchObject({ code: 'unavailable' });
  });
});
