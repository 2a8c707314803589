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
import { afterPrefix, key, readKey } from '@quiver/storage';
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

function idBytes(id: PointId): Uint8Array {
  const bytes = new Uint8Array(pointIdBytes);
  encodePointId(id, bytes, 0);
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
  point: (replica: number, id: PointId) => ofKind(replica, kinds.point).rest(idBytes(id)).done(),
  vector: (replica: number, name: string, id: PointId) =>
    ofKind(replica, kinds.vector).bytes(text.encode(name)).rest(idBytes(id)).done(),
  /** All points, and all vectors of a name, in id order. */
  points: (replica: number) => range(ofKind(replica, kinds.point).done()),
  vectors: (replica: number, name: string) =>
    range(ofKind(replica, kinds.vector).bytes(text.encode(name)).done()),
  bySeq: (replica: number, seq: number, ordinal: number) =>
    ofKind(replica, kinds.bySeq).u64(seq).u32(ordinal).done(),
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

export function encodePoint(point: StoredPoint): Uint8Array {
  const bytes = Buffer.allocUnsafe(pointHeadBytes + point.payload.length);
  bytes.writeBigUInt64BE(BigInt(point.seq), 0);
  bytes.writeUInt32BE(point.ordinal, 8);
  bytes.writeUInt32BE(point.term, 12);
  bytes.writeUInt8(point.isTombstone ? 1 : 0, 16);
  bytes.set(point.payload, pointHeadBytes);
  return bytes;
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

export function encodeVector(vector: Vector): Uint8Array {
  const indices = vector.kind === 'sparse' ? vector.indices : new Uint32Array(0);
  const bytes = Buffer.allocUnsafe(vectorHeadBytes + indices.byteLength + vector.values.byteLength);
  bytes.writeUInt32LE(vectorKinds.indexOf(vector.kind), 0);
  bytes.writeUInt32LE(vector.kind === 'multi' ? vector.dim : indices.length, 4);
  bytes.set(new Uint8Array(indices.buffer, indices.byteOffset, indices.byteLength), vectorHeadBytes);
  const { values } = vector;
  bytes.set(
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    vectorHeadBytes + indices.byteLength,
  );
  return bytes;
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
export interface ReplicaState {
  readonly term: number;
  readonly last: number;
  readonly count: number;
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
