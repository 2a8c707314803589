/**
 * The blobs of a store that lie in files: their headers are records, their bytes are not. Always: a header is written when
 * the file is on stable storage, and deleted before the file is; so a file without a header is nobody's.
 */
import { crc32 } from 'node:zlib';
import { fileChunkBytes, type BlobFileReader, type BlobFiles, type FileDigest } from './blob-files.ts';
import { chunkCount, decodeFileHeader, fileKey, fileTag, sealFileHeader, type PartsWriter } from './blob-format.ts';
import { openValue } from './checksum.ts';
import type { Engine, EngineWrite } from './engine.ts';
import { readKey } from './key.ts';
import { StorageError } from './storage-error.ts';

export interface FileBlobs {
  readonly files: BlobFiles;
  header(blobId: number): Promise<FileDigest | undefined>;
  /** Makes a file that is on stable storage a blob. */
  adopt(blobId: number, digest: FileDigest): Promise<void>;
  /** @throws StorageError corruption */
  read(blobId: number, digest: FileDigest, into: PartsWriter): Promise<void>;
  readChunk(blobId: number, digest: FileDigest, chunk: number): Promise<Uint8Array>;
  /** The next chunk; the last one makes it a blob. */
  putChunk(blobId: number, chunk: number, bytes: Uint8Array, totalBytes: number): Promise<void>;
  delete(blobId: number): Promise<void>;
  list(): Promise<{ blobId: number; bytes: number }[]>;
}

/** Chunks that are written between two calls of fsync. */
const syncEveryChunks = 8;

export function createFileBlobs(
  engine: Engine,
  files: BlobFiles,
  write: (make: () => EngineWrite[]) => Promise<void>,
): FileBlobs {
  /** Checksums of files that come in pieces. */
  const coming = new Map<number, number[]>();

  async function header(blobId: number): Promise<FileDigest | undefined> {
    const at = fileKey(blobId);
    const stored = await engine.get(at);
    return stored === undefined ? undefined : decodeFileHeader(openValue(at, stored));
  }

  const adopt = (blobId: number, digest: FileDigest): Promise<void> =>
    write(() => [sealFileHeader(blobId, digest)]);

  async function opened(blobId: number): Promise<BlobFileReader> {
    const file = await files.openSoon(blobId);
    if (file === undefined) throw new StorageError('corruption', `the file of blob ${blobId} is not there`);
    return file;
  }

  /** Waits for the next chunk while the one before is checked and copied. */
  async function read(blobId: number, digest: FileDigest, into: PartsWriter): Promise<void> {
    const file = await opened(blobId);
    const buffers = [new Uint8Array(fileChunkBytes), new Uint8Array(fileChunkBytes)];
    const fetch = (chunk: number): Promise<number> =>
      file.read(chunk * fileChunkBytes, buffers[chunk % 2]!.subarray(0, chunkLength(digest, chunk)));
    try {
      let coming = fetch(0);
      for (let chunk = 0; into.left() > 0; chunk += 1) {
        const count = await coming;
        const found = buffers[chunk % 2]!.subarray(0, count);
        if (chunk + 1 < digest.crcs.length) {
          coming = fetch(chunk + 1);
          // Awaited in the next round, or by nobody when this chunk is damaged.
          coming.catch(() => undefined);
        }
        assertChunk(blobId, digest, chunk, found);
        into.put(found);
      }
      await coming;
    } finally {
      await file.close();
    }
  }

  return {
    files,
    header,
    adopt,
    read,
    async readChunk(blobId, digest, chunk) {
      const file = await opened(blobId);
      try {
        const bytes = new Uint8Array(chunkLength(digest, chunk));
        const found = bytes.subarray(0, await file.read(chunk * fileChunkBytes, bytes));
        assertChunk(blobId, digest, chunk, found);
        return found;
      } finally {
        await file.close();
      }
    },
    async putChunk(blobId, chunk, bytes, totalBytes) {
      const crcs = coming.get(blobId) ?? [];
      if (chunk === 0) coming.set(blobId, crcs);
      await files.write(blobId, chunk * fileChunkBytes, bytes);
      crcs.push(crc32(bytes));
      const isLast = chunk === chunkCount(totalBytes) - 1;
      // Little by little: commits of points wait for the same disk.
      if (isLast || (chunk + 1) % syncEveryChunks === 0) await files.sync(blobId);
      if (!isLast) return;
      coming.delete(blobId);
      await adopt(blobId, { bytes: totalBytes, crcs });
    },
    async delete(blobId) {
      coming.delete(blobId);
      await write(() => [{ kind: 'delete', key: fileKey(blobId) }]);
      await files.remove(blobId);
    },
    async list() {
      const found: { blobId: number; bytes: number }[] = [];
      const range = { from: Uint8Array.of(fileTag), to: Uint8Array.of(fileTag + 1) };
      for await (const page of engine.pages(range))
        for (const [at, stored] of page)
          found.push({
            blobId: readKey(at.subarray(1)).u64Number(),
            bytes: decodeFileHeader(openValue(at, stored)).bytes,
          });
      return found;
    },
  };
}

function chunkLength({ bytes }: FileDigest, chunk: number): number {
  return Math.max(0, Math.min(fileChunkBytes, bytes - chunk * fileChunkBytes));
}

/** @throws StorageError corruption */
function assertChunk(blobId: number, digest: FileDigest, chunk: number, found: Uint8Array): void {
  if (found.length !== chunkLength(digest, chunk) || crc32(found) !== digest.crcs[chunk])
    throw new StorageError('corruption', `chunk ${chunk} of the file of blob ${blobId} is not what was written`);
}

/** Files that nothing names: a build or a copy that was cut off, or a delete that was. */
export async function removeUnnamedFiles(engine: Engine, files: BlobFiles): Promise<void> {
  for (const blobId of await files.list())
    if ((await engine.get(fileKey(blobId))) === undefined) await files.remove(blobId);
}
