/**
 * The blobs of a store that lie in files: their headers are records, their bytes are not. Always: a header is written when
 * the file is on stable storage, and deleted before the file is; so a file without a header is nobody's.
 */
import { crc32 } from 'node:zlib';
import { fileChunkBytes, type BlobFiles, type FileDigest } from './blob-files.ts';
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

  async function readChunk(blobId: number, { bytes, crcs }: FileDigest, chunk: number): Promise<Uint8Array> {
    const offset = chunk * fileChunkBytes;
    const length = Math.max(0, Math.min(fileChunkBytes, bytes - offset));
    const found = await files.readAt(blobId, offset, length);
    if (found?.length !== length || crc32(found) !== crcs[chunk])
      throw new StorageError('corruption', `chunk ${chunk} of the file of blob ${blobId} is not what was written`);
    return found;
  }

  return {
    files,
    header,
    adopt,
    readChunk,
    async read(blobId, digest, into) {
      for (let chunk = 0; into.left() > 0; chunk += 1) into.put(await readChunk(blobId, digest, chunk));
    },
    async putChunk(blobId, chunk, bytes, totalBytes) {
      const crcs = coming.get(blobId) ?? [];
      if (chunk === 0) coming.set(blobId, crcs);
      await files.write(blobId, chunk * fileChunkBytes, bytes);
      crcs.push(crc32(bytes));
      if (chunk < chunkCount(totalBytes) - 1) return;
      coming.delete(blobId);
      await files.sync(blobId);
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

/** Files that nothing names: a build or a copy that was cut off, or a delete that was. */
export async function removeUnnamedFiles(engine: Engine, files: BlobFiles): Promise<void> {
  for (const blobId of await files.list())
    if ((await engine.get(fileKey(blobId))) === undefined) await files.remove(blobId);
}
