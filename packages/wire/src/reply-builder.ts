/**
 * Replies put together as bytes: structure as ASCII text, payloads as they are stored, floats in their shortest form.
 * One buffer per thread, inside the WebAssembly memory that prints the floats. Always: between `start` and `take` nobody
 * else uses the builder (replies are built in one go, without waiting).
 */
import { Buffer } from 'node:buffer';
import { areaStart, ensureMemory, instantiateWire } from './load-wasm.ts';

export interface ReplyBuilder {
  start(): void;
  /** Printable ASCII only; not escaped. */
  ascii(text: string): void;
  /** As a JSON string. */
  string(text: string): void;
  /** JSON text with any characters; not escaped. */
  json(text: string): void;
  /** Copied as they are. */
  bytes(json: Uint8Array): void;
  /** As f32, shortest form; null when not finite. */
  float(value: number): void;
  /** As a list. */
  floats(values: Float32Array): void;
  /** As a list of integers. */
  integers(values: Uint32Array): void;
  /** What was built since `start`: a view, valid until the next one. */
  take(): Buffer;
}

const floatsChunk = 4096;
const floatTextMax = 16;
const scratchAt = areaStart;
const bufferAt = scratchAt + floatsChunk * 4;
const firstBytes = 64 * 1024;
/** A buffer larger than this is given back before the next reply. */
const keepBytesMax = 8 * 1024 * 1024;
/** Up to this length a loop beats a call into the engine. */
const shortText = 24;
const comma = 44;
const plainString = /^[ !#-[\]-~]*$/;

export function createReplyBuilder(): ReplyBuilder {
  let wire = instantiateWire(bufferAt + firstBytes);
  let buffer = Buffer.from(wire.memory.buffer);
  let scratch = new Float32Array(wire.memory.buffer, scratchAt, floatsChunk);
  let at = bufferAt;

  function adopt(): void {
    buffer = Buffer.from(wire.memory.buffer);
    scratch = new Float32Array(wire.memory.buffer, scratchAt, floatsChunk);
  }
  function reserve(count: number): void {
    if (at + count <= buffer.length) return;
    ensureMemory(wire.memory, Math.max(at + count, buffer.length * 2));
    adopt();
  }
  function ascii(text: string): void {
    reserve(text.length);
    if (text.length > shortText) at += buffer.write(text, at, 'latin1');
    else for (let i = 0; i < text.length; i += 1) buffer[at++] = text.charCodeAt(i);
  }
  function json(text: string): void {
    reserve(text.length * 3);
    at += buffer.write(text, at, 'utf8');
  }

  return {
    start() {
      at = bufferAt;
      if (buffer.length <= keepBytesMax) return;
      wire = instantiateWire(bufferAt + firstBytes);
      adopt();
    },
    ascii,
    json,
    string(text) {
      if (text.length <= 256 && plainString.test(text)) ascii(`"${text}"`);
      else json(JSON.stringify(text));
    },
    bytes(source) {
      reserve(source.length);
      buffer.set(source, at);
      at += source.length;
    },
    float(value) {
      reserve(floatTextMax);
      at = wire.exports.putFloat(at, value);
    },
    floats(values) {
      reserve(values.length * (floatTextMax + 1) + 2);
      if (values.length <= floatsChunk) {
        scratch.set(values);
        at = wire.exports.putFloats(at, scratchAt, values.length);
        return;
      }
      for (let i = 0; i < values.length; i += floatsChunk) {
        const part = values.subarray(i, i + floatsChunk);
        scratch.set(part);
        // Of the brackets between two chunks the closing one is overwritten, the opening one becomes the comma.
        const from = i === 0 ? at : at - 1;
        at = wire.exports.putFloats(from, scratchAt, part.length);
        if (i > 0) buffer[from] = comma;
      }
    },
    integers(values) {
      ascii('[');
      for (let i = 0; i < values.length; i += 1) ascii(i === 0 ? String(values[i]) : `,${String(values[i])}`);
      ascii(']');
    },
    take: () => buffer.subarray(bufferAt, at),
  };
}
