/**
 * Entries of map<string, Value> to JSON text in one pass over the bytes: what is ASCII without escapes is one copy, and
 * nothing is made for a single value. Always: the same text as json-decode.ts gives, which takes over where a key comes twice
 * or the fields of a message come as no writer has them.
 */
import { isUtf8 } from 'node:buffer';
import { doubleText } from './json-decode.ts';
import { nestingMax, type ProtoReader, wireType } from './reader.ts';

const [quote, backslash, comma, colon] = [34, 92, 44, 58];
const [arrayOpen, arrayClose, objectOpen, objectClose] = [91, 93, 123, 125];
/** Keys of an object that are compared one by one; a set takes over beyond. */
const comparedMax = 16;
const keptBytesMax = 1 << 20;

/**
 * The object of the entry that begins here (its tag is read) and of all that follow it with the same tag.
 * @returns null when that is for json-decode.ts: the reader is anywhere then
 * @throws ClusterError malformed
 */
export function transcodeJsonMap(reader: ProtoReader, tag: number, depth: number): string | null {
  shared.begin(reader);
  const isDone = shared.members(tag, depth);
  return isDone ? shared.finish() : null;
}

/** Objects one behind the other, as bytes: of the entries of many messages. */
export interface JsonColumn {
  /** Bytes so far. */
  readonly length: number;
  /** Adds the object that `transcodeJsonMap` would give. False: that is for json-decode.ts, and this column is void. */
  members(tag: number, depth: number): boolean;
  /** A copy of all. */
  take(): Uint8Array<ArrayBuffer>;
}

/** Valid until the next column or object is begun on this thread. */
export function jsonColumn(reader: ProtoReader): JsonColumn {
  shared.begin(reader);
  return shared;
}

class JsonTranscoder implements JsonColumn {
  private reader!: ProtoReader;
  private bytes = Buffer.allocUnsafe(4096);
  private at = 0;
  private isAscii = true;

  begin(reader: ProtoReader): void {
    this.reader = reader;
    this.at = 0;
    this.isAscii = true;
  }

  finish(): string {
    const text = this.bytes.toString(this.isAscii ? 'latin1' : 'utf8', 0, this.at);
    this.letGo();
    return text;
  }

  get length(): number {
    return this.at;
  }

