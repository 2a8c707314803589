/**
 * The tail anchor: a witness beside LevelDB of the newest group that was durable, up to a second old.
 * Written as a whole to a temporary file, fsynced, renamed over the old one, and the directory fsynced: at every moment
 * there is one complete anchor. It may be behind the volume, never ahead of it.
 *
 * 0  magic 'QVANCHR1'      8 bytes
 * 8  volume id            16 bytes
 * 24 last group           u64 LE
 * 32 chain at that group  u32 LE   (commit-ring.ts)
 * 36 flags                u32 LE   bit 0: closed cleanly, nothing follows
 * 40 CRC-32 of bytes 0-39 u32 LE
 */
import { open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { StorageError } from './storage-error.ts';

export interface Anchor {
  /** 32 hexadecimal digits; ties the anchor to its volume. */
  readonly volumeId: string;
  readonly lastGroup: number;
  readonly chain: number;
  readonly clean: boolean;
}

/** Where an anchor is kept. */
export interface AnchorPlace {
  /** @throws StorageError 'corruption' when there is one and it fails its checksum */
  read(): Promise<Anchor | undefined>;
  /** Durable when it resolves. */
  write(anchor: Anchor): Promise<void>;
}

const magic = 'QVANCHR1';
const anchorBytes = 44;

export function encodeAnchor(anchor: Anchor): Uint8Array {
  const bytes = Buffer.alloc(anchorBytes);
  bytes.write(magic, 0, 8, 'latin1');
  bytes.write(anchor.volumeId, 8, 16, 'hex');
  bytes.writeBigUInt64LE(BigInt(anchor.lastGroup), 24);
  bytes.writeUInt32LE(anchor.chain, 32);
  bytes.writeUInt32LE(anchor.clean ? 1 : 0, 36);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 40)), 40);
  return bytes;
}

/** @throws StorageError 'corruption' */
export function decodeAnchor(from: Uint8Array): Anchor {
  const bytes = Buffer.from(from.buffer, from.byteOffset, from.length);
  if (bytes.length !== anchorBytes || bytes.toString('latin1', 0, 8) !== magic)
    throw new StorageError('corruption', `the tail anchor is ${bytes.length} bytes and does not begin with ${magic}`);
  const [want, got] = [bytes.readUInt32LE(40), crc32(bytes.subarray(0, 40))];
  if (want !== got)
    throw new StorageError(
      'corruption',
      `the tail anchor has checksum ${want.toString(16)} and its bytes have ${got.toString(16)}`,
    );
  return {
    volumeId: bytes.subarray(8, 24).toString('hex'),
    lastGroup: Number(bytes.readBigUInt64LE(24)),
    chain: bytes.readUInt32LE(32),
    clean: (bytes.readUInt32LE(36) & 1) === 1,
  };
}

export function anchorFile(path: string): AnchorPlace {
  return {
    async read() {
      let bytes: Buffer;
      try {
        bytes = await readFile(path);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw new StorageError('unavailable', `${path} cannot be read`, { cause });
      }
      return decodeAnchor(bytes);
    },
    write: (anchor) => replaceFile(path, encodeAnchor(anchor)),
  };
}

/** An anchor in memory, for stores without a directory. */
export function anchorCell(cell: { anchor?: Anchor } = {}): AnchorPlace {
  return {
    read: () => Promise.resolve(cell.anchor),
    write(anchor) {
      cell.anchor = anchor;
      return Promise.resolve();
    },
  };
}

/** Replaces a file as a whole: after a crash it holds either the old bytes or the new ones. */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } catch (error) {
    await file.close();
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await file.close();
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

export async function syncDirectory(path: string): Promise<void> {
  // Windows can neither open nor sync a directory; NTFS journals the rename by itself.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
