/**
 * Large immutable byte strings (segment parts), apart from the data volume, so that writing them never delays a commit:
 * those of more than a chunk, and those that other threads read at any place, in files (blob-files.ts; ADR 0005); small ones
 * and what says which files there are in a LevelDB.
 * Always: a blob is listed only when all its chunks are durable; ids are never reused and should ascend (they keep
 * tables apart, so that deleting a blob gives whole tables back); every chunk has its own checksum; after a failed
 * write of a record nothing is accepted any more.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '@quiver/model';
import { createRealEnv, type Env } from '@quiver/env';
import { createMemoryBlobFiles, openBlobFiles, type BlobFiles, type FileDigest } from './blob-files.ts';
import {
  blobChunkBytes,
  chunkKey,
  chunkRange,
  chunkTag,
  decodeHeader,
  headerKey,
  headerTag,
  partsReader,
  partsWriter,
  sealChunk,
  sealHeader,
} from './blob-format.ts';
import { openCheckedEngine } from './checked-engine.ts';
import { openValue } from './checksum.ts';
import type { Engine, EngineWrite } from './engine.ts';
import { defaultWatermarks, measureSpace, watchSpace, type FreeSpace, type Watermarks } from './free-space.ts';
import { createFileBlobs, removeUnnamedFiles } from './file-blobs.ts';
import { readKey } from './key.ts';
import type { LevelEngineOptions } from './level-engine.ts';
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
  /** In a file of its own however small it is, for reads at any place. */
  readonly inFile?: boolean;
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
   * @param into - exactly the blob's size, in one array or in parts, may be shared memory; its content is undefined after
   *   an error
   * @throws StorageError 'corruption' (also when the blob is not there)
   */
  read(blobId: number, into: Uint8Array | readonly Uint8Array[]): Promise<void>;
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
  putChunk(
    blobId: number,
    chunk: number,
    bytes: Uint8Array,
    totalBytes: number,
    options?: Pick<PutOptions, 'inFile'>,
  ): Promise<void>;
  /** The files of blobs that lie in files; other threads of the process open their own over `blobFilesDir`. */
  readonly files: BlobFiles;
  /** Makes a file that a thread wrote and finished a blob. @throws as `put` */
  adoptFile(blobId: number, digest: FileDigest): Promise<void>;
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

const chunkBytes = blobChunkBytes;
const pauseMsMax = 1_000;

/** For blobs of a chunk at most, and the headers of files. */
export const blobEngineOptions: LevelEngineOptions = {
  writeBufferBytes: 8 << 20,
  tableFileBytes: 2 << 20,
  openTablesMax: 64,
  blockCacheBytes: 1 << 20,
  blockBytes: 64 << 10,
  compression: false,
};

/** Where the files of a store in `dir` are. */
export function blobFilesDir(dir: string): string {
  return join(dir, 'files');
}

