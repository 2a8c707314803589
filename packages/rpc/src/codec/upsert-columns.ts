/**
 * The request of a bulk load from its bytes straight into columns: ids, the floats of all points in one array, payloads as the
 * bytes of their JSON. Nothing is made for a point but its id.
 * Always: the same points as decodeMessage and decodePoint give. What is not the usual form (one dense vector without a name for each point,
 * all of one length, every field once) or not sound is left to them, and so are all error texts.
 */
import {
  normalizeNumericId,
  parseUuid,
  type PayloadColumn,
  type PointBatch,
  type PointId,
  type VectorColumn,
} from '@quiver/model';
import { decodeMessage } from '../protobuf/decode.ts';
import { jsonColumn, type JsonColumn } from '../protobuf/json-transcode.ts';
import { littleEndian, ProtoReader } from '../protobuf/reader.ts';
import type { MessageSchema } from '../protobuf/schema.ts';

/** Tags: 8 times the field's number, and 2 for a length and bytes, 0 for a varint. */
const [pointsTag, idTag, payloadTag, vectorsTag] = [26, 10, 26, 34];
const [numTag, uuidTag, vectorTag, dataTag, denseTag] = [8, 18, 10, 10, 810];
/** Of the entries of a payload: in the message, in the point, in the map. */
const payloadDepth = 2;

/** @returns the message with `batch` in the place of `points`, or null: its points are for the general decoder */
export function readUpsertColumns(schema: MessageSchema, bytes: Buffer): object | null {
  if (!littleEndian) return null;
  try {
    const { spans, rest } = cut(bytes);
    if (spans.length === 0) return null;
    const reader = new ProtoReader(bytes);
    const rows = new Rows(reader, spans.length / 2);
    for (let i = 0; i < spans.length; i += 2) {
      reader.at = spans[i]!;
      reader.end = spans[i + 1]!;
      if (!rows.add()) return null;
    }
    const message = decodeMessage(schema, Buffer.concat(rest)) as object;
    return { ...message, batch: rows.batch() };
  } catch {
    // Whatever it is, the general decoder finds it too and says it in its words.
    return null;
  }
}

/** Where each point begins and ends, and all that is no point. */
function cut(bytes: Buffer): { spans: number[]; rest: Buffer[] } {
  const reader = new ProtoReader(bytes);
  const spans: number[] = [];
  const rest: Buffer[] = [];
  while (reader.at < reader.end) {
    const from = reader.at;
    const tag = reader.uint32();
    if (tag === pointsTag) {
      const length = reader.uint32();
      const at = reader.advance(length);
      spans.push(at, at + length);
    } else {
      reader.skip(tag & 7);
      rest.push(bytes.subarray(from, reader.at));
    }
  }
  return { spans, rest };
}

class Rows {
  private readonly reader: ProtoReader;
  private readonly count: number;
  private readonly ids: PointId[] = [];
  private readonly payloads: JsonColumn;
  private readonly payloadEnds: Uint32Array<ArrayBuffer>;
  /** -1 before the first vector. */
  private dim = -1;
  private values = new Float32Array(0);
  private valueBytes = Buffer.alloc(0);

  constructor(reader: ProtoReader, count: number) {
    this.reader = reader;
    this.count = count;
    this.payloads = jsonColumn(reader);
    this.payloadEnds = new Uint32Array(count + 1);
  }

  /** The point that the reader spans. False, as in all below: it is not of the usual form. */
  add(): boolean {
    const { reader, ids, payloads } = this;
    const row = ids.length;
    const payloadFrom = payloads.length;
    let id: PointId | null = null;
    let hasVector = false;
    while (reader.at < reader.end) {
      switch (reader.uint32()) {
        case idTag:
          if (id !== null) return false;
          id = this.id();
          if (id === null) return false;
          break;
        case payloadTag:
          if (payloads.length > payloadFrom || !payloads.members(payloadTag, payloadDepth)) return false;
          break;
        case vectorsTag:
          if (hasVector || !this.vectors(row)) return false;
          hasVector = true;
          break;
        default:
          return false;
      }
    }
    if (id === null || !hasVector) return false;
    ids.push(id);
    this.payloadEnds[row + 1] = payloads.length;
    return true;
  }

  batch(): PointBatch {
    const { dim, values, ids, payloadEnds: offsets } = this;
    const column: VectorColumn = { kind: 'dense', dim, values, present: null };
    const payloads: PayloadColumn = { bytes: this.payloads.take(), offsets };
    return { ids, vectors: new Map([['', column]]), payloads };
  }

  private id(): PointId | null {
    const { reader } = this;
    const outer = reader.enter();
    let id: PointId | null = null;
    if (reader.at < reader.end) {
      const tag = reader.uint32();
      if (tag === numTag) {
        const num = reader.uint64();
        id = typeof num === 'bigint' ? normalizeNumericId(num) : num;
      } else if (tag === uuidTag) id = parseUuid(reader.string());
    }
    const isWhole = reader.at === reader.end;
    reader.leave(outer);
    return isWhole ? id : null;
  }

  /** `Vectors` with nothing but a `Vector`. */
  private vectors(row: number): boolean {
    const { reader } = this;
    const outer = reader.enter();
    if (reader.at >= reader.end || reader.uint32() !== vectorTag) return false;
    const vectorEnd = reader.enter();
    if (reader.at >= reader.end) return false;
    const tag = reader.uint32();
    if (tag === denseTag) {
      const denseEnd = reader.enter();
      if (reader.at >= reader.end || reader.uint32() !== dataTag || !this.floats(row)) return false;
      if (reader.at < reader.end) return false;
      reader.leave(denseEnd);
    } else if (tag !== dataTag || !this.floats(row)) return false;
    if (reader.at < reader.end) return false;
    reader.leave(vectorEnd);
    if (reader.at < reader.end) return false;
    reader.leave(outer);
    return true;
  }

  /** Packed floats, to their row. */
  private floats(row: number): boolean {
    const { reader } = this;
    const length = reader.uint32();
    const at = reader.advance(length);
    if (this.dim < 0 && !this.begin(length)) return false;
    if (length !== 4 * this.dim) return false;
    reader.buffer.copy(this.valueBytes, row * length, at, at + length);
    return true;
  }

  /** Room for all vectors, of the first one's length: never more than the message has bytes. */
  private begin(vectorBytes: number): boolean {
    const { reader, count } = this;
    if (vectorBytes === 0 || vectorBytes % 4 !== 0 || vectorBytes * count > reader.buffer.length)
      return false;
    this.dim = vectorBytes / 4;
    this.values = new Float32Array(this.dim * count);
    this.valueBytes = Buffer.from(this.values.buffer);
    return true;
  }
}
