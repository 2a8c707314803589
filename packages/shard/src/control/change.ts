/**
 * A change of one point as it is ordered, streamed and stored. Always: it says which vectors it sets, which stay and
 * which go, so that whoever has the point before it has the same point after it; a record that is copied whole sets
 * all its vectors.
 */
import { crc32 } from 'node:zlib';
import { slotOf, type PointId, type Vector, type VectorsByName } from '@quiver/model';
import type { ChangeTraits, StoredRecord } from '@quiver/replication';
import type { PointChange } from './resolve.ts';

export type OrderedChange =
  | {
      readonly kind: 'put';
      readonly id: PointId;
      readonly payload: Uint8Array;
      /** Vectors that the change sets. */
      readonly vectors: VectorsByName;
      /** Names of vectors that stay as they are. */
      readonly kept: readonly string[];
      /** Names of vectors that the point does not have after the change. */
      readonly removed: readonly string[];
      /** Of payload and set vectors, as ordered; a copy of the record carries it on. */
      readonly contentCrc: number;
    }
  | { readonly kind: 'delete'; readonly id: PointId; readonly removed: readonly string[] };

const none: readonly string[] = [];

/** @param names - of all vectors a point of the collection may have */
export function orderChange(change: PointChange, names: readonly string[]): OrderedChange {
  const { id } = change;
  if (change.kind === 'delete') return { kind: 'delete', id, removed: names };
  const { payload, vectors: all, changed } = change;
  let kept = none;
  let vectors = all;
  if (changed.size < all.size) {
    kept = [...all.keys()].filter((name) => !changed.has(name));
    vectors = new Map([...all].filter(([name]) => changed.has(name)));
  }
  const removed = all.size === names.length ? none : names.filter((name) => !all.has(name));
  return { kind: 'put', id, payload, vectors, kept, removed, contentCrc: contentCrcOf(payload, vectors) };
}

export function contentCrcOf(payload: Uint8Array, vectors: VectorsByName): number {
  let crc = crc32(payload);
  for (const [name, vector] of vectors) {
    if (name !== '') crc = crc32(name, crc);
    if (vector.kind === 'sparse') crc = crc32(bytesOf(vector.indices), crc);
    crc = crc32(bytesOf(vector.values), crc);
  }
  return crc;
}

function bytesOf(words: Float32Array | Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

export function vectorBytes(vector: Vector): number {
  return vector.values.byteLength + (vector.kind === 'sparse' ? vector.indices.byteLength : 0);
}

/** Id, place and lengths, about. */
const changeBytes = 64;

export const changeTraits: ChangeTraits<OrderedChange> = {
  bytesOf(change) {
    if (change.kind === 'delete') return changeBytes;
    let bytes = changeBytes + change.payload.length;
    for (const vector of change.vectors.values()) bytes += vectorBytes(vector);
    return bytes;
  },
  slotOf: ({ id }) => slotOf(id),
};

export function bytesOfRecords(records: readonly StoredRecord<OrderedChange>[]): number {
  return records.reduce((sum, { change }) => sum + changeTraits.bytesOf(change), 0);
}
