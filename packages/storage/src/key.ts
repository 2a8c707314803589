/**
 * Order-preserving key encodings: the bytes of two encoded keys compare as their parts do, part by part.
 * Numbers are big-endian and unsigned. Byte strings in the middle of a key are escaped (0x00 -> 0x00 0xff) and end
 * with 0x00 0x00, so that a shorter string sorts before its extensions; at the end of a key they are taken raw.
 */
import { assert } from '@quiver/model';

/** Builds one key; parts are appended left to right. Not reusable after `done`. */
export interface KeyBuilder {
  u8(value: number): KeyBuilder;
  u16(value: number): KeyBuilder;
  u32(value: number): KeyBuilder;
  /** @param value - 0..2^64-1; a number must be a safe integer */
  u64(value: bigint | number): KeyBuilder;
  /** A byte string with more parts after it. */
  bytes(value: Uint8Array): KeyBuilder;
  /** The last part, stored as it is. */
  rest(value: Uint8Array): KeyBuilder;
  done(): Uint8Array;
}

export function key(): KeyBuilder {
  let buffer = Buffer.allocUnsafe(48);
  let length = 0;
  function reserve(count: number): void {
    if (length + count <= buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(buffer.length * 2, length + count));
    buffer.copy(grown, 0, 0, length);
    buffer = grown;
  }
  const builder: KeyBuilder = {
    u8(value) {
      reserve(1);
      length = buffer.writeUInt8(value, length);
      return builder;
    },
    u16(value) {
      reserve(2);
      length = buffer.writeUInt16BE(value, length);
      return builder;
    },
    u32(value) {
      reserve(4);
      length = buffer.writeUInt32BE(value, length);
      return builder;
    },
    u64(value) {
      reserve(8);
      if (typeof value === 'bigint') length = buffer.writeBigUInt64BE(value, length);
      else {
        assert(Number.isSafeInteger(value) && value >= 0, `a u64 key part is ${value}`);
        buffer.writeUInt32BE(Math.floor(value / 2 ** 32), length);
        length = buffer.writeUInt32BE(value % 2 ** 32, length + 4);
      }
      return builder;
    },
    bytes(value) {
      reserve(value.length * 2 + 2);
      for (const byte of value) {
        buffer[length++] = byte;
        if (byte === 0) buffer[length++] = 0xff;
      }
      buffer[length++] = 0;
      buffer[length++] = 0;
      return builder;
    },
    rest(value) {
      reserve(value.length);
      buffer.set(value, length);
      length += value.length;
      return builder;
    },
    done: () => buffer.subarray(0, length),
  };
  return builder;
}

/** Reads a key back, part by part, in the order it was built. */
export interface KeyReader {
  u8(): number;
  u16(): number;
  u32(): number;
  u64(): bigint;
  /** A u64 that is known to be a safe integer. */
  u64Number(): number;
  bytes(): Uint8Array;
  rest(): Uint8Array;
}

/** @throws a broken invariant when the key is shorter than what is read from it */
export function readKey(from: Uint8Array): KeyReader {
  const buffer = Buffer.from(from.buffer, from.byteOffset, from.length);
  let offset = 0;
  function take(count: number): number {
    const at = offset;
    offset += count;
    assert(offset <= buffer.length, `a key of ${buffer.length} bytes is read up to byte ${offset}`);
    return at;
  }
  return {
    u8: () => buffer.readUInt8(take(1)),
    u16: () => buffer.readUInt16BE(take(2)),
    u32: () => buffer.readUInt32BE(take(4)),
    u64: () => buffer.readBigUInt64BE(take(8)),
    u64Number() {
      const at = take(8);
      const value = buffer.readUInt32BE(at) * 2 ** 32 + buffer.readUInt32BE(at + 4);
      assert(Number.isSafeInteger(value), `a u64 key part is ${value}, beyond the safe integers`);
      return value;
    },
    bytes() {
      const out: number[] = [];
      for (;;) {
        const byte = buffer.readUInt8(take(1));
        if (byte !== 0) out.push(byte);
        else if (buffer.readUInt8(take(1)) === 0) return Uint8Array.from(out);
        else out.push(0);
      }
    },
    rest: () => buffer.subarray(take(buffer.length - offset)),
  };
}

/** The smallest key above every key that begins with `prefix`: the `to` of a range over the prefix. */
export function afterPrefix(prefix: Uint8Array): Uint8Array {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  assert(length > 0, 'a prefix of 0xff bytes only has no end');
  const after = Uint8Array.from(prefix.subarray(0, length));
  after[length - 1]! += 1;
  return after;
}

/** Orders keys as the store does: unsigned bytes, a prefix before its extensions. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}
