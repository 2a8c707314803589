/**
 * Plain data as bytes, for calls between nodes: one tag byte a value, lengths and integers as LEB128, typed arrays as
 * their bytes (little-endian), so that vectors cross as they lie in memory. Unknown keys of an object survive, absent
 * ones stay absent: a field may be added in a later version. Always: decoded buffers are their own, never views of the
 * message; malformed bytes throw, and nothing is read past the end.
 *
 * | tag | value | then |
 * |---|---|---|
 * | 0 1 2 | null, false, true | |
 * | 3 4 | integer >= 0, integer < 0 (safe) | LEB128 of it, or of -1 - it |
 * | 5 | any other number | f64 LE |
 * | 6 | bigint | length, decimal text |
 * | 7 | text | length, UTF-8 |
 * | 8 | list | count, values |
 * | 9 | object | count, (length, UTF-8 key, value)... |
 * | 10 | Map | count, (key, value)... |
 * | 11 12 13 | Uint8Array, Uint32Array, Float32Array | length in bytes, bytes |
 * | 14 | number that keeps its JSON text (`JSON.rawJSON`) | length, text |
 */
import { ClusterError } from '@quiver/model';

const tag = {
  null: 0,
  false: 1,
  true: 2,
  natural: 3,
  negative: 4,
  float: 5,
  bigint: 6,
  text: 7,
  list: 8,
  object: 9,
  map: 10,
  bytes: 11,
  words: 12,
  floats: 13,
  rawJson: 14,
} as const;

/** https://tc39.es/proposal-json-parse-with-source: in V8 since 11.4, not yet in TypeScript's library. */
const { rawJSON, isRawJSON } = JSON as unknown as {
  rawJSON: (text: string) => unknown;
  isRawJSON: (value: unknown) => boolean;
};

/** Nesting beyond this is refused: no message of ours comes near. */
const depthMax = 200;

/**
 * @param value - null, booleans, numbers, bigints, text, lists, plain objects (`undefined` members are left out), Maps,
 * Uint8Array, Uint32Array, Float32Array, raw JSON numbers
 */
export function encodePlain(value: unknown): Buffer {
  const writer = new Writer();
  writer.value(value, 0);
  return writer.done();
}

/** @throws ClusterError malformed */
export function decodePlain(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.at !== bytes.length) throw malformed(`${bytes.length - reader.at} bytes follow the value`);
  return value;
}

function malformed(what: string): ClusterError {
  return new ClusterError('malformed', `a message between nodes is malformed: ${what}`);
}

class Writer {
  #buffer = Buffer.allocUnsafe(1024);
  #at = 0;

  done(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, this.#at + bytes));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }

  #byte(byte: number): void {
    this.#reserve(1);
    this.#buffer[this.#at++] = byte;
  }

  #natural(value: number): void {
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#at++] = rest;
  }

  #text(text: string): void {
    const length = Buffer.byteLength(text);
    this.#natural(length);
    this.#reserve(length);
    this.#at += this.#buffer.write(text, this.#at, length, 'utf8');
  }

  #bytes(kind: number, view: Uint8Array | Uint32Array | Float32Array): void {
    this.#byte(kind);
    this.#natural(view.byteLength);
    this.#reserve(view.byteLength);
    this.#buffer.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), this.#at);
    this.#at += view.byteLength;
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.#byte(value >= 0 ? tag.natural : tag.negative);
      this.#natural(value >= 0 ? value : -1 - value);
      return;
    }
    this.#byte(tag.float);
    this.#reserve(8);
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
  }

  value(value: unknown, depth: number): void {
    if (depth > depthMax) throw malformed(`nested deeper than ${depthMax}`);
    switch (typeof value) {
      case 'number':
        this.#number(value);
        return;
      case 'string':
        this.#byte(tag.text);
        this.#text(value);
        return;
      case 'boolean':
        this.#byte(value ? tag.true : tag.false);
        return;
      case 'bigint':
        this.#byte(tag.bigint);
        this.#text(value.toString());
        return;
      case 'object':
        if (value === null) this.#byte(tag.null);
        else this.#compound(value, depth);
        return;
      default:
        throw new TypeError(`a ${typeof value} is no plain data`);
    }
  }

  #compound(value: object, depth: number): void {
    if (Array.isArray(value)) {
      this.#byte(tag.list);
      this.#natural(value.length);
      for (const item of value as unknown[]) this.value(item, depth + 1);
    } else if (value instanceof Uint8Array) this.#bytes(tag.bytes, value);
    else if (value instanceof Float32Array) this.#bytes(tag.floats, value);
    else if (value instanceof Uint32Array) this.#bytes(tag.words, value);
    else if (value instanceof Map) {
      this.#byte(tag.map);
      this.#natural(value.size);
      for (const [key, item] of value as Map<unknown, unknown>) {
        this.value(key, depth + 1);
        this.value(item, depth + 1);
      }
    } else if (isRawJSON(value)) {
      this.#byte(tag.rawJson);
      this.#text((value as { rawJSON: string }).rawJSON);
    } else {
      const members = Object.entries(value).filter(([, item]) => item !== undefined);
      this.#byte(tag.object);
      this.#natural(members.length);
      for (const [key, item] of members) {
        this.#text(key);
        this.value(item, depth + 1);
      }
    }
  }
}

