/**
 * Blobs that lie in files of their own, `<dir>/<blob id>.blob`, so that every thread may read at any place in them; what is in
 * a file and how long it is stays with the blob store. Always: a file is written once, from its start to its end, and
 * never changes after that; one that is open can be read though it is removed meanwhile.
 */
import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { mkdir, open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { StorageError } from './storage-error.ts';

/** As `kernel` has it (ByteFile): for reads that cannot wait for another thread. */
export interface BlobFile {
  /** Fills `length` bytes of `into` from its place `at` on. @throws StorageError corruption */
  read(offset: number, into: Uint8Array, at: number, length: number): void;
  close(): void;
}

export interface BlobFileReader {
  /** @returns how many bytes of `into` were filled: fewer than it has at the end of the file */
  read(offset: number, into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

/** For threads that build. */
export interface BlobFileWriter {
  /** @throws StorageError insufficient_storage */
  append(bytes: Uint8Array): void;
  /** Everything is on stable storage when it returns. */
  finish(): FileDigest;
  /** Takes away what was written. */
  abandon(): void;
}

export interface FileDigest {
  readonly bytes: number;
  /** CRC-32 of each MiB. */
  readonly crcs: readonly number[];
}

export interface BlobFiles {
  open(blobId: number): BlobFile;
  /** REQUIRES: the id was never used. */
  create(blobId: number): BlobFileWriter;
  /** Without holding the thread up: a piece of a file that is made when it is not there. */
  write(blobId: number, offset: number, bytes: Uint8Array): Promise<void>;
  sync(blobId: number): Promise<void>;
  /** For reads that may wait; undefined when there is no such file. */
  openSoon(blobId: number): Promise<BlobFileReader | undefined>;
  /** No-op when it is not there. */
  remove(blobId: number): Promise<void>;
  list(): Promise<number[]>;
}

/** Bytes of a stretch with a checksum of its own. */
export const fileChunkBytes = 1 << 20;
/** Written between two calls of fsync: they stay short. */
const syncEveryBytes = 8 << 20;
const ending = '.blob';

/** Over a directory; the blob store makes it. */
export function openBlobFiles(dir: string): BlobFiles {
  const pathOf = (blobId: number): string => join(dir, `${blobId}${ending}`);
  return {
    open(blobId) {
      const fd = opened(() => openSync(pathOf(blobId), 'r'), blobId);
      return {
        read(offset, into, at, length) {
          for (let done = 0; done < length; ) {
            const count = readSync(fd, into, at + done, length - done, offset + done);
            if (count === 0) throw tooShort(blobId, offset + length, fstatSync(fd).size);
            done += count;
          }
        },
        close: () => closeSync(fd),
      };
    },
    create(blobId) {
      const fd = written(() => openSync(pathOf(blobId), 'wx'), blobId);
      let unsynced = 0;
      return createChunkWriter({
        write(bytes) {
          written(() => {
            for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
          }, blobId);
          unsynced += bytes.length;
          if (unsynced < syncEveryBytes) return;
          unsynced = 0;
          written(() => fdatasyncSync(fd), blobId);
        },
        finish() {
          written(() => fdatasyncSync(fd), blobId);
          closeSync(fd);
          syncDirectory(dir);
        },
        abandon() {
          closeSync(fd);
          rmSync(pathOf(blobId), { force: true });
        },
      });
    },
    async write(blobId, offset, bytes) {
      await writtenSoon(async () => {
        await mkdir(dir, { recursive: true });
        const file = await open(pathOf(blobId), offset === 0 ? 'w' : 'r+');
        try {
          for (let done = 0; done < bytes.length; )
            done += (await file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
        } finally {
          await file.close();
        }
      }, blobId);
    },
    async sync(blobId) {
      await writtenSoon(async () => {
        const file = await open(pathOf(blobId), 'r+');
        try {
          await file.datasync();
        } finally {
          await file.close();
        }
        syncDirectory(dir);
      }, blobId);
    },
    async openSoon(blobId) {
      let file: FileHandle;
      try {
        file = await open(pathOf(blobId), 'r');
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
      return {
        async read(offset, into) {
          let done = 0;
          for (let count = 1; done < into.length && count > 0; done += count)
            count = (await file.read(into, done, into.length - done, offset + done)).bytesRead;
          return done;
        },
        close: () => file.close(),
      };
    },
    remove: (blobId) => rm(pathOf(blobId), { force: true }),
    async list() {
      try {
        const names = await readdir(dir);
        return names.filter((name) => name.endsWith(ending)).map((name) => Number.parseInt(name, 10));
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    },
  };
}

/** The same in memory, for tests: all threads of one process-wide world share the object. */
export function createMemoryBlobFiles(): BlobFiles {
  const files = new Map<number, { bytes: Uint8Array }>();
  const append = (blobId: number, bytes: Uint8Array): void => {
    const file = files.get(blobId) ?? { bytes: new Uint8Array(0) };
    const whole = new Uint8Array(file.bytes.length + bytes.length);
    whole.set(file.bytes);
    whole.set(bytes, file.bytes.length);
    file.bytes = whole;
    files.set(blobId, file);
  };
  return {
    open(blobId) {
      const file = files.get(blobId);
      if (file === undefined) throw new StorageError('corruption', `the file of blob ${blobId} is not there`);
      return {
        read(offset, into, at, length) {
          const { bytes } = file;
          if (offset + length > bytes.length) throw tooShort(blobId, offset + length, bytes.length);
          into.set(bytes.subarray(offset, offset + length), at);
        },
        close: () => undefined,
      };
    },
    create(blobId) {
      files.set(blobId, { bytes: new Uint8Array(0) });
      return createChunkWriter({
        write: (bytes) => append(blobId, bytes),
        finish: () => undefined,
        abandon: () => void files.delete(blobId),
      });
    },
    write(blobId, offset, bytes) {
      if (offset === 0) files.delete(blobId);
      append(blobId, bytes);
      return Promise.resolve();
    },
    sync: () => Promise.resolve(),
    openSoon(blobId) {
      const file = files.get(blobId);
      if (file === undefined) return Promise.resolve(undefined);
      return Promise.resolve({
        read(offset, into) {
          const found = file.bytes.subarray(offset, offset + into.length);
          into.set(found);
          return Promise.resolve(found.length);
        },
        close: () => Promise.resolve(),
      });
    },
    remove(blobId) {
      files.delete(blobId);
      return Promise.resolve();
    },
    list: () => Promise.resolve([...files.keys()]),
  };
}

/** Gathers small pieces to chunks, each with its checksum. */
function createChunkWriter(file: {
  readonly write: (bytes: Uint8Array) => void;
  readonly finish: () => void;
  readonly abandon: () => void;
}): BlobFileWriter {
  const chunk = new Uint8Array(fileChunkBytes);
  const crcs: number[] = [];
  let held = 0;
  let bytes = 0;
  const flush = (): void => {
    const whole = chunk.subarray(0, held);
    crcs.push(crc32(whole));
    file.write(whole);
    bytes += held;
    held = 0;
  };
  return {
    append(piece) {
      for (let at = 0; at < piece.length; ) {
        const count = Math.min(piece.length - at, fileChunkBytes - held);
        chunk.set(piece.subarray(at, at + count), held);
        held += count;
        at += count;
        if (held === fileChunkBytes) flush();
      }
    },
    finish() {
      if (held > 0 || crcs.length === 0) flush();
      file.finish();
      return { bytes, crcs };
    },
    abandon: () => file.abandon(),
  };
}

function opened<T>(act: () => T, blobId: number): T {
  try {
    return act();
  } catch (cause) {
    throw new StorageError('corruption', `the file of blob ${blobId} is not there`, { cause });
  }
}

function tooShort(blobId: number, wanted: number, found: number): StorageError {
  return new StorageError('corruption', `the file of blob ${blobId} has ${found} bytes, not ${wanted}`);
}

function written<T>(act: () => T, blobId: number): T {
  try {
    return act();
  } catch (cause) {
    throw unwritten(cause, blobId);
  }
}

async function writtenSoon(act: () => Promise<void>, blobId: number): Promise<void> {
  try {
    await act();
  } catch (cause) {
    throw unwritten(cause, blobId);
  }
}

/** Nothing names the file yet, so a failure leaves what was there as it was. */
function unwritten(cause: unknown, blobId: number): StorageError {
  const isFull = (cause as NodeJS.ErrnoException).code === 'ENOSPC';
  return new StorageError(
    isFull ? 'insufficient_storage' : 'unavailable',
    `the file of blob ${blobId} could not be written`,
    { cause },
  );
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** A new name is on stable storage when its directory is. */
function syncDirectory(dir: string): void {
  const fd = openSync(dir, 'r');
  try {
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
