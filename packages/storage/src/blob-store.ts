/**
 * Large immutable byte strings (segment parts) in a LevelDB of their own, so that writing them never delays a commit.
 * Always: a blob is listed only when all its chunks are durable; ids are never reused and should ascend (they keep
 * tables apart, so that deleting a blob gives whole tables back); every chunk has its own checksum; after a failed
 * write nothing is accepted any more.
 *
 * Chunk:   62 | blob id u64 BE | chunk u32 BE -> up to 1 MiB, then the trailer (checksum.ts)
 * Header:  69 | blob id u64 BE -> bytes u64 LE | chunk bytes u32 LE, then the trailer; written with the last chunks
 */
import { mkdir } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { assert } from '@quiver/model';
import { createRealEnv, type Env } from '@quiver/env';
import { openValue, sealValue, trailerBytes } from './checksum.ts';
import type { Engine, EngineWrite } from './engine.ts';
import { defaultWatermarks, measureSpace, watchSpace, type FreeSpace, type Watermarks } from './free-space.ts';
import { key, readKey } from './key.ts';
import { openLevelEngine, type LevelEngineOptions } from './level-engine.ts';
import { createMemoryEngine } from './memory-engine.ts';
import { StorageError } from './storage-error.ts';

export interface BlobInfo {
  readonly blobId: number;
  readonly bytes: number;
}

export interface PutOptions {
  /**
   * Share of the time this write may take, 0..1: 0.5 waits as long after each batch as the batch took.
   * 1 (the default) does not wait.
   */
  readonly dutyFraction?: number;
}

export interface BlobStore {
  /**
   * Stores a blob; durable and listed when it resolves. The bytes (one array or parts in order, shared memory is
   * fine) are read while the promise is pending and must not change.
   * @param blobId - a safe integer that was never used in this store
   * @throws StorageError 'insufficient_storage', 'poisoned', 'closed'; nothing of the blob is listed then
   */
  put(blobId: number, bytes: Uint8Array | readonly Uint8Array[], options?: PutOptions): Promise<void>;
  /** The size of a blob, undefined when it is not listed. */
  size(blobId: number): Promise<number | undefined>;
  /**
   * Fills `into` with the blob, checksums verified.
   * @param into - exactly the blob's size, may be shared memory; its content is undefined after an error
   * @throws StorageError 'corruption' (also when the blob is not there)
   */
  read(blobId: number, into: Uint8Array): Promise<void>;
  /**
   * One chunk of a listed blob, its checksum verified.
   * @param chunk - from 0; all are `blobChunkBytes` long but the last
   * @returns undefined when the blob is not listed
   * @throws StorageError 'corruption'
   */
  readChunk(blobId: number, chunk: number): Promise<Uint8Array | undefined>;
  /**
   * Stores the next chunk of a blob that comes in pieces; with the last one the blob is listed. What never gets its last
   * chunk is deleted when the store is opened again.
   * REQUIRES: chunks of a blob come in order, one after another, each `blobChunkBytes` long but the last.
   * @param totalBytes - of the whole blob
   * @throws as `put`
   */
  putChunk(blobId: number, chunk: number, bytes: Uint8Array, totalBytes: number): Promise<void>;
  /** Deletes blobs, known or not, and gives their space back in the background. */
  delete(blobIds: readonly number[]): Promise<void>;
  /** All complete blobs by ascending id. */
  list(): Promise<BlobInfo[]>;
  close(): Promise<void>;
  readonly poisoned: boolean;
}

export interface BlobStoreOptions {
  readonly engine?: Partial<LevelEngineOptions>;
  readonly watermarks?: Partial<Watermarks>;
  readonly onPoison?: (error: StorageError) => void;
}

/** Of every chunk of a blob but its last. */
export const blobChunkBytes = 1 << 20;
const chunkBytes = blobChunkBytes;
const batchBytesMax = 8 << 20;
const chunkTag = 0x62;
const headerTag = 0x69;
const headerBytes = 12;
const pauseMsMax = 1_000;

export const blobEngineOptions: LevelEngineOptions = {
  writeBufferBytes: 64 << 20,
  tableFileBytes: 64 << 20,
  blockCacheBytes: 1 << 20,
  blockBytes: 64 << 10,
  compression: false,
};

