import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVirtualEnv } from '@quiver/env/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { openLevelStore, type LevelStoreOptions } from './level-store.ts';

const mib = 1 << 20;
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function stage(options: LevelStoreOptions = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'quiver-settled-'));
  folders.push(dir);
  const env = createVirtualEnv({ seed: 1 });
  const store = await openLevelStore(dir, options, env);
  const bytesOf = (ending: string): number =>
    readdirSync(join(dir, 'db'))
      .filter((name) => name.endsWith(ending))
      .reduce((sum, name) => sum + statSync(join(dir, 'db', name)).size, 0);
  return {
    dir,
    env,
    store,
    logBytes: () => bytesOf('.log'),
    tableBytes: () => bytesOf('.ldb'),
    write: (i: number) =>
      store.commit([{ kind: 'put', key: Uint8Array.of(1, i), value: new Uint8Array(mib).fill(i) }]),
  };
}

async function contentOf(dir: string): Promise<number[]> {
  const store = await openLevelStore(dir, {}, createVirtualEnv({ seed: 2 }));
  const found: number[] = [];
  for await (const [key, value] of store.scan({ from: Uint8Array.of(1), to: Uint8Array.of(2) }))
    if (value.length === mib && value.every((byte) => byte === key[1])) found.push(key[1]!);
  await store.close();
  return found;
}

describe('a volume in LevelDB', () => {
  test('that is written to no more has nothing in its log after two seconds', async () => {
    const { dir, env, store, logBytes, tableBytes, write } = await stage();
    for (const i of [1, 2, 3, 4, 5]) await write(i);
    await env.advance(1_999);
    await write(6);
    await env.advance(1_500);
    expect(logBytes()).toBeGreaterThan(6 * mib);
    await env.advance(500);
    await expect.poll(() => logBytes()).toBe(0);
    expect(tableBytes()).toBeGreaterThan(0);
    await write(7);
    await store.close();
    expect(await contentOf(dir)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test('keeps little in its log: reading it again costs less', async () => {
    const { env, store, logBytes, tableBytes, write } = await stage();
    for (const i of [1, 2, 3]) await write(i);
    await env.advance(60_000);
    await store.close();
    expect(logBytes()).toBeGreaterThan(3 * mib);
    expect(tableBytes()).toBe(0);
  });

  test('that is closed leaves no log to be read', async () => {
    const { dir, store, logBytes, write } = await stage();
    for (const i of [1, 2, 3, 4, 5]) await write(i);
    await store.close();
    expect(logBytes()).toBe(0);
    expect(await contentOf(dir)).toEqual([1, 2, 3, 4, 5]);
  });

  test('is left as it is while its disk is nearly full', async () => {
    const measure = () => Promise.resolve({ freeBytes: 200 * mib, totalBytes: 400 * mib });
    const { dir, env, store, logBytes, write } = await stage({ measure });
    for (const i of [1, 2, 3, 4, 5]) await write(i);
    await env.advance(60_000);
    await store.close();
    expect(logBytes()).toBeGreaterThan(5 * mib);
    expect(await contentOf(dir)).toEqual([1, 2, 3, 4, 5]);
  });
});
