/**
 * Request bodies into values: the lists of numbers at vector positions go straight to f32, objects under `payload`
 * stay raw bytes, the rest is parsed as JSON with 64-bit integers.
 * Always: for any body the outcome is that of JSON.parse (f32 = Math.fround of the f64), a cut payload is a valid JSON
 * object, and no string of the body can pass for a mark. What is given out is valid until the next scan.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { areaStart, ensureMemory, instantiateWire, type WireInstance } from './load-wasm.ts';
import { parseExact, parseWithBigIntegers } from './exact-json.ts';

export interface BodyScanner {
  /**
   * @param cutPayloads - leave objects under `payload` as bytes
   * @returns the body; where a vector or payload was cut stands a mark (see `vectorOf`, `payloadOf`)
   * @throws SyntaxError as JSON.parse; also for text that is not UTF-8 and for nesting beyond 127 levels
   */
  scan(chunks: readonly Uint8Array[], cutPayloads: boolean): unknown;
  /** The body without marks: of a request that brings no points, where a key `payload` or `vector` is a name like any other. @throws as `scan` */
  parse(chunks: readonly Uint8Array[]): unknown;
  /**
   * As `scan`, in steps of about half a millisecond, for long bodies.
   * REQUIRES: no other scan by this scanner until it has settled and what it gave out was used.
   * @param pause - between two steps
   * @param onTaken - the chunks are not needed any more; called unless it throws before
   */
  scanInSteps(
    chunks: readonly Uint8Array[],
    cutPayloads: boolean,
    pause: () => Promise<void>,
    onTaken: () => void,
  ): Promise<unknown>;
  /** The numbers behind a mark, or null when the value is no mark of a vector. A view. */
  vectorOf(value: unknown): Float32Array | null;
  /** The object behind a mark as UTF-8 JSON, or null when the value is no mark of a payload. A view. */
  payloadOf(value: unknown): Uint8Array | null;
}

const slackBytes = 64;
const hardBytes = 4096 * 8;
const headerBytes = 64;
/** A memory larger than this is given back before the next body that does not need it. */
const keepBytesMax = 64 * 1024 * 1024;
const firstBodyBytes = 64 * 1024;
const tooDeep = -2;
const more = -3;
const stepBytesUsual = 512 * 1024;

const headerAt = areaStart;
const hardsAt = headerAt + headerBytes;
const bodyAt = hardsAt + hardBytes;

interface Layout {
  readonly capacity: number;
  readonly vectorTable: number;
  readonly payloadTable: number;
  readonly text: number;
  readonly floats: number;
  readonly end: number;
}

/** Worst cases: `"payload":{}` (13 bytes) grows to 29; a cut list has 17 bytes or more; a number has 2. */
function layoutFor(capacity: number): Layout {
  const vectorTable = align(bodyAt + capacity + slackBytes);
  const payloadTable = align(vectorTable + capacity / 2);
  const text = align(payloadTable + capacity * 0.7);
  const floats = align(text + capacity * 2.4 + slackBytes);
  return { capacity, vectorTable, payloadTable, text, floats, end: floats + capacity * 2 + slackBytes };
}

function align(address: number): number {
  return Math.ceil(address / 16) * 16;
}

