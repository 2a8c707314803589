/**
 * The live rows of plain segments as one piece of bytes, column by column as they lie in memory: read back, they are copied and not
 * made anew row by row. Always: dead rows and room are left out; numbers are little-endian, as in memory. docs/formats/shard-store.md.
 *
 * | part | bytes |
 * |---|---|
 * | header | u32 rows, bytes of the blob, bytes of the codes that are made from it, bytes of the schema |
 * | schema | JSON, filled up with spaces to a multiple of 8 |
 * | version, id, payload, id kind | as in layout.ts, for each row |
 * | each dense vector | presence bitset u32 words; rows at their stride |
 * | each multi or sparse vector | presence bitset; 2 u32 for each row: offset in the blob, count |
 * | blob | payloads, sparse vectors, multivectors, as in blob.ts |
 */
import { strideOf, type ArenaDirectory, type ArenaPool } from '@quiver/kernel';
import { ClusterError } from '@quiver/model';
import { blobAlignment, pieceBytes, roundUp, writeCodes } from './blob.ts';
import { createIdWords } from './id-words.ts';
import { headerWords } from './layout.ts';
import { createPlainSegment } from './plain-segment.ts';
import { codeBytes as codeBytesFor, type SegmentSchema } from './schema.ts';
import type { SegmentReader } from './segment.ts';
import { blobBytesOfRow } from './segment-reader.ts';
import { enterRow, isPresent, type SegmentViews } from './segment-views.ts';

const packedHeaderBytes = 16;

/** Bytes that `packRows` gives of these segments, about. */
export function packedBytes(readers: readonly SegmentReader[]): number {
  let bytes = 0;
  for (const reader of readers) {
    const rows = reader.rowCount() - reader.deadCount();
    let rowBytes = 33;
    for (const view of reader.views.vectors) rowBytes += view.kind === 'dense' ? view.rows.stride : 8;
    bytes += rows * rowBytes + reader.views.header[headerWords.blobUsed]!;
  }
  return bytes;
}

/**
 * @param readers - plain segments of one schema; at least one row is alive. REQUIRES: the only writer
 * @returns null where a row was born or died after `group`
 */
export function packRows(readers: readonly SegmentReader[], group: number): Uint8Array | null {
  const { schema } = readers[0]!.descriptor;
  const rows: Place[] = [];
  let [blobBytes, codeBytes] = [0, 0];
  for (const { descriptor, views } of readers) {
    const count = views.header[headerWords.rows]!;
    const relative = group - descriptor.baseGroup;
    for (let row = 0; row < count; row += 1) {
      if (views.born[row]! > relative || views.death[row]! > relative) return null;
      if (views.death[row] !== 0) continue;
      rows.push({ views, row });
      const codes = codeBytesOf(views, row);
      blobBytes += blobBytesOfRow(descriptor, views, row) - codes;
      codeBytes += codes;
    }
  }
  const text = encodeSchema(schema);
  const parts = packedParts(schema, rows.length, packedHeaderBytes + text.length);
  const packed = new Uint8Array(parts.blob + blobBytes);
  const words = new Uint32Array(packed.buffer);
  words.set([rows.length, blobBytes, codeBytes, text.length]);
  packed.set(text, packedHeaderBytes);
  const blob = packed.subarray(parts.blob);
  let blobAt = 0;
  const align = blobAlignment(schema);
  const take = (views: SegmentViews, offset: number, bytes: number): number => {
    blob.set(views.blob.subarray(offset, offset + bytes), blobAt);
    blobAt += roundUp(bytes, align);
    return blobAt - roundUp(bytes, align);
  };
  for (const [i, { views, row }] of rows.entries()) {
    new DataView(packed.buffer).setFloat64(parts.version + 8 * i, views.version[row]!, true);
    words.set(views.id.subarray(4 * row, 4 * row + 4), parts.id / 4 + 4 * i);
    packed[parts.idKind + i] = views.idKind[row]!;
    const payloadBytes = views.payload[2 * row + 1]!;
    words[parts.payload / 4 + 2 * i] = take(views, views.payload[2 * row]!, payloadBytes);
    words[parts.payload / 4 + 2 * i + 1] = payloadBytes;
    for (const [index, view] of views.vectors.entries()) {
      if (!isPresent(view, row)) continue;
      const part = parts.vectors[index]!;
      words[part.present / 4 + (i >>> 5)]! |= 1 << (i & 31);
      if (view.kind === 'dense') {
        const { address, stride } = view.rows;
        packed.set(
          new Uint8Array(views.memory.buffer, address + row * stride, stride),
          part.rows + i * stride,
        );
        continue;
      }
      const count = view.refs[2 * row + 1]!;
      words[part.rows / 4 + 2 * i] = take(views, view.refs[2 * row]!, pieceBytes(view.schema, count));
      words[part.rows / 4 + 2 * i + 1] = count;
    }
  }
  return packed;
}

