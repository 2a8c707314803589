/**
 * Keys and values of a replica in the data volume: docs/formats/shard-store.md in code. Every key starts with the
 * replica's never-reused number. Always: one by-seq entry for each point, naming its last change, so that a follower (or
 * a restart) replays the range above what it has; a deleted point keeps a tombstone.
 *
 * | key after the replica number | value |
 * |---|---|
 * | `i` | ident, JSON |
 * | `m` | state, JSON |
 * | `h` term u32 | first seq of the term, u64 |
 * | `p` id | point: seq u64, ordinal u32, term u32, flags u8 (1 tombstone), payload |
 * | `v` name, id | vector: kind u8, count u32, then indices u32 (sparse) and values f32 |
 * | `s` seq u64, ordinal u32 | flags u8, id |
 * | `o` operation key | seq u64 |
 * | `g` | manifest, JSON |
 */
import type { HistoryEntry, ReplicaState } from '@quiver/replication';
import { afterPrefix, key, readKey, type Change } from '@quiver/storage';
import { decodePointId, encodePointId, pointIdBytes, type PointId, type Vector } from '@quiver/model';

const kinds = {
  ident: 0x69,
  state: 0x6d,
  history: 0x68,
  point: 0x70,
  vector: 0x76,
  bySeq: 0x73,
  operation: 0x6f,
  manifest: 0x67,
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
  history: (replica: number, term: number) => ofKind(replica, kinds.history).u32(term).done(),
  point: (replica: number, id: PointId) => keyOfId(keys.points(replica).from, id),
  vector: (replica: number, name: string, id: PointId) => keyOfId(keys.vectors(replica, name).from, id),
  histories: (replica: number) => range(ofKind(replica, kinds.history).done()),
  /** All points, and all vectors of a name, in id order. */
  points: (replica: number) => range(ofKind(replica, kinds.point).done()),
  vectors: (replica: number, name: string) =>
    range(ofKind(replica, kinds.vector).bytes(text.encode(name)).done()),
  bySeq(replica: number, seq: number, ordinal: number): Uint8Array {
    const bytes = Buffer.allocUnsafe(17);
    bytes.writeUInt32BE(replica, 0);
    bytes[4] = kinds.bySeq;
    bytes.writeUInt32BE(Math.floor(seq / 2 ** 32), 5);
    bytes.writeUInt32BE(seq % 2 ** 32, 9);
    bytes.writeUInt32BE(ordinal, 13);
    return bytes;
  },
  bySeqEnd: (replica: number) => ofKind(replica, kinds.bySeq + 1).done(),
  operation: (replica: number, operationKey: string) =>
    ofKind(replica, kinds.operation).rest(text.encode(operationKey)).done(),
  /** All keys of a replica lie between these. */
  replica: (replica: number) => key().u32(replica).done(),
};

export interface PointRecordHead {
  readonly seq: number;
  readonly ordinal: number;
  readonly term: number;
  readonly isTombstone: boolean;
}
export interface StoredPoint extends PointRecordHead {
  readonly payload: Uint8Array;
}

const pointHeadBytes = 17;

/** The record of a point; its payload is not copied. */
export function putPoint(key: Uint8Array, point: StoredPoint): Change {
  const bytes = Buffer.allocUnsafe(pointHeadBytes);
  bytes.writeBigUInt64BE(BigInt(point.seq), 0);
  bytes.writeUInt32BE(point.ordinal, 8);
  bytes.writeUInt32BE(point.term, 12);
  bytes.writeUInt8(point.isTombstone ? 1 : 0, 16);
  return { kind: 'put', key, value: bytes, tail: point.payload };
}

export function decodePoint(value: Uint8Array): StoredPoint {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  return {
    seq: Number(bytes.readBigUInt64BE(0)),
    ordinal: bytes.readUInt32BE(8),
    term: bytes.readUInt32BE(12),
    isTombstone: (bytes.readUInt8(16) & 1) === 1,
    payload: bytes.subarray(pointHeadBytes),
  };
}

export function encodeBySeq(id: PointId, isTombstone: boolean): Uint8Array {
  const bytes = new Uint8Array(1 + pointIdBytes);
  bytes[0] = isTombstone ? 1 : 0;
  encodePointId(id, bytes, 1);
  return bytes;
}

export function decodeBySeq(
  keyBytes: Uint8Array,
  value: Uint8Array,
): { seq: number; ordinal: number; id: PointId } {
  const reader = readKey(keyBytes);
  reader.u32();
  reader.u8();
  return { seq: reader.u64Number(), ordinal: reader.u32(), id: decodePointId(value, 1) };
}

const vectorKinds = ['dense', 'sparse', 'multi'] as const;
const vectorHeadBytes = 8;
const noIndices = new Uint32Array(0);

/** The record of a vector; its numbers are not copied. */
export function putVector(key: Uint8Array, vector: Vector): Change {
  const indices = vector.kind === 'sparse' ? vector.indices : noIndices;
  const value = Buffer.allocUnsafe(vectorHeadBytes + indices.byteLength);
  value.writeUInt32LE(vectorKinds.indexOf(vector.kind), 0);
  value.writeUInt32LE(vector.kind === 'multi' ? vector.dim : indices.length, 4);
  if (indices.length > 0) value.set(bytesOf(indices), vectorHeadBytes);
  return { kind: 'put', key, value, tail: bytesOf(vector.values) };
}

function bytesOf(view: Uint32Array | Float32Array): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

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
/** The machine's state and what the store keeps beside it. */
export type StoredState = ReplicaState<PointId> & {
  readonly count: number;
  /** A point was ever deleted: until then a point that is not alive has no record either. Absent = unknown. */
  readonly hasTombstones?: boolean;
};

export function encodeJson(value: unknown): Uint8Array {
  return text.encode(JSON.stringify(value));
}

export function decodeJson(value: Uint8Array): unknown {
  return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.length).toString());
}

export function decodeHistory(keyBytes: Uint8Array, value: Uint8Array): HistoryEntry {
  const reader = readKey(keyBytes);
  reader.u32();
  reader.u8();
  const seq = Buffer.from(value.buffer, value.byteOffset, value.length).readBigUInt64BE(0);
  return { term: reader.u32(), startSeq: Number(seq) };
}

export function encodeSeq(seq: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(seq));
  return bytes;
}
