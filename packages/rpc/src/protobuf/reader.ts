/**
 * Reads the wire format of protobuf (https://protobuf.dev/programming-guides/encoding) from one buffer.
 * Always: never reads past `end`; what does not parse throws `malformed` with the offset.
 */
import { isUtf8 } from 'node:buffer';
import { ClusterError } from '@quiver/model';

export const wireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Messages in messages: as deep as Rust's prost goes. */
export const nestingMax = 100;

/** Bytes of a message that is long. */
const sharedFrom = 65_536;

/** Floats of a message lie as those of the machine. */
export const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export class ProtoReader {
  readonly buffer: Buffer;
  at: number;
  end: number;
  /** Floats of a long message, one vector behind the other: a buffer for each is most of what decoding costs. */
  private shared: Float32Array | null = null;
  private sharedCount = 0;

  constructor(bytes: Uint8Array) {
    this.buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
    this.end = bytes.length;
  }

  /** A varint as an unsigned 32-bit number; higher bits are dropped, as every protobuf reader does for 32-bit fields. */
  uint32(): number {
    let byte = this.byte();
    if (byte < 128) return byte;
    let value = byte & 127;
    let shift = 7;
    do {
      if (shift > 63) throw this.malformed('a varint of more than 10 bytes');
      byte = this.byte();
      if (shift < 32) value |= (byte & 127) << shift;
      shift += 7;
    } while (byte > 127);
    return value >>> 0;
  }

  /** A number while it is a safe integer, else a bigint. */
  uint64(): number | bigint {
    const { low, high } = this.words();
    if (high < 0x20_0000) return high * 0x1_0000_0000 + low;
    return (BigInt(high) << 32n) | BigInt(low);
  }

  /** A number while it is a safe integer, else a bigint. */
  int64(): number | bigint {
    const { low, high } = this.words();
    const value = (high | 0) * 0x1_0000_0000 + low;
    return Number.isSafeInteger(value) ? value : (BigInt(high | 0) << 32n) | BigInt(low);
  }

  float(): number {
    const at = this.advance(4);
    return this.buffer.readFloatLE(at);
  }

  double(): number {
    const at = this.advance(8);
    return this.buffer.readDoubleLE(at);
  }

  string(): string {
    const length = this.uint32();
    const at = this.advance(length);
    if (length === 0) return '';
    const bytes = this.buffer.subarray(at, at + length);
    if (!isUtf8(bytes)) throw this.malformed('a string that is not UTF-8');
    return bytes.toString('utf8');
  }

  /** A view. */
  bytes(): Buffer {
    const length = this.uint32();
    const at = this.advance(length);
    return this.buffer.subarray(at, at + length);
  }

  /** Reads a length and narrows the reader to what it spans. @returns the end to give back by `leave` */
  enter(): number {
    const length = this.uint32();
    const outer = this.end;
    if (length > outer - this.at) throw this.malformed('a length beyond the end of the message');
    this.end = this.at + length;
    return outer;
  }

  leave(outerEnd: number): void {
    this.at = this.end;
    this.end = outerEnd;
  }

  /** The packed floats of one field, copied out of the message. Those of a long one share a buffer. */
  packedFloats(): Float32Array {
    const length = this.uint32();
    if (length % 4 !== 0) throw this.malformed(`packed floats of ${length} bytes`);
    const at = this.advance(length);
    const values = this.roomForFloats(length >>> 2, at);
    if (littleEndian)
      this.buffer.copy(new Uint8Array(values.buffer, values.byteOffset, length), 0, at, at + length);
    else for (let i = 0; i < values.length; i += 1) values[i] = this.buffer.readFloatLE(at + 4 * i);
    return values;
  }

  skip(type: number): void {
    if (type === wireType.varint) this.words();
    else if (type === wireType.fixed64) this.advance(8);
    else if (type === wireType.bytes) this.advance(this.uint32());
    else if (type === wireType.fixed32) this.advance(4);
    else throw this.malformed(`wire type ${type}`);
  }

  malformed(what: string): ClusterError {
    return new ClusterError(
      'malformed',
      `failed to decode Protobuf message: ${what} (at byte ${this.at} of ${this.buffer.length})`,
    );
  }

  /** Passes over so many bytes. @returns where they begin */
  advance(length: number): number {
    const at = this.at;
    if (length > this.end - at) throw this.malformed('the message ends early');
    this.at = at + length;
    return at;
  }

  /** @param at - where they stand: no more come than there are bytes from there on */
  private roomForFloats(count: number, at: number): Float32Array {
    if (this.buffer.length < sharedFrom) return new Float32Array(count);
    this.shared ??= new Float32Array((this.buffer.length - at) >>> 2);
    const from = this.sharedCount;
    this.sharedCount += count;
    return this.shared.subarray(from, this.sharedCount);
  }

  private words(): { low: number; high: number } {
    let low = 0;
    let high = 0;
    let shift = 0;
    let byte: number;
    do {
      if (shift > 63) throw this.malformed('a varint of more than 10 bytes');
      byte = this.byte();
      const bits = byte & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      shift += 7;
    } while (byte > 127);
    return { low: low >>> 0, high: high >>> 0 };
  }

  private byte(): number {
    if (this.at >= this.end) throw this.malformed('the message ends early');
    const byte = this.buffer[this.at]!;
    this.at += 1;
    return byte;
  }
}
