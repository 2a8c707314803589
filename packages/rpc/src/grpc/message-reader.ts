/**
 * Cuts a request body into gRPC's length-prefixed messages (PROTOCOL-HTTP2.md: a flag, a length of four bytes, the message),
 * in whatever pieces it comes.
 * Always: holds at most twice of what came, and 64 KiB; a length beyond the limit is refused before its bytes are kept.
 */
import { grpcCode } from '../status.ts';
import { StatusError } from './status-error.ts';

export const prefixBytes = 5;
/** A buffer for a longer message grows as the message comes: a length alone costs nothing. */
const firstBytesMax = 65_536;

export class MessageReader {
  /** Of the message that `next` gave last. */
  isCompressed = false;
  private readonly messageBytesMax: number;
  /** What came last, from `at` on not yet looked at. */
  private chunk: Buffer | null = null;
  private at = 0;
  private prefix: Buffer | null = null;
  private prefixLength = 0;
  /** -1: its prefix is not whole yet. */
  private size = -1;
  private body: Buffer | null = null;
  private filled = 0;

  constructor(messageBytesMax: number) {
    this.messageBytesMax = messageBytesMax;
  }

  /** Best once `next` has given null: what is not read yet is copied otherwise. */
  push(chunk: Buffer): void {
    this.chunk = this.chunk === null ? chunk : Buffer.concat([this.chunk.subarray(this.at), chunk]);
    this.at = 0;
  }

  /** The next message, null until it is whole. It may be a view of the chunk. @throws StatusError */
  next(): Buffer | null {
    if (this.size === -1 && !this.readPrefix()) return null;
    const { chunk, size } = this;
    const left = chunk === null ? 0 : chunk.length - this.at;
    if (this.body === null && left >= size) {
      const message = chunk === null ? Buffer.alloc(0) : chunk.subarray(this.at, this.at + size);
      this.advance(size);
      this.size = -1;
      return message;
    }
    return this.fill(Math.min(left, size - this.filled));
  }

  /** True between the first byte of a message and its last. */
  get isWithinMessage(): boolean {
    return this.size !== -1 || this.prefixLength > 0;
  }

  private fill(bytes: number): Buffer | null {
    const { size, chunk } = this;
    let body = (this.body ??= Buffer.allocUnsafe(Math.min(size, firstBytesMax)));
    if (this.filled + bytes > body.length) {
      body = Buffer.allocUnsafe(Math.min(size, Math.max(2 * body.length, this.filled + bytes)));
      this.body.copy(body, 0, 0, this.filled);
      this.body = body;
    }
    if (chunk !== null) {
      chunk.copy(body, this.filled, this.at, this.at + bytes);
      this.filled += bytes;
      this.advance(bytes);
    }
    if (this.filled < size) return null;
    this.body = null;
    this.filled = 0;
    this.size = -1;
    return body;
  }

  private readPrefix(): boolean {
    const { chunk, at } = this;
    if (chunk === null) return false;
    const left = chunk.length - at;
    if (this.prefixLength === 0 && left >= prefixBytes) {
      this.begin(chunk, at);
      this.advance(prefixBytes);
      return true;
    }
    const taken = Math.min(left, prefixBytes - this.prefixLength);
    const prefix = (this.prefix ??= Buffer.alloc(prefixBytes));
    chunk.copy(prefix, this.prefixLength, at, at + taken);
    this.prefixLength += taken;
    this.advance(taken);
    if (this.prefixLength < prefixBytes) return false;
    this.prefixLength = 0;
    this.begin(prefix, 0);
    return true;
  }

  private begin(bytes: Buffer, at: number): void {
    const flag = bytes[at]!;
    const size = bytes.readUInt32BE(at + 1);
    if (flag > 1) throw new StatusError(grpcCode.internal, `Received message with the unknown flags ${flag}`);
    if (size > this.messageBytesMax)
      throw new StatusError(
        grpcCode.resourceExhausted,
        `Received message larger than max (${size} vs ${this.messageBytesMax})`,
      );
    this.isCompressed = flag === 1;
    this.size = size;
  }

  private advance(bytes: number): void {
    this.at += bytes;
    if (this.chunk !== null && this.at >= this.chunk.length) this.chunk = null;
  }
}
