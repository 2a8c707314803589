/**
 * Writing and reading the bytes of a frame. Always: little-endian; numbers of the order (seq, term) as u64; what holds
 * floats begins at a multiple of 4 from the start of the frame; a reader never goes past the end.
 */
import { ClusterError, decodePointId, encodePointId, pointIdBytes, type PointId } from '@quiver/model';

export class FrameWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(sizeHint = 256) {
    this.#bytes = Buffer.allocUnsafe(sizeHint);
  }

  #take(count: number): number {
    const at = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    return at;
  }

  u8(value: number): void {
    const at = this.#take(1);
    this.#bytes[at] = value;
  }
  u16(value: number): void {
    const at = this.#take(2);
    this.#bytes.writeUInt16LE(value, at);
  }
  u32(value: number): void {
    const at = this.#take(4);
    this.#bytes.writeUInt32LE(value, at);
  }
  /** A safe integer. */
  u64(value: number): void {
    const at = this.#take(8);
    this.#bytes.writeUInt32LE(value % 2 ** 32, at);
    this.#bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
  }
  flag(value: boolean): void {
    this.u8(value ? 1 : 0);
  }
  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.u16(length);
    const at = this.#take(length);
    this.#bytes.write(value, at);
  }
  pointId(id: PointId): void {
    const at = this.#take(pointIdBytes);
    encodePointId(id, this.#bytes, at);
  }
  bytes(value: Uint8Array): void {
    this.u32(value.length);
    this.raw(value);
  }
  raw(value: Uint8Array): void {
    const at = this.#take(value.length);
    this.#bytes.set(value, at);
  }
  align4(): void {
    const pad = -this.#at & 3;
    const at = this.#take(pad);
    this.#bytes.fill(0, at, at + pad);
  }
  list<T>(values: readonly T[], write: (value: T) => void): void {
    this.u32(values.length);
    for (const value of values) write(value);
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#at) as Uint8Array<ArrayBuffer>;
  }
}

export class FrameReader {
  readonly #bytes: Buffer;
  #at = 0;

  /** Copies once when the bytes do not lie as floats must. */
  constructor(bytes: Uint8Array) {
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
    this.#bytes = Buffer.from(aligned.buffer, aligned.byteOffset, aligned.length);
  }

  #take(count: number): number {
    const at = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.length)
      throw new ClusterError(
        'corruption',
        `a frame of ${this.#bytes.length} bytes ends before its byte ${this.#at}`,
      );
    return at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }
  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }
  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }
  u64(): number {
    const at = this.#take(8);
    const value = this.#bytes.readUInt32LE(at + 4) * 2 ** 32 + this.#bytes.readUInt32LE(at);
    if (!Number.isSafeInteger(value))
      throw new ClusterError('corruption', `a frame holds ${value}, beyond the safe integers`);
    return value;
  }
  flag(): boolean {
    return this.u8() !== 0;
  }
  text(): string {
    const length = this.u16();
    const at = this.#take(length);
    return this.#bytes.toString('utf8', at, at + length);
  }
  pointId(): PointId {
    return decodePointId(this.#bytes, this.#take(pointIdBytes));
  }
  /** A view of the frame. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.raw(this.u32());
  }
  raw(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#take(length);
    return new Uint8Array(this.#bytes.buffer as ArrayBuffer, this.#bytes.byteOffset + at, length);
  }
  align4(): void {
    this.#take(-this.#at & 3);
  }
  list<T>(read: () => T): T[] {
    const count = this.u32();
    // Each entry has a byte at least: a wrong count must not make an array of its size.
    if (count > this.#bytes.length - this.#at)
      throw new ClusterError('corruption', `a frame names ${count} entries and has fewer bytes left`);
    return Array.from({ length: count }, read);
  }
  end(): void {
    if (this.#at !== this.#bytes.length)
      throw new ClusterError('corruption', `a frame of ${this.#bytes.length} bytes was read to ${this.#at}`);
  }
}
