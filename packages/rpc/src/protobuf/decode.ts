/**
 * Any message from its bytes, driven by the schema. What comes out: an object with the fields that were on the wire
 * and no others (so absent and default differ), 64-bit integers as numbers while safe and bigints above, repeated floats
 * as Float32Array, repeated uint32 as Uint32Array, maps as Map, `qdrant.Value` as JSON text.
 */
import { decodeJsonMapEntry, decodeJsonValue, jsonObjectText } from './json-decode.ts';
import { transcodeJsonMap } from './json-transcode.ts';
import { nestingMax, ProtoReader, wireType } from './reader.ts';
import type { FieldSchema, MessageSchema } from './schema.ts';

type Message = Record<string, unknown>;

/** @throws ClusterError malformed */
export function decodeMessage(schema: MessageSchema, bytes: Uint8Array): unknown {
  return readMessage(new ProtoReader(bytes), schema, {}, 0);
}

function readMessage(reader: ProtoReader, schema: MessageSchema, into: Message, depth: number): Message {
  if (depth > nestingMax) throw reader.malformed('recursion limit reached');
  let jsonMaps: JsonMaps | null = null;
  while (reader.at < reader.end) {
    const tag = reader.uint32();
    const type = tag & 7;
    const field = schema.byNumber[tag >>> 3];
    if (field === undefined || !fits(field, type)) {
      if (tag >>> 3 === 0) throw reader.malformed('field number 0');
      reader.skip(type);
      continue;
    }
    for (const rival of field.rivals) if (into[rival] !== undefined) into[rival] = undefined;
    const { name } = field;
    if (field.kind === 'json_map') {
      jsonMaps ??= new JsonMaps();
      jsonMaps.read(reader, name, tag, depth + 1, into);
    } else if (field.kind === 'map') {
      const map = (into[name] ??= new Map()) as Map<string, unknown>;
      readMapEntry(reader, field.message!, map, depth + 1);
    } else if (field.repeated) into[name] = readRepeated(reader, field, type, tag, into[name], depth);
    else if (field.kind === 'message') {
      const outer = reader.enter();
      into[name] = readMessage(reader, field.message!, (into[name] as Message | undefined) ?? {}, depth + 1);
      reader.leave(outer);
    } else into[name] = readScalar(reader, field, depth);
  }
  jsonMaps?.finish(into);
  return into;
}

/**
 * The JSON maps of one message. Entries of one that come in a row are text at once; of one that comes in several rows,
 * or has a key twice, entries are gathered and are text when the message ends.
 */
class JsonMaps {
  /** Where the first row of each begins. */
  private readonly starts: [name: string, at: number][] = [];
  private gathered: Map<string, Map<string, string>> | null = null;

  /** The tag of the first entry is read. */
  read(reader: ProtoReader, name: string, tag: number, depth: number, into: Message): void {
    const known = this.gathered?.get(name);
    if (known !== undefined) {
      decodeJsonMapEntry(reader, known, depth);
      return;
    }
    const { at, end } = reader;
    const start = this.starts.find(([other]) => other === name);
    const text = start === undefined ? transcodeJsonMap(reader, tag, depth) : null;
    if (text !== null) {
      this.starts.push([name, at]);
      into[name] = text;
      return;
    }
    const entries = new Map<string, string>();
    (this.gathered ??= new Map<string, Map<string, string>>()).set(name, entries);
    if (start !== undefined) {
      reader.at = start[1];
      readJsonRow(reader, entries, tag, depth);
    }
    reader.at = at;
    reader.end = end;
    readJsonRow(reader, entries, tag, depth);
  }

  finish(into: Message): void {
    if (this.gathered !== null)
      for (const [name, entries] of this.gathered) into[name] = jsonObjectText(entries);
  }
}

function readJsonRow(reader: ProtoReader, entries: Map<string, string>, tag: number, depth: number): void {
  for (;;) {
    decodeJsonMapEntry(reader, entries, depth);
    const next = reader.at;
    if (next >= reader.end) return;
    if (reader.uint32() === tag) continue;
    reader.at = next;
    return;
  }
}

