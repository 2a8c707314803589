/**
 * Keys and values of a replica in the data volume: docs/formats/shard-store.md in code. Every key starts with the
 * replica's never-reused number. Always: one by-seq entry for each point, naming its last change, so that a follower (or
 * a restart) replays the range above what it has; a deleted point keeps a tombstone.
 *
 * | key after the replica number | value |
 * |---|---|
 * | `e` | copy of a small replica's rows (small-copy.ts) |
 * | `i` | ident, JSON |
 * | `m` | state, JSON (replica-state.ts) |
 * | `h` term u32 | first seq of the term, u64 |
 * | `p` id | point: seq u64, ordinal u32, term u32, flags u8 (1 tombstone), content crc u32, payload |
 * | `v` name, id | vector: kind u8, count u32, then indices u32 (sparse) and values f32 |
 * | `s` seq u64, ordinal u32, term u32 | flags u8, id, content crc u32 |
 * | `o` operation key | seq u64, term u32, wall clock ms u64, flags u8 (1 torn), receipt |
 * | `g` | manifest, JSON |
 * | `f` | segments fetched so far, JSON (segment-fetch.ts) |
 */
import { afterPrefix, key, readKey, type Change, type Store } from '@quiver/storage';
import { decodePointId, encodePointId, pointIdBytes, type PointId, type Vector } from '@quiver/model';

const kinds = {
  ident: 0x69,
  state: 0x6d,
  history: 0x68,
  point: 0x70,
  vector: 0x76,
  bySeq: 0x73,
  operation: 0x6f,
  copy: 0x65,
  manifest: 0x67,
  fetched: 0x66,
  node: 0x6e,
};

const text = new TextEncoder();

/** A key of a range that is ordered by point id. */
export function keyOfId(prefix: Uint8Array, id: PointId): Uint8Array {
  const bytes = Buffer.allocUnsafe(prefix.length + pointIdBytes);
  bytes.set(prefix);
  encodePointId(id, bytes, prefix.length);
  return bytes;
}

function ofKind(replica: number, kind: number): ReturnType<typeof key> {
  return key().u32(replica).u8(kind);
}

function range(prefix: Uint8Array): { from: Uint8Array; to: Uint8Array } {
  return { from: prefix, to: afterPrefix(prefix) };
}

export const keys = {
  /** The node's own record; replicas are numbered from 1. */
  node: () => ofKind(0, kinds.node).done(),
  ident: (replica: number) => ofKind(replica, kinds.ident).done(),
  state: (replica: number) => ofKind(replica, kinds.state).done(),
  manifest: (replica: number) => ofKind(replica, kinds.manifest).done(),
  copy: (replica: number) => ofKind(replica, kinds.copy).done(),
  fetched: (replica: number) => ofKind(replica, kinds.fetched).done(),
  history: (replica: number, term: number) => ofKind(replica, kinds.history).u32(term).done(),
  point: (replica: number, id: PointId) => keyOfId(keys.points(replica).from, id),
  vector: (replica: number, name: string, id: PointId) => keyOfId(keys.vectors(replica, name).from, id),
  /** The point keys above `id` (null: all), in id order. */
  pointsAfter: (replica: number, id: PointId | null) => {
    const { from, to } = range(ofKind(replica, kinds.point).done());
    if (id === null) return { from, to };
    const key = keyOfId(from, id);
    const after = new Uint8Array(key.length + 1);
    after.set(key);
    return { from: after, to };
  },
  /** What is no point's, but for the manifest and fetched segments: terms, ident, state, operation keys. */
  order: (replica: number) => ({
    from: ofKind(replica, kinds.history).done(),
    to: afterPrefix(ofKind(replica, kinds.operation).done()),
  }),
  /** What is no point's. */
  beside: (replica: number) => ({ from: keys.replica(replica), to: ofKind(replica, kinds.point).done() }),
  /** All points, and all vectors of a name, in id order. */
  points: (replica: number) => range(ofKind(replica, kinds.point).done()),
  vectors: (replica: number, name: string) =>
    range(ofKind(replica, kinds.vector).bytes(text.encode(name)).done()),
  /**
   * The term keeps orders apart that a rewind has side by side for a while: both may have an operation of this seq.
   * @param term - 0 for the bound of a range
   */
  bySeq(replica: number, seq: number, ordinal: number, term: number): Uint8Array {
    const bytes = Buffer.allocUnsafe(21);
    bytes.writeUInt32BE(replica, 0);
    bytes[4] = kinds.bySeq;
    bytes.writeUInt32BE(Math.floor(seq / 2 ** 32), 5);
    bytes.writeUInt32BE(seq % 2 ** 32, 9);
    bytes.writeUInt32BE(ordinal, 13);
    bytes.writeUInt32BE(term, 17);
    return bytes;
  },
  /** The whole by-seq index. */
  index: (replica: number) => range(ofKind(replica, kinds.bySeq).done()),
  bySeqEnd: (replica: number) => ofKind(replica, kinds.bySeq + 1).done(),
  operation: (replica: number, operationKey: string) =>
    ofKind(replica, kinds.operation).rest(text.encode(operationKey)).done(),
  /** All keys of a replica lie between these. */
  replica: (replica: number) => key().u32(replica).done(),
};

