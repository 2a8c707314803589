/**
 * Writes the wire format of protobuf into one growing buffer, front to back. A nested message is opened with one byte
 * reserved for its length and moved when it needs more: messages here are short or few.
 * Always: between `reset` and `finish` the bytes before `at` are whole.
 */
export class ProtoWriter {
  buffer: Buffer;
  at = 0;
  private readonly keptBytesMax: number;

  /** @param keptBytesMax - a buffer larger than this is let go by `finish` */
  constructor(initialBytes = 16_384, keptBytesMax = 1 << 20) {
    this.buffer = Buffer.allocUnsafeSlow(initialBytes);
    this.keptBytesMax = keptBytesMax;
  }

  /** The bytes written, as a copy; the writer starts anew. */
  finish(): Buffer {
    const out = Buffer.allocUnsafe(this.at);
    this.buffer.copy(out, 0, 0, this.at);
    this.reset();
    return out;
  }

  reset(): void {
    this.at = 0;
    if (this.buffer.length > this.keptBytesMax) this.buffer = Buffer.allocUnsafeSlow(this.keptBytesMax);
  }

  tag(number: number, type: number): void {
    this.varint(number * 8 + type);
  }

  /** @param value - 0..2^53-1 */
  varint(value: number): void {
    this.reserve(10);
    let rest = value;
    while (rest > 127) {
      this.buffer[this.at] = (rest & 127) | 128;
      this.at += 1;
      rest = rest > 0x7fff_ffff ? Math.floor(rest / 128) : rest >>> 7;
    }
    this.buffer[this.at] = rest;
    this.at += 1;
  }

  /** Any 64-bit integer; a negative one in its two's complement of ten bytes. */
  int64(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0) {
      this.varint(value);
      return;
    }
    this.reserve(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 127n) {
      this.buffer[this.at] = Number(rest & 127n) | 128;
      this.at += 1;
      rest >>= 7n;
    }
    this.buffer[this.at] = Number(rest);
    this.at += 1;
  }

  float(value: number): void {
    this.reserve(4);
    this.at = this.buffer.writeFloatLE(value, this.at);
  }

  double(value: number): void {
    this.reserve(8);
    this.at = this.buffer.writeDoubleLE(value, this.at);
  }

  string(value: string): void {
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.reserve(length);
    this.at += this.buffer.write(value, this.at, length, 'utf8');
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.reserve(value.length);
    this.buffer.set(value, this.at);
    this.at += value.length;
  }

  /** A length and the bytes from `start` to `end`. */
  bytesOf(source: Buffer, start: number, end: number): void {
    const length = end - start;
    this.varint(length);
    this.reserve(length);
    const { buffer, at } = this;
    // A copy of few bytes costs less than the call that would make it.
    if (length <= loopedBytesMax) for (let i = 0; i < length; i += 1) buffer[at + i] = source[start + i]!;
    else source.copy(buffer, at, start, end);
    this.at = at + length;
  }

  /** A length and the floats, little-endian. */
  packedFloats(values: Float32Array): void {
    this.varint(values.length * 4);
    this.reserve(values.length * 4);
    if (littleEndian)
      this.buffer.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), this.at);
    else for (let i = 0; i < values.length; i += 1) this.buffer.writeFloatLE(values[i]!, this.at + 4 * i);
    this.at += values.length * 4;
  }

  /** Starts what a length stands before. @returns what `close` takes */
  open(): number {
    this.reserve(1);
    const start = this.at;
    this.at += 1;
    return start;
  }

  close(start: number): void {
    const length = this.at - start - 1;
    if (length < 128) {
      this.buffer[start] = length;
      return;
    }
    const width = varintBytes(length);
    this.reserve(width);
    this.buffer.copyWithin(start + width, start + 1, this.at);
    const end = this.at + width - 1;
    this.at = start;
    this.varint(length);
    this.at = end;
  }

  private reserve(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.at + bytes));
    this.buffer.copy(larger, 0, 0, this.at);
    this.buffer = larger;
  }
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

const loopedBytesMax = 48;

/** Bytes that a varint takes. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}
