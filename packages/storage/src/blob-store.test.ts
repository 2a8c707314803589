import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRealEnv } from '@quiver/env';
import { afterAll, describe, expect, test } from 'vitest';
import { chunkKey, partsReader, sealChunk, sealHeader } from './blob-format.ts';
import { blobFilesDir, createMemoryBlobStore, openLevelBlobStore } from './blob-store.ts';
import { key } from './key.ts';
import { openLevelEngine } from './level-engine.ts';
import { blobEngineOptions } from './blob-store.ts';
import { failure } from './store.contract.ts';

const env = createRealEnv();
const root = mkdtempSync(join(tmpdir(), 'quiver-blobs-'));
let count = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));
const fresh = (): string => join(root, String(count++));

function patterned(bytes: number, salt: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) out[i] = (i * 31 + (i >> 8) * salt + salt) & 0xff;
  return out;
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

describe.each([
  ['level', () => openLevelBlobStore(fresh(), {}, env)],
  ['memory', () => Promise.resolve(createMemoryBlobStore(env))],
])('blob store over %s', (_name, open) => {
  test('blobs of any size, from one array or from parts of shared memory, are read back as they were', async () => {
    const store = await open();
    const sizes = [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (9 << 20) + 5];
    for (const [i, bytes] of sizes.entries()) {
      const whole = patterned(bytes, i);
      const shared = new Uint8Array(new SharedArrayBuffer(bytes));
      shared.set(whole);
      const cut = Math.floor(bytes / 3);
      await store.put(i, i % 2 === 0 ? shared : [shared.subarray(0, cut), new Uint8Array(0), shared.subarray(cut)]);
      const into = new Uint8Array(new SharedArrayBuffer(bytes));
      await store.read(i, into);
      expect(equal(into, whole), `size ${bytes}`).toBe(true);
    }
    expect(await store.list()).toEqual(sizes.map((bytes, blobId) => ({ blobId, bytes })));
    expect(await store.size(5)).toBe(sizes[5]);
    await store.close();
  });

  test('a blob that came chunk by chunk is listed with its last one, and is read chunk by chunk', async () => {
    const store = await open();
    for (const [id, bytes] of [
      [1, 0],
      [2, 1 << 20],
      [3, (2 << 20) + 7],
    ] as const) {
      const whole = patterned(bytes, id);
      const chunks = Math.max(1, Math.ceil(bytes / (1 << 20)));
      for (let chunk = 0; chunk < chunks; chunk++) {
        expect(await store.size(id)).toBeUndefined();
        expect(await store.readChunk(id, chunk)).toBeUndefined();
        await store.putChunk(id, chunk, whole.subarray(chunk << 20, (chunk + 1) << 20), bytes);
      }
      const into = new Uint8Array(bytes);
      await store.read(id, into);
      expect(equal(into, whole), `size ${bytes}`).toBe(true);
      for (let chunk = 0; chunk < chunks; chunk++)
        expect(equal((await store.readChunk(id, chunk))!, whole.subarray(chunk << 20, (chunk + 1) << 20))).toBe(true);
      expect((await failure(store.readChunk(id, chunks))).code).toBe('corruption');
    }
    await store.close();
  });

  test('a deleted blob is neither listed nor readable, and its neighbours are', async () => {
    const store = await open();
    for (const id of [1, 2, 3]) await store.put(id, patterned(100_000, id));
    await store.delete([2, 99]);
    expect((await store.list()).map((info) => info.blobId)).toEqual([1, 3]);
    expect(await store.size(2)).toBeUndefined();
    expect((await failure(store.read(2, new Uint8Array(100_000)))).code).toBe('corruption');
    const into = new Uint8Array(100_000);
    await store.read(3, into);
    expect(equal(into, patterned(100_000, 3))).toBe(true);
    await store.close();
    expect((await failure(store.list())).code).toBe('closed');
  });

  test('puts, reads and deletes at the same time do not disturb each other', async () => {
    const store = await open();
    await store.put(0, patterned(3 << 20, 0));
    const reads = [new Uint8Array(3 << 20), new Uint8Array(3 << 20)];
    await Promise.all([
      store.put(1, patterned(2 << 20, 1)),
      store.put(2, patterned(2 << 20, 2), { dutyFraction: 0.5 }),
      ...reads.map((into) => store.read(0, into)),
      store.delete([77]),
    ]);
    for (const into of reads) expect(equal(into, patterned(3 << 20, 0))).toBe(true);
    expect((await store.list()).length).toBe(3);
    await store.close();
  });
});