/** Everything of a replica, in the background of other writes. */
export function removeRecords(store: Store, replica: number): Promise<void> {
  const from = keys.replica(replica);
  return store.deleteRange(from, afterPrefix(from));
}

/** REQUIRES: the replica is not open. @throws StorageError */
export async function removeCopy(store: Store, replica: number): Promise<void> {
  await store.commit([{ kind: 'delete', key: keys.copy(replica) }], { essential: true });
}

/** Which point a key of a record is of; null: it is of something else. */
export function pointOfKey(keyBytes: Uint8Array): PointId | null {
  const kind = keyBytes[4];
  if (kind !== kinds.point && kind !== kinds.vector) return null;
  return decodePointId(keyBytes, keyBytes.length - pointIdBytes);
}

export function isManifest(keyBytes: Uint8Array): boolean {
  return keyBytes[4] === kinds.manifest;
}

export function isCopy(keyBytes: Uint8Array): boolean {
  return keyBytes[4] === kinds.copy;
}

/** Which of the records of `keys.order` this is, and what its key ends with. */
export function orderRecordOf(
  keyBytes: Uint8Array,
):
  | { readonly kind: 'history'; readonly term: number }
  | { readonly kind: 'operation'; readonly operationKey: string }
  | { readonly kind: 'state' | 'ident' } {
  const reader = readKey(keyBytes);
  reader.u32();
  switch (reader.u8()) {
    case kinds.history:
      return { kind: 'history', term: reader.u32() };
    case kinds.operation:
      return { kind: 'operation', operationKey: Buffer.from(reader.rest()).toString() };
    case kinds.state:
      return { kind: 'state' };
    default:
      return { kind: 'ident' };
  }
}

export interface PointRecordHead {
  readonly seq: number;
  readonly ordinal: number;
  readonly term: number;
  readonly isTombstone: boolean;
  /** Of the change that made it; 0 for a tombstone. */
  readonly contentCrc: number;
}
export interface StoredPoint extends PointRecordHead {
  readonly payload: Uint8Array;
}

const pointHeadBytes = 21;

/** The record of a point; its payload is not copied. */
export function putPoint(key: Uint8Array, point: StoredPoint): Change {
  const bytes = Buffer.allocUnsafe(pointHeadBytes);
  bytes.writeBigUInt64BE(BigInt(point.seq), 0);
  bytes.writeUInt32BE(point.ordinal, 8);
  bytes.writeUInt32BE(point.term, 12);
  bytes.writeUInt8(point.isTombstone ? 1 : 0, 16);
  bytes.writeUInt32BE(point.contentCrc, 17);
  return { kind: 'put', key, value: bytes, tail: point.payload };
}

