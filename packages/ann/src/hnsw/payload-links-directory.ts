/**
 * What a graph knows of its payload links: fields, and the blocks that a field's rows fall into. At the offset that the header
 * names, in this order: bytes of the text u32, 12 bytes of zeros, the text (JSON in UTF-8, padded to 64 bytes), then by field
 * the entries u32[blocks][entriesPerBlock] (0xffffffff where a block has fewer), then by field a table u32[rows][2m]. docs/formats/hnsw.md.
 */
import { entriesPerBlock, linkTableBytes } from './format.ts';

/** Rows whose links lead only to each other. */
export interface LinkedBlock {
  /** Rows in it, rows without the vector and dead ones included where the field was not asked for them. */
  readonly rows: number;
  /** The one value of its rows, as text; null: its values are numbers from..to, which a neighbouring block may share. */
  readonly value: string | null;
  readonly from: number;
  readonly to: number;
}

/** A field's part of the text. */
export interface FieldEntry {
  readonly key: string;
  /** Of its payload index when the links were made: other types take other values. */
  readonly type: string;
  readonly m: number;
  readonly blocks: readonly LinkedBlock[];
}

export interface PayloadLinksView extends FieldEntry {
  /** Addresses of the table and the entries. */
  readonly at: number;
  readonly entriesAt: number;
}

const textAt = 16;

export interface DirectoryPlace {
  readonly entries: readonly number[];
  readonly tables: readonly number[];
  /** Of everything. */
  readonly bytes: number;
}

/** Where everything lies, from the start of the payload links. */
export function placesOf(fields: readonly FieldEntry[], textBytes: number, count: number): DirectoryPlace {
  let at = Math.ceil((textAt + textBytes) / 64) * 64;
  const take = (bytes: number): number => {
    const start = at;
    at += bytes;
    return start;
  };
  const entries = fields.map(({ blocks }) => take(4 * entriesPerBlock * blocks.length));
  const tables = fields.map(({ m }) => take(linkTableBytes(m, count)));
  return { entries, tables, bytes: at };
}

export function encodeDirectory(fields: readonly FieldEntry[]): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(fields));
  const bytes = new Uint8Array(textAt + text.length);
  new Uint32Array(bytes.buffer, 0, 1)[0] = text.length;
  bytes.set(text, textAt);
  return bytes;
}

/** @param start - address of the payload links @param count - rows of the graph */
export function readPayloadLinks(
  buffer: ArrayBuffer | SharedArrayBuffer,
  start: number,
  count: number,
): PayloadLinksView[] {
  const textBytes = new Uint32Array(buffer, start, 1)[0]!;
  const text = new Uint8Array(buffer, start + textAt, textBytes).slice();
  const fields = JSON.parse(new TextDecoder().decode(text)) as FieldEntry[];
  const { entries, tables } = placesOf(fields, textBytes, count);
  return fields.map((field, i) => ({ ...field, at: start + tables[i]!, entriesAt: start + entries[i]! }));
}