function fits(field: FieldSchema, type: number): boolean {
  switch (field.kind) {
    case 'double':
      return type === wireType.fixed64 || (field.repeated && type === wireType.bytes);
    case 'float':
      return type === wireType.fixed32 || (field.repeated && type === wireType.bytes);
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'uint64':
    case 'bool':
    case 'enum':
      return type === wireType.varint || (field.repeated && type === wireType.bytes);
    default:
      return type === wireType.bytes;
  }
}

function readScalar(reader: ProtoReader, field: FieldSchema, depth: number): unknown {
  switch (field.kind) {
    case 'double':
      return reader.double();
    case 'float':
      return reader.float();
    case 'int32':
      return reader.uint32() | 0;
    case 'enum':
    case 'uint32':
      return reader.uint32();
    case 'int64':
      return reader.int64();
    case 'uint64':
      return reader.uint64();
    case 'bool':
      return reader.uint64() !== 0;
    case 'string':
      return reader.string();
    case 'bytes':
      return reader.bytes();
    default:
      return decodeJsonValue(reader, depth + 1);
  }
}

function readRepeated(
  reader: ProtoReader,
  field: FieldSchema,
  type: number,
  tag: number,
  known: unknown,
  depth: number,
): unknown {
  if (field.kind === 'float') {
    const values = type === wireType.bytes ? reader.packedFloats() : readRun(reader, field, tag, depth);
    return joined(known as Float32Array | undefined, values, Float32Array);
  }
  if (field.kind === 'uint32') {
    const values =
      type === wireType.bytes ? readPacked(reader, field, depth) : readRun(reader, field, tag, depth);
    return joined(known as Uint32Array | undefined, values, Uint32Array);
  }
  const list = (known as unknown[] | undefined) ?? [];
  if (field.kind === 'message') {
    const outer = reader.enter();
    list.push(readMessage(reader, field.message!, {}, depth + 1));
    reader.leave(outer);
  } else if (type === wireType.bytes && !isLengthDelimited(field))
    for (const value of readPacked(reader, field, depth)) list.push(value);
  else list.push(readScalar(reader, field, depth));
  return list;
}

function isLengthDelimited(field: FieldSchema): boolean {
  return field.kind === 'string' || field.kind === 'bytes' || field.kind === 'json';
}

function readPacked(reader: ProtoReader, field: FieldSchema, depth: number): number[] {
  const outer = reader.enter();
  const values: number[] = [];
  while (reader.at < reader.end) values.push(readScalar(reader, field, depth) as number);
  reader.leave(outer);
  return values;
}

/** Unpacked numbers one after the other, gathered so that a long run is not copied once per number. */
function readRun(reader: ProtoReader, field: FieldSchema, tag: number, depth: number): number[] {
  const values = [readScalar(reader, field, depth) as number];
  while (reader.at < reader.end) {
    const before = reader.at;
    if (reader.uint32() !== tag) {
      reader.at = before;
      break;
    }
    values.push(readScalar(reader, field, depth) as number);
  }
  return values;
}

/** The first chunk as it is when it is an array of its own already; further chunks are appended. */
function joined<T extends Float32Array | Uint32Array>(
  known: T | undefined,
  values: T | number[],
  make: new (length: number) => T,
): T {
  if (known === undefined && values instanceof make) return values;
  const length = known?.length ?? 0;
  const out = new make(length + values.length);
  if (known !== undefined) out.set(known);
  out.set(values, length);
  return out;
}

function readMapEntry(
  reader: ProtoReader,
  schema: MessageSchema,
  map: Map<string, unknown>,
  depth: number,
): void {
  const outer = reader.enter();
  let key = '';
  let value: Message = {};
  while (reader.at < reader.end) {
    const tag = reader.uint32();
    if (tag === 10) key = reader.string();
    else if (tag === 18) {
      const entryEnd = reader.enter();
      value = readMessage(reader, schema, {}, depth + 1);
      reader.leave(entryEnd);
    } else reader.skip(tag & 7);
  }
  reader.leave(outer);
  map.set(key, value);
}