/** Opens or creates the blob store in `dir`; incomplete blobs of an interrupted `put` are deleted. */
export async function openLevelBlobStore(
  dir: string,
  options: BlobStoreOptions,
  env: Env,
): Promise<BlobStore> {
  try {
    await mkdir(blobFilesDir(dir), { recursive: true });
  } catch (cause) {
    throw new StorageError('unavailable', `${dir} cannot be made`, { cause });
  }
  const engineOptions = { ...blobEngineOptions, ...options.engine };
  const engine = await openCheckedEngine(dir, join(dir, 'starts'), engineOptions, env);
  try {
    const watermarks = { ...defaultWatermarks, ...options.watermarks };
    const space = await watchSpace(() => measureSpace(dir), watermarks, env);
    await deleteIncomplete(engine);
    const files = openBlobFiles(blobFilesDir(dir));
    await removeUnnamedFiles(engine, files);
    return runBlobStore({ engine, files, space, onPoison: options.onPoison ?? (() => undefined), env });
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
  const files = createMemoryBlobFiles();
  return runBlobStore({ engine: createMemoryEngine(), files, space, onPoison: () => undefined, env });
}

interface BlobStoreParts {
  readonly engine: Engine;
  readonly files: BlobFiles;
  readonly space: FreeSpace;
  readonly onPoison: (error: StorageError) => void;
  readonly env: Env;
}

function runBlobStore({ engine, files, space, onPoison, env }: BlobStoreParts): BlobStore {
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

  const inFiles = createFileBlobs(engine, files, write);

  async function sizeInRecords(blobId: number): Promise<number | undefined> {
    const at = headerKey(blobId);
    const stored = await engine.get(at);
    return stored === undefined ? undefined : decodeHeader(openValue(at, stored));
  }

  async function readInto(blobId: number, parts: readonly Uint8Array[]): Promise<void> {
    const into = partsWriter(parts);
    const digest = await inFiles.header(blobId);
    const bytes = digest?.bytes ?? (await sizeInRecords(blobId));
    if (bytes === undefined) throw new StorageError('corruption', `blob ${blobId} is not there`);
    assert(bytes === into.total, `blob ${blobId} has ${bytes} bytes and is read into ${into.total}`);
    if (digest !== undefined) {
      await inFiles.read(blobId, digest, into);
      return;
    }
    for await (const page of engine.pages(chunkRange(blobId))) {
      assertUsable();
      for (const [chunkKey, stored] of page) {
        const chunk = readKey(chunkKey.subarray(9)).u32();
        const value = openValue(chunkKey, stored);
        const at = into.total - into.left();
        if (chunk * chunkBytes !== at || value.length > into.left())
          throw new StorageError('corruption', `blob ${blobId} has chunk ${chunk} at byte ${at}`);
        into.put(value);
      }
    }
    if (into.left() > 0)
      throw new StorageError('corruption', `blob ${blobId} lacks ${into.left()} of its ${bytes} bytes`);
  }

  /** Holds the caller back so long that writing takes its share of the time only. */
  async function pauseAfter(startMs: number, dutyFraction: number): Promise<void> {
    const pauseMs = (env.now() - startMs) * (1 / dutyFraction - 1);
    if (pauseMs >= 1) await new Promise<void>((resolve) => env.after(Math.min(pauseMs, pauseMsMax), resolve));
  }

  async function putChunk(
    blobId: number,
    chunk: number,
    bytes: Uint8Array,
    totalBytes: number,
    inFile: boolean,
  ): Promise<void> {
    space.admit(true);
    if (inFile || totalBytes > chunkBytes) await inFiles.putChunk(blobId, chunk, bytes, totalBytes);
    else
      await write(() => [
        sealChunk(blobId, chunk, partsReader([bytes]), bytes.length),
        sealHeader(blobId, totalBytes),
      ]);
    space.noteWritten(bytes.length);
  }

  return {
    files,
    async put(blobId, bytes, { dutyFraction = 1, inFile = false } = {}) {
      assertUsable();
      assert(dutyFraction > 0 && dutyFraction <= 1, `a duty fraction is ${dutyFraction}`);
      const source = partsReader(bytes instanceof Uint8Array ? [bytes] : bytes);
      for (let chunk = 0; chunk === 0 || source.left() > 0; chunk += 1) {
        assertUsable();
        const piece = new Uint8Array(Math.min(source.left(), chunkBytes));
        source.take(piece, piece.length);
        const startMs = env.now();
        await putChunk(blobId, chunk, piece, source.total, inFile);
        if (source.left() > 0) await pauseAfter(startMs, dutyFraction);
      }
    },
    async size(blobId) {
      assertUsable();
      return (await sizeInRecords(blobId)) ?? (await inFiles.header(blobId))?.bytes;
    },
    async read(blobId, into) {
      assertUsable();
      await readInto(blobId, into instanceof Uint8Array ? [into] : into);
    },
    async readChunk(blobId, chunk) {
      assertUsable();
      const bytes = await sizeInRecords(blobId);
      if (bytes === undefined) {
        const digest = await inFiles.header(blobId);
        return digest === undefined ? undefined : inFiles.readChunk(blobId, digest, chunk);
      }
      const at = chunkKey(blobId, chunk);
      const stored = await engine.get(at);
      const wanted = Math.min(chunkBytes, bytes - chunk * chunkBytes);
      const value = stored === undefined ? undefined : openValue(at, stored);
      if (value?.length !== wanted)
        throw new StorageError('corruption', `chunk ${chunk} of blob ${blobId} has not its ${wanted} bytes`);
      return value;
    },
    async putChunk(blobId, chunk, bytes, totalBytes, { inFile = false } = {}) {
      assertUsable();
      const left = totalBytes - chunk * chunkBytes;
      assert(
        bytes.length === Math.min(left, chunkBytes),
        `chunk ${chunk} of a blob of ${totalBytes} bytes has ${bytes.length}`,
      );
      await putChunk(blobId, chunk, bytes, totalBytes, inFile);
    },
    async adoptFile(blobId, digest) {
      assertUsable();
      space.noteWritten(digest.bytes);
      await inFiles.adopt(blobId, digest);
    },
    async delete(blobIds) {
      assertUsable();
      for (const blobId of blobIds) {
        await inFiles.delete(blobId);
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
      found.push(...(await inFiles.list()));
      return found.sort((a, b) => a.blobId - b.blobId);
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