describe.each([
  ['disk', (dir: string) => openLevelBlobStore(dir, {}, env)],
  ['memory', () => Promise.resolve(createMemoryBlobStore(env))],
])('blobs in files on %s', (_name, open) => {
  test('they are blobs like others, and files that are read at any place', async () => {
    const store = await open(fresh());
    const sizes = [0, 7, 1 << 20, (2 << 20) + 9];
    for (const [i, bytes] of sizes.entries()) {
      const whole = patterned(bytes, i);
      await store.put(3 * i, whole, { inFile: true });
      for (let chunk = 0; chunk < Math.max(1, Math.ceil(bytes / (1 << 20))); chunk++) {
        expect(await store.size(3 * i + 1)).toBeUndefined();
        const piece = whole.subarray(chunk << 20, (chunk + 1) << 20);
        await store.putChunk(3 * i + 1, chunk, piece, bytes, { inFile: true });
      }
      const writer = store.files.create(3 * i + 2);
      for (let at = 0; at < bytes; at += 100_001) writer.append(whole.subarray(at, at + 100_001));
      await store.adoptFile(3 * i + 2, writer.finish());
      for (const id of [3 * i, 3 * i + 1, 3 * i + 2]) {
        expect(await store.size(id)).toBe(bytes);
        const cut = Math.floor(bytes / 2);
        const parts = [new Uint8Array(cut), new Uint8Array(bytes - cut)];
        await store.read(id, parts);
        expect(equal(Buffer.concat(parts), whole), `blob ${id} of ${bytes} bytes`).toBe(true);
        const file = store.files.open(id);
        const into = new Uint8Array(cut + 4);
        file.read(bytes - cut, into, 4, cut);
        expect(equal(into.subarray(4), whole.subarray(bytes - cut))).toBe(true);
        expect(() => file.read(bytes - cut, into, 0, cut + 1)).toThrow(/not/);
        file.close();
      }
    }
    expect((await store.list()).map(({ bytes }) => bytes)).toEqual(sizes.flatMap((bytes) => [bytes, bytes, bytes]));
    const kept = store.files.open(8);
    await store.delete([8]);
    expect(await store.size(8)).toBeUndefined();
    expect(() => store.files.open(8)).toThrow(/not there/);
    const left = new Uint8Array(3);
    kept.read(1, left, 0, 3);
    expect(equal(left, patterned(1 << 20, 2).subarray(1, 4))).toBe(true);
    kept.close();
    await store.close();
  });
});

