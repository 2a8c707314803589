/**
 * Any message to its bytes, driven by the schema: the counterpart of `decodeMessage`, which takes what that gives.
 * Absent fields (undefined, null) are not written; fields without presence are not written at their default either.
 */
import { writeJsonMap, writeJsonValue } from './json-encode.ts';
import type { FieldSchema, MessageSchema } from './schema.ts';
import { ProtoWriter } from './writer.ts';

const shared = new ProtoWriter();

export function encodeMessage(schema: MessageSchema, message: object): Buffer {
  shared.reset();
  writeMessage(shared, schema, message);
  return shared.finish();
}

/** Runs `write` over the thread's writer. REQUIRES: `write` does not encode another message through it. */
export function encodeWith(write: (writer: ProtoWriter) => void): Buffer {
  shared.reset();
  write(shared);
  return shared.finish();
}

export function writeMessage(writer: ProtoWriter, schema: MessageSchema, message: object): void {
  for (const field of schema.fields) {
    const value = (message as Record<string, unknown>)[field.name];
    if (value !== undefined && value !== null) writeField(writer, field, value);
  }
}

function writeField(writer: ProtoWriter, field: FieldSchema, value: unknown): void {
  const { number } = field;
  switch (field.kind) {
    case 'json_map':
      writeJsonMap(writer, number, Buffer.from(value as string));
      return;
    case 'map':
      for (const [key, item] of value as Map<string, object>) {
        writer.tag(number, 2);
        const entry = writer.open();
        writer.tag(1, 2);
        writer.string(key);
        writer.tag(2, 2);
        const body = writer.open();
        writeMessage(writer, field.message!, item);
        writer.close(body);
        writer.close(entry);
      }
      return;
    default:
  }
  if (!field.repeated) {
    if (!field.explicit && isDefault(value)) return;
    writeSingle(writer, field, value);
  } else if (value instanceof Float32Array) {
    if (value.length === 0) return;
    writer.tag(number, 2);
    writer.packedFloats(value);
  } else if (isPackable(field)) {
    const items = [...(value as Iterable<number | bigint>)];
    if (items.length === 0) return;
    writer.tag(number, 2);
    const start = writer.open();
    for (const item of items) writeScalar(writer, field, item);
    writer.close(start);
  } else for (const item of value as Iterable<unknown>) writeSingle(writer, field, item);
}

function isDefault(value: unknown): boolean {
  return Object.is(value, 0) || value === false || value === '' || value === 0n;
}

function isPackable(field: FieldSchema): boolean {
  return wireTypeOf(field) !== 2;
}

function writeSingle(writer: ProtoWriter, field: FieldSchema, value: unknown): void {
  writer.tag(field.number, wireTypeOf(field));
  if (field.kind === 'message') {
    const start = writer.open();
    writeMessage(writer, field.message!, value as object);
    writer.close(start);
  } else writeScalar(writer, field, value);
}

function wireTypeOf(field: FieldSchema): number {
  switch (field.kind) {
    case 'double':
      return 1;
    case 'float':
      return 5;
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'uint64':
    case 'bool':
    case 'enum':
      return 0;
    default:
      return 2;
  }
}

function writeScalar(writer: ProtoWriter, field: FieldSchema, value: unknown): void {
  switch (field.kind) {
    case 'double':
      writer.double(Number(value));
      break;
    case 'float':
      writer.float(Number(value));
      break;
    case 'bool':
      writer.varint(value === true ? 1 : 0);
      break;
    case 'string':
      writer.string(value as string);
      break;
    case 'bytes':
      writer.bytes(value as Uint8Array);
      break;
    case 'json':
      writeJsonValue(writer, Buffer.from(value as string));
      break;
    default:
      writer.int64(value as number | bigint);
  }
}
