/**
 * `qdrant.Value` to JSON text, without a tree between: numbers keep their kind (a double that is whole is written
 * `1.0`, an integer `1`), 64-bit integers keep all digits.
 * Field numbers are those of json_with_int.proto.
 */
import { ClusterError } from '@quiver/model';
import { nestingMax, type ProtoReader, wireType } from './reader.ts';

/** Reads a length and a Value. */
export function decodeJsonValue(reader: ProtoReader, depth: number): string {
  if (depth > nestingMax) throw reader.malformed('recursion limit reached');
  const outer = reader.enter();
  let text = 'null';
  while (reader.at < reader.end) {
    const tag = reader.uint32();
    switch (tag) {
      case 8: // null_value, varint
        reader.skip(wireType.varint);
        text = 'null';
        break;
      case 17: // double_value, fixed64
        text = doubleText(reader.double());
        break;
      case 24: // integer_value, varint
        text = reader.int64().toString();
        break;
      case 34: // string_value
        text = JSON.stringify(reader.string());
        break;
      case 40: // bool_value, varint
        text = reader.uint64() === 0 ? 'false' : 'true';
        break;
      case 50: // struct_value
        text = decodeStruct(reader, depth + 1);
        break;
      case 58: // list_value
        text = decodeList(reader, depth + 1);
        break;
      default:
        reader.skip(tag & 7);
    }
  }
  reader.leave(outer);
  return text;
}

/** Reads a length and an entry of map<string, Value>; a key that comes again replaces. */
export function decodeJsonMapEntry(reader: ProtoReader, entries: Map<string, string>, depth: number): void {
  if (depth > nestingMax) throw reader.malformed('recursion limit reached');
  const outer = reader.enter();
  let key = '';
  let value = 'null';
  while (reader.at < reader.end) {
    const tag = reader.uint32();
    if (tag === 10) key = reader.string();
    else if (tag === 18) value = decodeJsonValue(reader, depth + 1);
    else reader.skip(tag & 7);
  }
  reader.leave(outer);
  entries.set(key, value);
}

/** @param entries - JSON text by key */
export function jsonObjectText(entries: ReadonlyMap<string, string>): string {
  let text = '';
  for (const [key, value] of entries)
    text += text === '' ? `{${JSON.stringify(key)}:${value}` : `,${JSON.stringify(key)}:${value}`;
  return text === '' ? '{}' : `${text}}`;
}

function decodeStruct(reader: ProtoReader, depth: number): string {
  const outer = reader.enter();
  const entries = new Map<string, string>();
  while (reader.at < reader.end) {
    const tag = reader.uint32();
    if (tag === 10) decodeJsonMapEntry(reader, entries, depth + 1);
    else reader.skip(tag & 7);
  }
  reader.leave(outer);
  return jsonObjectText(entries);
}

function decodeList(reader: ProtoReader, depth: number): string {
  const outer = reader.enter();
  let text = '';
  while (reader.at < reader.end) {
    const tag = reader.uint32();
    if (tag === 10) text += `${text === '' ? '[' : ','}${decodeJsonValue(reader, depth + 1)}`;
    else reader.skip(tag & 7);
  }
  reader.leave(outer);
  return text === '' ? '[]' : `${text}]`;
}

/** @throws ClusterError malformed for NaN and the infinities, which JSON has not */
export function doubleText(value: number): string {
  if (!Number.isFinite(value)) throw new ClusterError('malformed', 'cannot convert to json number');
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return Number.isInteger(value) && !text.includes('e') ? `${text}.0` : text;
}