/**
 * A plain segment with these rows, and no room for more; all are visible from the first group after its base on.
 * @throws ClusterError corruption when they are of another schema; ArenaBudgetError, nothing stays allocated
 */
export function unpackRows(
  pool: ArenaPool,
  directory: ArenaDirectory,
  schema: SegmentSchema,
  packed: Uint8Array,
  { id, baseGroup }: { readonly id: number; readonly baseGroup: number },
): SegmentReader {
  const head = new DataView(packed.buffer, packed.byteOffset, packedHeaderBytes);
  const [rows, blobBytes, codeBytes, schemaBytes] = [0, 4, 8, 12].map((at) => head.getUint32(at, true)) as [
    number,
    number,
    number,
    number,
  ];
  const text = packed.subarray(packedHeaderBytes, packedHeaderBytes + schemaBytes);
  if (Buffer.compare(text, encodeSchema(schema)) !== 0)
    throw new ClusterError('corruption', 'packed rows are of another schema');
  const parts = packedParts(schema, rows, packedHeaderBytes + schemaBytes);
  const { reader, descriptor } = createPlainSegment(pool, directory, schema, {
    id,
    capacityRows: rows,
    blobBytes: roundUp(blobBytes + codeBytes, 64),
    baseGroup,
  });
  const { views } = reader;
  const copy = (from: number, into: ArrayBufferView, bytes: number): void =>
    new Uint8Array(into.buffer, into.byteOffset, bytes).set(packed.subarray(from, from + bytes));
  copy(parts.version, views.version, 8 * rows);
  copy(parts.id, views.id, 16 * rows);
  copy(parts.payload, views.payload, 8 * rows);
  copy(parts.idKind, views.idKind, rows);
  copy(parts.blob, views.blob, blobBytes);
  views.born.fill(1, 0, rows);
  views.death.fill(0, 0, rows);
  views.header[headerWords.blobUsed] = blobBytes;
  for (const [index, view] of views.vectors.entries()) {
    const part = parts.vectors[index]!;
    copy(part.present, view.present, 4 * Math.ceil(rows / 32));
    if (view.kind !== 'dense') copy(part.rows, view.refs, 8 * rows);
    else {
      const { address, stride } = view.rows;
      copy(part.rows, new Uint8Array(views.memory.buffer, address, stride * rows), stride * rows);
    }
  }
  const key = createIdWords();
  for (let row = 0; row < rows; row += 1) {
    key[0] = views.idKind[row]!;
    for (let word = 0; word < 4; word += 1) key[1 + word] = views.id[4 * row + word]!;
    enterRow(views, row, key);
    for (const view of views.vectors)
      if (view.kind === 'multi' && isPresent(view, row))
        writeCodes(descriptor, views, view, row, directory.kernel(descriptor.blob!.arena));
  }
  Atomics.store(views.header, headerWords.rows, rows);
  return reader;
}

interface Place {
  readonly views: SegmentViews;
  readonly row: number;
}

/** Where each column lies. */
interface PackedParts {
  readonly version: number;
  readonly id: number;
  readonly payload: number;
  readonly idKind: number;
  readonly vectors: readonly { readonly present: number; readonly rows: number }[];
  readonly blob: number;
}

function packedParts(schema: SegmentSchema, rows: number, from: number): PackedParts {
  let at = from;
  const part = (bytes: number): number => {
    const offset = at;
    at = roundUp(at + bytes, 8);
    return offset;
  };
  return {
    version: part(8 * rows),
    id: part(16 * rows),
    payload: part(8 * rows),
    idKind: part(rows),
    vectors: schema.vectors.map((vector) => ({
      present: part(4 * Math.ceil(rows / 32)),
      rows: part((vector.kind === 'dense' ? strideOf(vector.element, vector.dim) : 8) * rows),
    })),
    blob: part(0),
  };
}

/** Of the blob, what the codes of a row take. */
function codeBytesOf(views: SegmentViews, row: number): number {
  let bytes = 0;
  for (const view of views.vectors)
    if (view.kind === 'multi' && isPresent(view, row))
      bytes += codeBytesFor(view.schema, view.refs[2 * row + 1]!);
  return bytes;
}

function encodeSchema(schema: SegmentSchema): Uint8Array {
  const text = JSON.stringify(schema);
  return Buffer.from(
    text.padEnd(roundUp(Buffer.byteLength(text), 8) - Buffer.byteLength(text) + text.length),
  );
}
