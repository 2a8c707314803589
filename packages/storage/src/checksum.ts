/**
 * The value trailer: every stored value ends with a CRC-32 (zlib's polynomial, little-endian) over key and value.
 * The key is under it too, so that a value that turns up below another key is found.
 */
import { crc32 } from 'node:zlib';
import { StorageError } from './storage-error.ts';

export const trailerBytes = 4;

/**
 * Takes the trailer off a stored value.
 * @returns a view of `stored`, not a copy
 * @throws StorageError 'corruption'
 */
export function openValue(key: Uint8Array, stored: Uint8Array): Uint8Array {
  const length = stored.length - trailerBytes;
  if (length < 0) throw corrupt(key, `is ${stored.length} bytes long, shorter than its checksum`);
  const value = stored.subarray(0, length);
  const want =
    (stored[length]! | (stored[length + 1]! << 8) | (stored[length + 2]! << 16) | (stored[length + 3]! << 24)) >>> 0;
  const got = crc32(value, crc32(key));
  if (got !== want)
    throw corrupt(key, `has checksum ${want.toString(16)} and its ${length} bytes have ${got.toString(16)}`);
  return value;
}

/** Whether the trailer fits. */
export function isWhole(key: Uint8Array, stored: Uint8Array): boolean {
  try {
    openValue(key, stored);
    return true;
  } catch {
    return false;
  }
}

/** A value with its trailer, in a buffer of its own. */
export function sealValue(key: Uint8Array, value: Uint8Array): Uint8Array {
  const sealed = Buffer.allocUnsafe(value.length + trailerBytes);
  sealed.set(value);
  sealed.writeUInt32LE(crc32(value, crc32(key)), value.length);
  return sealed;
}

function corrupt(key: Uint8Array, what: string): StorageError {
  return new StorageError('corruption', `the value of key ${Buffer.from(key).toString('hex')} ${what}`);
}