  take(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.at);
    this.bytes.copy(bytes, 0, 0, this.at);
    this.letGo();
    return bytes;
  }

  private letGo(): void {
    if (this.bytes.length > keptBytesMax) this.bytes = Buffer.allocUnsafe(4096);
  }

  /** Entries with this tag up to the first other field; the tag of the first is read. False, as in all below: give up. */
  members(tag: number, depth: number): boolean {
    const { reader } = this;
    const keys = new Keys();
    this.byte(objectOpen);
    for (;;) {
      if (!this.entry(keys, depth)) return false;
      const next = reader.at;
      if (next >= reader.end) break;
      if (reader.uint32() !== tag) {
        reader.at = next;
        break;
      }
      this.byte(comma);
    }
    this.byte(objectClose);
    return true;
  }

  private entry(keys: Keys, depth: number): boolean {
    const { reader } = this;
    if (depth > nestingMax) throw reader.malformed('recursion limit reached');
    const outer = reader.enter();
    const from = this.at;
    // Almost always the key comes first and once, then the value once.
    if (reader.at < reader.end && reader.buffer[reader.at] === 10) {
      reader.at += 1;
      this.string();
    } else this.ascii('""');
    if (!keys.add(this.bytes, from, this.at)) return false;
    this.byte(colon);
    const valueAt = this.at;
    this.ascii('null');
    while (reader.at < reader.end) {
      const tag = reader.uint32();
      // A key behind its value or a second one.
      if (tag === 10) return false;
      if (tag === 18) {
        this.at = valueAt;
        if (!this.value(depth + 1)) return false;
      } else reader.skip(tag & 7);
    }
    reader.leave(outer);
    return true;
  }

  private value(depth: number): boolean {
    const { reader } = this;
    if (depth > nestingMax) throw reader.malformed('recursion limit reached');
    const outer = reader.enter();
    const from = this.at;
    if (reader.at >= reader.end) this.ascii('null');
    while (reader.at < reader.end) {
      const tag = reader.uint32();
      this.at = from;
      if (tag === 34) this.string();
      else if (tag === 50) {
        if (!this.struct(depth + 1)) return false;
      } else if (tag === 58) {
        if (!this.list(depth + 1)) return false;
      } else if (!this.scalar(tag)) return false;
    }
    reader.leave(outer);
    return true;
  }

  private scalar(tag: number): boolean {
    const { reader } = this;
    switch (tag) {
      case 8:
        reader.skip(wireType.varint);
        this.ascii('null');
        return true;
      case 17:
        this.ascii(doubleText(reader.double()));
        return true;
      case 24:
        this.ascii(reader.int64().toString());
        return true;
      case 40:
        this.ascii(reader.uint64() === 0 ? 'false' : 'true');
        return true;
      default:
        return false;
    }
  }

  private struct(depth: number): boolean {
    const { reader } = this;
    const outer = reader.enter();
    if (reader.at >= reader.end) this.ascii('{}');
    else if (reader.uint32() !== 10 || !this.members(10, depth + 1) || reader.at < reader.end) return false;
    reader.leave(outer);
    return true;
  }

  private list(depth: number): boolean {
    const { reader } = this;
    const outer = reader.enter();
    this.byte(arrayOpen);
    for (let isFirst = true; reader.at < reader.end; isFirst = false) {
      if (reader.uint32() !== 10) return false;
      if (!isFirst) this.byte(comma);
      if (!this.value(depth + 1)) return false;
    }
    this.byte(arrayClose);
    reader.leave(outer);
    return true;
  }

  private string(): void {
    const { reader } = this;
    const before = reader.at;
    const length = reader.uint32();
    const from = reader.advance(length);
    this.reserve(length + 2);
    const { bytes } = this;
    const { buffer, at: end } = reader;
    let to = this.at;
    let all = 0;
    bytes[to++] = quote;
    for (let i = from; i < end; i += 1) {
      const byte = buffer[i]!;
      if (byte < 32 || byte === quote || byte === backslash) {
        reader.at = before;
        this.escaped(JSON.stringify(reader.string()));
        return;
      }
      all |= byte;
      bytes[to++] = byte;
    }
    bytes[to++] = quote;
    if (all > 127) {
      if (!isUtf8(buffer.subarray(from, end))) throw reader.malformed('a string that is not UTF-8');
      this.isAscii = false;
    }
    this.at = to;
  }

  private escaped(text: string): void {
    this.reserve(3 * text.length);
    const written = this.bytes.write(text, this.at);
    if (written !== text.length) this.isAscii = false;
    this.at += written;
  }

  private ascii(text: string): void {
    this.reserve(text.length);
    for (let i = 0; i < text.length; i += 1) this.bytes[this.at++] = text.charCodeAt(i);
  }

  private byte(value: number): void {
    this.reserve(1);
    this.bytes[this.at++] = value;
  }

  private reserve(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(2 * this.bytes.length, this.at + count));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }
}

/** The keys of one object as they stand in the text. */
class Keys {
  private readonly ends: number[] = [];
  private set: Set<string> | null = null;

  /** False when it is there already. */
  add(bytes: Buffer, from: number, to: number): boolean {
    const { ends } = this;
    if (this.set !== null || ends.length >= 2 * comparedMax) return this.addToSet(bytes, from, to);
    for (let i = 0; i < ends.length; i += 2) {
      const other = ends[i]!;
      if (ends[i + 1]! - other === to - from && isSame(bytes, other, from, to)) return false;
    }
    ends.push(from, to);
    return true;
  }

  private addToSet(bytes: Buffer, from: number, to: number): boolean {
    if (this.set === null) {
      this.set = new Set();
      for (let i = 0; i < this.ends.length; i += 2)
        this.set.add(bytes.toString('latin1', this.ends[i], this.ends[i + 1]));
    }
    const { size } = this.set;
    return this.set.add(bytes.toString('latin1', from, to)).size > size;
  }
}

function isSame(bytes: Buffer, other: number, from: number, to: number): boolean {
  for (let i = from, j = other; i < to; i += 1, j += 1) if (bytes[i] !== bytes[j]) return false;
  return true;
}

const shared = new JsonTranscoder();
