/**
 * Bytes written and read one field after another: unsigned LEB128 numbers and length-prefixed strings of bytes.
 * Always: a reader never goes beyond its end, accepts each number in its shortest form only, and gives safe integers.
 */
import { varintBytes } from './entry-size.ts';
import { RaftError } from './error.ts';
import { assertCounter } from './invariants.ts';

/** Writes into one buffer that doubles when full. */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacityBytes = 64) {
    this.#bytes = new Uint8Array(capacityBytes);
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  varint(value: number): void {
    assertCounter(value, 'encoded number');
    this.#reserve(varintBytes(value));
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#length] = (rest % 128) | 128;
      this.#length += 1;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length] = rest;
    this.#length += 1;
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** A view of what was written; the writer must not be used after. */
  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Reads what a `ByteWriter` wrote. Every method throws `corruption` on anything else. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;

  /** @param what - named in errors */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    if (this.remaining < 1) this.fail('ends early');
    const value = this.#bytes[this.#at]!;
    this.#at += 1;
    return value;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (!Number.isSafeInteger(value)) this.fail('holds a number above 2^53-1');
      if (byte < 128) {
        if (byte === 0 && scale > 1) this.fail('holds a number with a superfluous byte');
        return value;
      }
      scale *= 128;
      if (scale > 2 ** 49) this.fail('holds a number above 2^53-1');
    }
  }

  /** A count of things that take at least one byte each: bounds the memory a damaged count can claim. */
  count(): number {
    const count = this.varint();
    if (count > this.remaining) this.fail(`announces ${count} items in ${this.remaining} bytes`);
    return count;
  }

  /** A view into the bytes read from. */
  bytes(): Uint8Array {
    const length = this.count();
    const value = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return value;
  }

  /** One of a list, by its position. */
  oneOf<T>(values: readonly T[], name: string): T {
    const position = this.u8();
    if (position >= values.length)
      this.fail(`holds ${name} number ${position}, known are 0..${values.length - 1}`);
    return values[position]!;
  }

  end(): void {
    if (this.remaining > 0) this.fail(`goes on for ${this.remaining} bytes`);
  }

  fail(problem: string): never {
    throw new RaftError('corruption', `${this.#what} of ${this.#bytes.length} bytes ${problem}`);
  }
}