export function decodePoint(value: Uint8Array): StoredPoint {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  return {
    seq: Number(bytes.readBigUInt64BE(0)),
    ordinal: bytes.readUInt32BE(8),
    term: bytes.readUInt32BE(12),
    isTombstone: (bytes.readUInt8(16) & 1) === 1,
    contentCrc: bytes.readUInt32BE(17),
    payload: bytes.subarray(pointHeadBytes),
  };
}

export interface BySeqEntry {
  readonly seq: number;
  readonly ordinal: number;
  readonly id: PointId;
  readonly isTombstone: boolean;
  readonly contentCrc: number;
}

export function encodeBySeq(id: PointId, { isTombstone, contentCrc }: PointRecordHead): Uint8Array {
  const bytes = Buffer.allocUnsafe(1 + pointIdBytes + 4);
  bytes[0] = isTombstone ? 1 : 0;
  encodePointId(id, bytes, 1);
  bytes.writeUInt32BE(contentCrc, 1 + pointIdBytes);
  return bytes;
}

export function decodeBySeq(keyBytes: Uint8Array, value: Uint8Array): BySeqEntry {
  const at = Buffer.from(keyBytes.buffer, keyBytes.byteOffset, keyBytes.length);
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  return {
    seq: at.readUInt32BE(5) * 2 ** 32 + at.readUInt32BE(9),
    ordinal: at.readUInt32BE(13),
    id: decodePointId(bytes, 1),
    isTombstone: bytes[0] === 1,
    contentCrc: bytes.readUInt32BE(1 + pointIdBytes),
  };
}

const vectorKinds = ['dense', 'sparse', 'multi'] as const;
const vectorHeadBytes = 8;
const noIndices = new Uint32Array(0);

/** A vector's bytes: what must be made, and its numbers as they lie. */
export function vectorParts(vector: Vector): { readonly value: Uint8Array; readonly tail: Uint8Array } {
  const indices = vector.kind === 'sparse' ? vector.indices : noIndices;
  const value = Buffer.allocUnsafe(vectorHeadBytes + indices.byteLength);
  value.writeUInt32LE(vectorKinds.indexOf(vector.kind), 0);
  value.writeUInt32LE(vector.kind === 'multi' ? vector.dim : indices.length, 4);
  if (indices.length > 0) value.set(bytesOf(indices), vectorHeadBytes);
  return { value, tail: bytesOf(vector.values) };
}

function bytesOf(view: Uint32Array | Float32Array): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** A view where it can be; the bytes must not change as long as it is used. */
export function decodeVector(value: Uint8Array): Vector {
  // Typed arrays must be aligned; a store's buffers usually are.
  const bytes = value.byteOffset % 4 === 0 ? value : new Uint8Array(value);
  const [kindNumber, count] = new Uint32Array(bytes.buffer, bytes.byteOffset, 2);
  const kind = vectorKinds[kindNumber!];
  const body = bytes.byteOffset + vectorHeadBytes;
  const words = (bytes.length - vectorHeadBytes) / 4;
  if (kind === 'sparse')
    return {
      kind,
      indices: new Uint32Array(bytes.buffer, body, count),
      values: new Float32Array(bytes.buffer, body + 4 * count!, words - count!),
    };
  const values = new Float32Array(bytes.buffer, body, words);
  return kind === 'multi' ? { kind, dim: count!, values } : { kind: 'dense', values };
}

export interface Ident {
  readonly collectionUuid: string;
  readonly shardId: number;
  readonly allocId: string;
  readonly format: number;
}

export function encodeJson(value: unknown): Uint8Array {
  return text.encode(JSON.stringify(value));
}

export function decodeJson(value: Uint8Array): unknown {
  return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.length).toString());
}

export function encodeSeq(seq: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(seq));
  return bytes;
}