class Reader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #take(length: number): Buffer {
    if (length > this.#bytes.length - this.at)
      throw malformed(`${length} bytes at ${this.at} of ${this.#bytes.length}`);
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  #natural(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.#take(1)[0]!;
      value += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(value)) throw malformed('an integer is too large');
      if (byte < 0x80) return value;
    }
  }

  /** Every item takes a byte or more: a count beyond what is left is a lie, found before memory is taken for it. */
  #count(): number {
    const count = this.#natural();
    if (count > this.#bytes.length - this.at)
      throw malformed(`${count} items in ${this.#bytes.length - this.at} bytes`);
    return count;
  }

  #text(): string {
    return this.#take(this.#natural()).toString('utf8');
  }

  /** A copy with a buffer of its own, aligned for any view. */
  #copy(width: number): ArrayBuffer {
    const from = this.#take(this.#natural());
    if (from.length % width !== 0) throw malformed(`${from.length} bytes are no whole number of ${width}`);
    const copy = new ArrayBuffer(from.length);
    new Uint8Array(copy).set(from);
    return copy;
  }

  value(depth: number): unknown {
    if (depth > depthMax) throw malformed(`nested deeper than ${depthMax}`);
    const kind = this.#take(1)[0]!;
    switch (kind) {
      case tag.null:
        return null;
      case tag.false:
        return false;
      case tag.true:
        return true;
      case tag.natural:
        return this.#natural();
      case tag.negative:
        return -1 - this.#natural();
      case tag.float:
        return this.#take(8).readDoubleLE(0);
      case tag.bigint: {
        const text = this.#text();
        if (!/^-?\d{1,400}$/.test(text)) throw malformed('an integer has other characters than digits');
        return BigInt(text);
      }
      case tag.text:
        return this.#text();
      case tag.list:
        return Array.from({ length: this.#count() }, () => this.value(depth + 1));
      case tag.object:
        // Object.fromEntries defines its keys: one named __proto__ stays a key.
        return Object.fromEntries(
          Array.from({ length: this.#count() }, () => [this.#text(), this.value(depth + 1)] as const),
        );
      case tag.map:
        return new Map(
          Array.from(
            { length: this.#count() },
            () => [this.value(depth + 1), this.value(depth + 1)] as const,
          ),
        );
      case tag.bytes:
        return new Uint8Array(this.#copy(1));
      case tag.words:
        return new Uint32Array(this.#copy(4));
      case tag.floats:
        return new Float32Array(this.#copy(4));
      case tag.rawJson: {
        const text = this.#text();
        if (!/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text))
          throw malformed(`${text.slice(0, 40)} is no number`);
        return rawJSON(text);
      }
      default:
        throw malformed(`tag ${kind} at ${this.at - 1}`);
    }
  }
}
