/**
 * Stored JSON (UTF-8 bytes) to `qdrant.Value`, in one pass over the bytes: a string without escapes is one copy, a
 * number with a point or an exponent becomes a double, any other one an integer while it fits 64 bits.
 * REQUIRES: the bytes are well-formed JSON (they were checked when stored); what is not is an invariant broken.
 */
import { assert } from '@quiver/model';
import type { ProtoWriter } from './writer.ts';

const quote = 34;
const backslash = 92;
const i64Max = 0x7fff_ffff_ffff_ffffn;
const i64Min = -0x8000_0000_0000_0000n;

/** Writes each member of a JSON object as an entry of the map field `number`. */
export function writeJsonMap(writer: ProtoWriter, number: number, json: Uint8Array): void {
  if (json.length <= 2) return;
  new JsonTranscoder(writer, json).members(number);
}

/** Writes the length and body of a Value. */
export function writeJsonValue(writer: ProtoWriter, json: Uint8Array): void {
  new JsonTranscoder(writer, json).value();
}

class JsonTranscoder {
  private readonly writer: ProtoWriter;
  private readonly json: Buffer;
  private at = 0;

  constructor(writer: ProtoWriter, json: Uint8Array) {
    this.writer = writer;
    this.json = Buffer.from(json.buffer, json.byteOffset, json.byteLength);
  }

  members(number: number): void {
    this.expect(123);
    if (this.peek() === 125) {
      this.at += 1;
      return;
    }
    do {
      this.writer.tag(number, 2);
      const entry = this.writer.open();
      this.peek();
      this.writer.tag(1, 2);
      this.string();
      this.expect(58);
      this.writer.tag(2, 2);
      this.value();
      this.writer.close(entry);
    } while (this.more(125));
  }

  value(): void {
    const { writer } = this;
    const start = writer.open();
    switch (this.peek()) {
      case quote:
        writer.tag(4, 2);
        this.string();
        break;
      case 123: {
        writer.tag(6, 2);
        const struct = writer.open();
        this.members(1);
        writer.close(struct);
        break;
      }
      case 91:
        writer.tag(7, 2);
        this.list();
        break;
      case 116: // true
        this.at += 4;
        writer.tag(5, 0);
        writer.varint(1);
        break;
      case 102: // false
        this.at += 5;
        writer.tag(5, 0);
        writer.varint(0);
        break;
      case 110: // null
        this.at += 4;
        writer.tag(1, 0);
        writer.varint(0);
        break;
      default:
        this.number();
    }
    writer.close(start);
  }

  private list(): void {
    const { writer } = this;
    const start = writer.open();
    this.expect(91);
    if (this.peek() === 93) this.at += 1;
    else
      do {
        writer.tag(1, 2);
        this.value();
      } while (this.more(93));
    writer.close(start);
  }

  /** The length and bytes of the string at the cursor. */
  private string(): void {
    const { json } = this;
    const start = this.at;
    if (json[start] !== quote) this.broken(`byte ${json[start] ?? -1} where a string starts`);
    const { length } = json;
    let end = start + 1;
    let escaped = false;
    for (; end < length; end += 1) {
      const byte = json[end]!;
      if (byte === quote) break;
      if (byte === backslash) {
        escaped = true;
        end += 1;
      }
    }
    if (end >= length) this.broken(`a string from byte ${start} does not end`);
    this.at = end + 1;
    if (escaped) this.writer.string(JSON.parse(json.toString('utf8', start, this.at)) as string);
    else this.writer.bytesOf(json, start + 1, end);
  }

  private number(): void {
    const { json, writer } = this;
    const start = this.at;
    let isFloat = false;
    let digits = 0;
    let natural = 0;
    for (; this.at < json.length; this.at += 1) {
      const byte = json[this.at]!;
      if (byte >= 48 && byte <= 57) {
        digits += 1;
        natural = 10 * natural + (byte - 48);
      } else if (byte === 46 || byte === 101 || byte === 69) isFloat = true;
      else if (byte !== 45 && byte !== 43) break;
    }
    const chars = this.at - start;
    if (chars === 0) this.broken(`byte ${json[start] ?? -1} where a value starts`);
    // Nothing but digits, as many as are exact: no text need be made of them.
    if (digits === chars && digits <= 15) {
      writer.tag(3, 0);
      writer.varint(natural);
      return;
    }
    const text = json.toString('latin1', start, this.at);
    if (!isFloat) {
      const value = Number(text);
      const exact = Number.isSafeInteger(value) ? value : BigInt(text);
      if (exact >= i64Min && exact <= i64Max) {
        writer.tag(3, 0);
        writer.int64(exact);
        return;
      }
    }
    writer.tag(2, 1);
    writer.double(Number(text));
  }

  private more(close: number): boolean {
    const byte = this.peek();
    this.at += 1;
    if (byte !== 44 && byte !== close) this.broken(`byte ${byte} after a value`);
    return byte === 44;
  }

  private expect(byte: number): void {
    const got = this.peek();
    if (got !== byte) this.broken(`byte ${got} where ${byte} is expected`);
    this.at += 1;
  }

  /** Not `assert`: its text would be made for every byte that is right. */
  private broken(what: string): never {
    assert(false, `payload: ${what}`);
  }

  /** The next byte that is no white space; -1 at the end. */
  private peek(): number {
    for (;;) {
      const byte = this.json[this.at];
      if (byte === undefined) return -1;
      if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) return byte;
      this.at += 1;
    }
  }
}