describe('blob store on disk', () => {
  test('files that nothing names are gone after a reopen; a changed one is reported as corruption', async () => {
    const dir = fresh();
    const store = await openLevelBlobStore(dir, {}, env);
    await store.put(1, patterned((1 << 20) + 5, 1), { inFile: true });
    const writer = store.files.create(2);
    writer.append(patterned(100, 2));
    writer.finish();
    await store.putChunk(3, 0, patterned(1 << 20, 3), 2 << 20, { inFile: true });
    await store.close();
    const path = join(blobFilesDir(dir), '1.blob');
    const bytes = readFileSync(path);
    bytes[(1 << 20) + 2]! ^= 1;
    writeFileSync(path, bytes);
    const again = await openLevelBlobStore(dir, {}, env);
    expect(readdirSync(blobFilesDir(dir))).toEqual(['1.blob']);
    expect((await again.list()).map(({ blobId }) => blobId)).toEqual([1]);
    await again.readChunk(1, 0);
    expect((await failure(again.readChunk(1, 1))).code).toBe('corruption');
    expect((await failure(again.read(1, new Uint8Array((1 << 20) + 5)))).code).toBe('corruption');
    await again.close();
  });


  test('a put that was cut off is gone after a reopen, complete blobs stay', async () => {
    const dir = fresh();
    const store = await openLevelBlobStore(dir, {}, env);
    await store.put(1, patterned(50_000, 1));
    await store.put(2, patterned(50_000, 2));
    await store.close();
    const engine = await openLevelEngine(dir, blobEngineOptions);
    await engine.write([{ kind: 'delete', key: key().u8(0x69).u64(2).done() }]);
    await engine.close();
    const again = await openLevelBlobStore(dir, {}, env);
    expect((await again.list()).map((info) => info.blobId)).toEqual([1]);
    await again.close();
    const left: number[] = [];
    const raw = await openLevelEngine(dir, blobEngineOptions);
    for await (const page of raw.pages({ from: Uint8Array.of(0x62), to: Uint8Array.of(0x63) })) left.push(page.length);
    await raw.close();
    expect(left).toEqual([1]);
  });

  test('long blobs whose chunks are records, as earlier versions wrote them, are read; a lost chunk and a changed one are corruption', async () => {
    const dir = fresh();
    const bytes = (3 << 20) + 5;
    const store = await openLevelBlobStore(dir, {}, env);
    await store.close();
    const engine = await openLevelEngine(dir, blobEngineOptions);
    for (const id of [1, 2, 3]) {
      const source = partsReader([patterned(bytes, id)]);
      for (let chunk = 0; chunk < 4; chunk++)
        await engine.write([sealChunk(id, chunk, source, Math.min(source.left(), 1 << 20))]);
      await engine.write([sealHeader(id, bytes)]);
    }
    const stored = Uint8Array.from((await engine.get(chunkKey(2, 1)))!);
    stored[1234]! ^= 4;
    await engine.write([
      { kind: 'delete', key: chunkKey(1, 1) },
      { kind: 'put', key: chunkKey(2, 1), value: stored },
    ]);
    await engine.close();
    const again = await openLevelBlobStore(dir, {}, env);
    for (const id of [1, 2]) expect((await failure(again.read(id, new Uint8Array(bytes)))).code).toBe('corruption');
    const into = new Uint8Array(bytes);
    await again.read(3, into);
    expect(equal(into, patterned(bytes, 3))).toBe(true);
    expect(await again.size(3)).toBe(bytes);
    expect(equal((await again.readChunk(3, 3))!, patterned(bytes, 3).subarray(3 << 20))).toBe(true);
    await again.delete([3]);
    expect((await again.list()).map(({ blobId }) => blobId)).toEqual([1, 2]);
    await again.close();
  });

  test('a blob of more than a chunk lies in a file, and only what names it in LevelDB', async () => {
    const dir = fresh();
    const store = await openLevelBlobStore(dir, {}, env);
    await store.put(1, patterned(1 << 20, 1));
    await store.put(2, patterned((1 << 20) + 1, 2));
    await store.putChunk(3, 0, patterned(1 << 20, 3), (1 << 20) + 1);
    await store.putChunk(3, 1, Uint8Array.of(9), (1 << 20) + 1);
    await store.close();
    expect(readdirSync(blobFilesDir(dir)).sort()).toEqual(['2.blob', '3.blob']);
    const again = await openLevelBlobStore(dir, {}, env);
    expect(await again.list()).toEqual([1, 2, 3].map((blobId) => ({ blobId, bytes: blobId === 1 ? 1 << 20 : (1 << 20) + 1 })));
    await again.close();
  });

  test('a directory that is open elsewhere is refused with a message that says so', async () => {
    const dir = fresh();
    const store = await openLevelBlobStore(dir, {}, env);
    const error = await failure(openLevelBlobStore(dir, {}, env));
    expect(error.code).toBe('locked');
    expect(error.message).toContain('in use');
    await store.close();
  });
});
