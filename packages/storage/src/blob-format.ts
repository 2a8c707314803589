/**
 * Keys and values of a blob store; docs/formats/volume.md has the prose.
 *
 * Chunk:       62 | blob id u64 BE | chunk u32 BE -> up to 1 MiB, then the trailer (checksum.ts)
 * Header:      69 | blob id u64 BE -> bytes u64 LE | chunk bytes u32 LE, then the trailer; written with the last chunks
 * File header: 66 | blob id u64 BE -> bytes u64 LE | chunk bytes u32 LE | CRC-32 u32 LE of each chunk of the file, then the
 *              trailer; written when the file is on stable storage
 */
import { crc32 } from 'node:zlib';
import type { FileDigest } from './blob-files.ts';
import { sealValue, trailerBytes } from './checksum.ts';
import type { EngineWrite } from './engine.ts';
import { key } from './key.ts';
import { StorageError } from './storage-error.ts';

/** Of every chunk of a blob but its last. */
export const blobChunkBytes = 1 << 20;

export const chunkTag = 0x62;
export const headerTag = 0x69;
export const fileTag = 0x66;
const headerBytes = 12;

export function headerKey(blobId: number): Uint8Array {
  return key().u8(headerTag).u64(blobId).done();
}

export function fileKey(blobId: number): Uint8Array {
  return key().u8(fileTag).u64(blobId).done();
}

export function chunkKey(blobId: number, chunk: number): Uint8Array {
  return key().u8(chunkTag).u64(blobId).u32(chunk).done();
}

export function chunkRange(blobId: number): { from: Uint8Array; to: Uint8Array } {
  const at = (id: number): Uint8Array => key().u8(chunkTag).u64(id).done();
  return { from: at(blobId), to: at(blobId + 1) };
}

export function decodeHeader(value: Uint8Array): number {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  if (bytes.length !== headerBytes || bytes.readUInt32LE(8) !== blobChunkBytes)
    throw new StorageError('corruption', `a blob header is ${bytes.length} bytes or has another chunk size`);
  return Number(bytes.readBigUInt64LE(0));
}

export function sealHeader(blobId: number, bytes: number): EngineWrite {
  const at = headerKey(blobId);
  return { kind: 'put', key: at, value: sealValue(at, sizes(bytes, 0)) };
}

export function decodeFileHeader(value: Uint8Array): FileDigest {
  const view = Buffer.from(value.buffer, value.byteOffset, value.length);
  const crcs: number[] = [];
  for (let at = headerBytes; at + 4 <= view.length; at += 4) crcs.push(view.readUInt32LE(at));
  const bytes = view.length < headerBytes ? -1 : Number(view.readBigUInt64LE(0));
  if (bytes < 0 || view.readUInt32LE(8) !== blobChunkBytes || crcs.length !== chunkCount(bytes))
    throw new StorageError('corruption', `the header of a blob in a file is ${view.length} bytes`);
  return { bytes, crcs };
}

export function sealFileHeader(blobId: number, { bytes, crcs }: FileDigest): EngineWrite {
  const at = fileKey(blobId);
  const value = sizes(bytes, crcs.length);
  for (const [chunk, crc] of crcs.entries()) value.writeUInt32LE(crc, headerBytes + 4 * chunk);
  return { kind: 'put', key: at, value: sealValue(at, value) };
}

function sizes(bytes: number, crcCount: number): Buffer {
  const value = Buffer.alloc(headerBytes + 4 * crcCount);
  value.writeBigUInt64LE(BigInt(bytes), 0);
  value.writeUInt32LE(blobChunkBytes, 8);
  return value;
}

export function chunkCount(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / blobChunkBytes));
}

export function sealChunk(blobId: number, chunk: number, source: PartsReader, count: number): EngineWrite {
  const at = chunkKey(blobId, chunk);
  const value = Buffer.allocUnsafe(count + trailerBytes);
  source.take(value, count);
  value.writeUInt32LE(crc32(value.subarray(0, count), crc32(at)), count);
  return { kind: 'put', key: at, value };
}

export interface PartsReader {
  readonly total: number;
  left(): number;
  /** The next `count` bytes, to the start of `into`. */
  take(into: Uint8Array, count: number): void;
}

/** Reads parts as if they were one array. */
export function partsReader(parts: readonly Uint8Array[]): PartsReader {
  const copy = partsCursor(parts);
  return {
    total: copy.total,
    left: copy.left,
    take: (into, count) => copy.next(count, (part, at) => into.set(part, at)),
  };
}

export interface PartsWriter {
  readonly total: number;
  left(): number;
  put(bytes: Uint8Array): void;
}

/** Fills parts as if they were one array. */
export function partsWriter(parts: readonly Uint8Array[]): PartsWriter {
  const copy = partsCursor(parts);
  return {
    total: copy.total,
    left: copy.left,
    put: (bytes) =>
      copy.next(bytes.length, (part, at) => part.set(bytes.subarray(at, at + part.length))),
  };
}

function partsCursor(parts: readonly Uint8Array[]): {
  readonly total: number;
  readonly left: () => number;
  /** Hands the next `count` bytes out as pieces of parts, each with its place among them. */
  readonly next: (count: number, use: (part: Uint8Array, at: number) => void) => void;
} {
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  let taken = 0;
  let index = 0;
  let offset = 0;
  return {
    total,
    left: () => total - taken,
    next(count, use) {
      for (let at = 0; at < count; ) {
        const part = parts[index]!;
        const length = Math.min(count - at, part.length - offset);
        use(part.subarray(offset, offset + length), at);
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