/** @param stepBytes - of a body, between two pauses */
export function createBodyScanner(stepBytes = stepBytesUsual): BodyScanner {
  let layout = layoutFor(firstBodyBytes);
  let wire: WireInstance = instantiateWire(layout.end);
  let bytes = Buffer.from(wire.memory.buffer);
  let words = new Uint32Array(wire.memory.buffer);
  let floats = new Float32Array(wire.memory.buffer);
  let vectorCount = 0;
  let payloadCount = 0;

  function reserve(length: number): void {
    const shrink = layout.end > keepBytesMax && length <= firstBodyBytes;
    if (length <= layout.capacity && !shrink) return;
    layout = layoutFor(shrink ? firstBodyBytes : Math.max(length, layout.capacity * 2));
    if (shrink) wire = instantiateWire(layout.end);
    else ensureMemory(wire.memory, layout.end);
    bytes = Buffer.from(wire.memory.buffer);
    words = new Uint32Array(wire.memory.buffer);
    floats = new Float32Array(wire.memory.buffer);
  }

  /** Numbers the module could not prove: the engine converts their text. */
  function settleHard(count: number): void {
    for (let i = 0; i < count; i += 1) {
      const at = words[hardsAt / 4 + 2 * i]!;
      let end = at;
      while (bytes[end]! > 32 && bytes[end] !== 44 && bytes[end] !== 93) end += 1;
      const value = Number(bytes.toString('latin1', at, end));
      if (!Number.isFinite(value)) throw new SyntaxError('number out of range');
      floats[words[hardsAt / 4 + 2 * i + 1]! / 4] = value;
    }
  }

  function index(value: unknown, letter: string, count: number): number {
    if (typeof value !== 'string' || value.charCodeAt(0) !== 1 || value[1] !== letter) return -1;
    const found = Number(value.slice(2));
    return found < count ? found : -1;
  }

  /** For another body. @returns its length */
  function makeRoom(chunks: readonly Uint8Array[]): number {
    vectorCount = 0;
    payloadCount = 0;
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    reserve(length);
    return length;
  }

  /** @returns the address behind the body */
  function begin(chunks: readonly Uint8Array[], cutPayloads: boolean): number {
    const length = makeRoom(chunks);
    let at = bodyAt;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    requireUtf8(bodyAt, at);
    start(length, cutPayloads);
    return at;
  }

  /** As `begin`, in steps. */
  async function beginInSteps(
    chunks: readonly Uint8Array[],
    cutPayloads: boolean,
    pause: () => Promise<void>,
  ): Promise<number> {
    const length = makeRoom(chunks);
    let at = bodyAt;
    let checkedTo = bodyAt;
    for (const chunk of chunks)
      for (let from = 0; from < chunk.length;) {
        const part = chunk.subarray(from, from + stepBytes);
        bytes.set(part, at);
        at += part.length;
        from += part.length;
        if (at - checkedTo < stepBytes) continue;
        const end = wholeTo(checkedTo, at);
        requireUtf8(checkedTo, end);
        checkedTo = end;
        await pause();
      }
    requireUtf8(checkedTo, at);
    start(length, cutPayloads);
    return at;
  }

  function requireUtf8(from: number, to: number): void {
    if (!isUtf8(bytes.subarray(from, to))) throw new SyntaxError('invalid unicode code point');
  }

  /** Where the last character begins that may go on behind `to`; `to` when there is none. */
  function wholeTo(from: number, to: number): number {
    let at = to - 1;
    while (at > from && to - at < 4 && (bytes[at]! & 0xc0) === 0x80) at -= 1;
    return bytes[at]! >= 0xc0 ? at : to;
  }

  function start(length: number, cutPayloads: boolean): void {
    bytes.fill(0, bodyAt + length, bodyAt + length + slackBytes);
    const { text, vectorTable, payloadTable } = layout;
    wire.exports.beginScan(
      bodyAt,
      length,
      text,
      layout.floats,
      vectorTable,
      payloadTable,
      hardsAt,
      headerAt,
      cutPayloads ? 1 : 0,
    );
  }

  function finish(textLength: number, at: number, cutPayloads: boolean): unknown {
    const { text } = layout;
    if (textLength === tooDeep) throw new SyntaxError('recursion limit exceeded');
    if (textLength < 0) return parseExact(bytes.toString('utf8', bodyAt, at), cutPayloads);
    const header = headerAt / 4;
    const isAscii = words[header + 4] === 0;
    const left = isAscii
      ? bytes.toString('latin1', text, text + textLength)
      : bytes.toString('utf8', text, text + textLength);
    let doc: unknown;
    try {
      doc = words[header + 3] === 1 ? parseWithBigIntegers(left) : JSON.parse(left);
    } catch {
      // For the position in the client's own text.
      return parseExact(bytes.toString('utf8', bodyAt, at), cutPayloads);
    }
    settleHard(words[header + 2]!);
    vectorCount = words[header]!;
    payloadCount = words[header + 1]!;
    return doc;
  }

  return {
    scan(chunks, cutPayloads) {
      const end = begin(chunks, cutPayloads);
      return finish(wire.exports.scanOn(end), end, cutPayloads);
    },
    parse(chunks) {
      const end = begin(chunks, false);
      if (wire.exports.scanOn(end) === tooDeep) throw new SyntaxError('recursion limit exceeded');
      return parseExact(bytes.toString('utf8', bodyAt, end), false);
    },
    async scanInSteps(chunks, cutPayloads, pause, onTaken) {
      const end = await beginInSteps(chunks, cutPayloads, pause);
      onTaken();
      let textLength = wire.exports.scanOn(stepBytes);
      while (textLength === more) {
        await pause();
        textLength = wire.exports.scanOn(stepBytes);
      }
      return finish(textLength, end, cutPayloads);
    },
    vectorOf(value) {
      const i = index(value, 'v', vectorCount);
      if (i < 0) return null;
      const entry = layout.vectorTable / 4 + 2 * i;
      const start = words[entry]! / 4;
      return floats.subarray(start, start + words[entry + 1]!);
    },
    payloadOf(value) {
      const i = index(value, 'p', payloadCount);
      if (i < 0) return null;
      const entry = layout.payloadTable / 4 + 2 * i;
      return bytes.subarray(words[entry], words[entry + 1]);
    },
  };
}