/** Opens or creates the blob store in `dir`; incomplete blobs of an interrupted `put` are deleted. */
export async function openLevelBlobStore(
  dir: string,
  options: BlobStoreOptions,
  env: Env,
): Promise<BlobStore> {
  try {
    await mkdir(dir, { recursive: true });
  } catch (cause) {
    throw new StorageError('unavailable', `${dir} cannot be made`, { cause });
  }
  const engine = await openLevelEngine(dir, { ...blobEngineOptions, ...options.engine });
  try {
    const watermarks = { ...defaultWatermarks, ...options.watermarks };
    const space = await watchSpace(() => measureSpace(dir), watermarks, env);
    await deleteIncomplete(engine);
    return runBlobStore(engine, space, options.onPoison ?? (() => undefined), env);
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** The same in memory. */
export function createMemoryBlobStore(env: Env = createRealEnv()): BlobStore {
  const space: FreeSpace = {
    admit: () => undefined,
    noteWritten: () => undefined,
    freeFraction: () => 1,
    stop: () => undefined,
  };
  return runBlobStore(createMemoryEngine(), space, () => undefined, env);
}

function runBlobStore(
  engine: Engine,
  space: FreeSpace,
  onPoison: (error: StorageError) => void,
  env: Env,
): BlobStore {
  let poison: StorageError | undefined;
  let closed: Promise<void> | undefined;
  let writing: Promise<unknown> = Promise.resolve();
  let compacting: Promise<void> = Promise.resolve();

  function assertUsable(): void {
    if (poison !== undefined) throw poison;
    if (closed !== undefined) throw new StorageError('closed', 'the blob store is closed');
  }

  /** One write at a time; the batch is made when its turn comes, so that at most one is in memory. */
  function write(make: () => EngineWrite[]): Promise<void> {
    const turn = writing.then(async () => {
      if (poison !== undefined) throw poison;
      try {
        await engine.write(make());
      } catch (cause) {
        poison = new StorageError('poisoned', 'a blob write failed; the store accepts nothing more', { cause });
        onPoison(poison);
        throw poison;
      }
    });
    writing = turn.catch(() => undefined);
    return turn;
  }

  async function sizeOf(blobId: number): Promise<number | undefined> {
    const at = headerKey(blobId);
    const stored = await engine.get(at);
    return stored === undefined ? undefined : decodeHeader(openValue(at, stored));
  }

  async function readChunks(blobId: number, into: Uint8Array): Promise<void> {
    const bytes = await sizeOf(blobId);
    if (bytes === undefined) throw new StorageError('corruption', `blob ${blobId} is not there`);
    assert(bytes === into.length, `blob ${blobId} has ${bytes} bytes and is read into ${into.length}`);
    let at = 0;
    for await (const page of engine.pages(chunkRange(blobId))) {
      assertUsable();
      for (const [chunkKey, stored] of page) {
        const chunk = readKey(chunkKey.subarray(9)).u32();
        const value = openValue(chunkKey, stored);
        if (chunk * chunkBytes !== at || at + value.length > into.length)
          throw new StorageError('corruption', `blob ${blobId} has chunk ${chunk} at byte ${at}`);
        into.set(value, at);
        at += value.length;
      }
    }
    if (at !== bytes)
      throw new StorageError('corruption', `blob ${blobId} has ${at} of its ${bytes} bytes`);
  }

  return {
    async put(blobId, bytes, { dutyFraction = 1 } = {}) {
      assertUsable();
      assert(dutyFraction > 0 && dutyFraction <= 1, `a duty fraction is ${dutyFraction}`);
      const source = partsReader(bytes instanceof Uint8Array ? [bytes] : bytes);
      let chunk = 0;
      do {
        assertUsable();
        space.admit(true);
        const count = Math.min(source.left(), batchBytesMax);
        const startMs = env.now();
        await write(() => {
          const writes: EngineWrite[] = [];
          for (let left = count; left > 0; left -= chunkBytes)
            writes.push(sealChunk(blobId, chunk++, source, Math.min(left, chunkBytes)));
          if (source.left() === 0) writes.push(sealHeader(blobId, source.total));
          return writes;
        });
        space.noteWritten(count);
        const pauseMs = (env.now() - startMs) * (1 / dutyFraction - 1);
        if (pauseMs >= 1 && source.left() > 0)
          await new Promise<void>((resolve) => env.after(Math.min(pauseMs, pauseMsMax), resolve));
      } while (source.left() > 0);
    },
    async size(blobId) {
      assertUsable();
      return sizeOf(blobId);
    },
    async read(blobId, into) {
      assertUsable();
      await readChunks(blobId, into);
    },
    async readChunk(blobId, chunk) {
      assertUsable();
      const bytes = await sizeOf(blobId);
      if (bytes === undefined) return undefined;
      const at = chunkKey(blobId, chunk);
      const stored = await engine.get(at);
      const wanted = Math.min(chunkBytes, bytes - chunk * chunkBytes);
      const value = stored === undefined ? undefined : openValue(at, stored);
      if (value?.length !== wanted)
        throw new StorageError('corruption', `chunk ${chunk} of blob ${blobId} has not its ${wanted} bytes`);
      return value;
    },
    async putChunk(blobId, chunk, bytes, totalBytes) {
      assertUsable();
      const left = totalBytes - chunk * chunkBytes;
      assert(
        bytes.length === Math.min(left, chunkBytes),
        `chunk ${chunk} of a blob of ${totalBytes} bytes has ${bytes.length}`,
      );
      space.admit(true);
      await write(() => {
        const writes = [sealChunk(blobId, chunk, partsReader([bytes]), bytes.length)];
        if (bytes.length === left) writes.push(sealHeader(blobId, totalBytes));
        return writes;
      });
      space.noteWritten(bytes.length);
    },
    async delete(blobIds) {
      assertUsable();
      for (const blobId of blobIds) {
        // The header first: whatever happens then, the blob is gone as a whole.
        await write(() => [{ kind: 'delete', key: headerKey(blobId) }]);
        const keys = await chunkKeys(engine, chunkRange(blobId));
        if (keys.length > 0) await write(() => keys.map((at) => ({ kind: 'delete', key: at })));
        const { from, to } = chunkRange(blobId);
        // A failed compaction loses nothing: LevelDB comes by the range again by itself.
        compacting = compacting.then(() =>
          closed === undefined && poison === undefined ? engine.compact(from, to).catch(() => undefined) : undefined,
        );
      }
    },
    async list() {
      assertUsable();
      const found: BlobInfo[] = [];
      const range = { from: Uint8Array.of(headerTag), to: Uint8Array.of(headerTag + 1) };
      for await (const page of engine.pages(range))
        for (const [at, stored] of page)
          found.push({ blobId: readKey(at.subarray(1)).u64Number(), bytes: decodeHeader(openValue(at, stored)) });
      return found;
    },
    close() {
      closed ??= (async () => {
        space.stop();
        await writing;
        await compacting;
        await engine.close();
      })();
      return closed;
    },
    get poisoned() {
      return poison !== undefined;
    },
  };
}

function headerKey(blobId: number): Uint8Array {
  return key().u8(headerTag).u64(blobId).done();
}

function chunkKey(blobId: number, chunk: number): Uint8Array {
  return key().u8(chunkTag).u64(blobId).u32(chunk).done();
}

function chunkRange(blobId: number): { from: Uint8Array; to: Uint8Array } {
  const at = (id: number): Uint8Array => key().u8(chunkTag).u64(id).done();
  return { from: at(blobId), to: at(blobId + 1) };
}

function decodeHeader(value: Uint8Array): number {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  if (bytes.length !== headerBytes || bytes.readUInt32LE(8) !== chunkBytes)
    throw new StorageError('corruption', `a blob header is ${bytes.length} bytes or has another chunk size`);
  return Number(bytes.readBigUInt64LE(0));
}

function sealHeader(blobId: number, bytes: number): EngineWrite {
  const value = Buffer.alloc(headerBytes);
  value.writeBigUInt64LE(BigInt(bytes), 0);
  value.writeUInt32LE(chunkBytes, 8);
  const at = headerKey(blobId);
  return { kind: 'put', key: at, value: sealValue(at, value) };
}

function sealChunk(blobId: number, chunk: number, source: PartsReader, count: number): EngineWrite {
  const at = chunkKey(blobId, chunk);
  const value = Buffer.allocUnsafe(count + trailerBytes);
  source.take(value, count);
  value.writeUInt32LE(crc32(value.subarray(0, count), crc32(at)), count);
  return { kind: 'put', key: at, value };
}

interface PartsReader {
  readonly total: number;
  left(): number;
  take(into: Uint8Array, count: number): void;
}

/** Reads parts as if they were one array. */
function partsReader(parts: readonly Uint8Array[]): PartsReader {
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  let taken = 0;
  let index = 0;
  let offset = 0;
  return {
    total,
    left: () => total - taken,
    take(into, count) {
      for (let at = 0; at < count; ) {
        const part = parts[index]!;
        const length = Math.min(count - at, part.length - offset);
        into.set(part.subarray(offset, offset + length), at);
        at += length;
        offset += length;
        if (offset === part.length) {
          index++;
          offset = 0;
        }
      }
      taken += count;
    },
  };
}

async function chunkKeys(engine: Engine, range: { from: Uint8Array; to: Uint8Array }): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = [];
  for await (const page of engine.pages(range)) for (const [at] of page) keys.push(at);
  return keys;
}

/** Chunks without a header: a put that was cut off, or a delete that was. Skips over complete blobs by seeking. */
async function deleteIncomplete(engine: Engine): Promise<void> {
  let from: Uint8Array = Uint8Array.of(chunkTag);
  const to = Uint8Array.of(chunkTag + 1);
  for (;;) {
    let found: Uint8Array | undefined;
    for await (const page of engine.pages({ from, to, limit: 1 })) found = page[0]?.[0];
    if (found === undefined) return;
    const blobId = readKey(found.subarray(1)).u64Number();
    if ((await engine.get(headerKey(blobId))) === undefined) {
      const keys = await chunkKeys(engine, chunkRange(blobId));
      await engine.write(keys.map((at) => ({ kind: 'delete', key: at })));
    }
    from = chunkRange(blobId).to;
  }
}
