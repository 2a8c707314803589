/**
 * What the order of a replica keeps beside the records: state, history of terms, operation keys. Always: written in the
 * batch of the records it speaks of (replica-records.ts), read once when the replica is opened.
 */
import {
  blankReplica,
  type HistoryEntry,
  type OperationEntry,
  type PersistedReplica,
  type ReplicaState,
} from '@quiver/replication';
import { decodePointId, encodePointId, pointIdBytes, type PointId } from '@quiver/model';
import type { Store } from '@quiver/storage';
import type { IndexSum } from './digests.ts';
import type { ReplicaSource } from './read-ahead.ts';
import { decodeJson, encodeJson, keys, orderRecordOf } from './records.ts';

/** Of a replica's records. */
const format = 2;

/**
 * Writes what the records of a replica belong to.
 * @param source - as `readAhead` gives it
 * @returns whether nothing said so yet: it is new. @throws StorageError
 */
export async function noteOwner(
  store: Store,
  source: ReplicaSource,
  number: number,
  { uuid, shardId }: { readonly uuid: string; readonly shardId: number },
): Promise<boolean> {
  const key = keys.ident(number);
  if (source.getSync(key) !== undefined) return false;
  const value = encodeJson({ collectionUuid: uuid, shardId, format });
  await store.commit([{ kind: 'put', key, value }], { essential: true });
  return true;
}

/** The state record: the machine's state, and the sum of the by-seq index as of this batch. */
export interface StateRecord {
  readonly state: ReplicaState<PointId>;
  readonly sum: IndexSum;
  /** Of the copy of a small replica's rows that is true; null: there is none, or a version wrote that does not know of copies. */
  readonly copySeq: number | null;
}

interface StateJson {
  readonly term: number;
  readonly mode: 'clean' | 'catch_up';
  readonly last: number;
  readonly clean: number;
  readonly copied: number;
  readonly source: number;
  /** base seq, id after which to go on (hex; null: from the start) */
  readonly range: readonly [baseSeq: number, afterKey: string | null] | null;
  readonly committed: number;
  readonly horizon: number;
  /** count, tombstones, low, high */
  readonly index: readonly [number, number, number, number];
  readonly copy?: number;
}

export function encodeState({ state, sum, copySeq }: StateRecord): Uint8Array {
  const { rangeCopy } = state;
  const json: StateJson = {
    term: state.term,
    mode: state.mode,
    last: state.lastSeq,
    clean: state.cleanSeq,
    copied: state.copiedSeq,
    source: state.sourceSeq,
    range:
      rangeCopy === null
        ? null
        : [rangeCopy.baseSeq, rangeCopy.afterKey === null ? null : idToHex(rangeCopy.afterKey)],
    committed: state.committedSeq,
    horizon: state.tombstoneHorizon,
    index: [sum.count, sum.tombstones, sum.low, sum.high],
    ...(copySeq === null ? {} : { copy: copySeq }),
  };
  return encodeJson(json);
}

export function decodeState(value: Uint8Array): StateRecord {
  const json = decodeJson(value) as StateJson;
  const [count, tombstones, low, high] = json.index;
  return {
    state: {
      term: json.term,
      mode: json.mode,
      lastSeq: json.last,
      cleanSeq: json.clean,
      copiedSeq: json.copied,
      sourceSeq: json.source,
      rangeCopy:
        json.range === null
          ? null
          : { baseSeq: json.range[0], afterKey: json.range[1] === null ? null : idFromHex(json.range[1]) },
      committedSeq: json.committed,
      tombstoneHorizon: json.horizon,
    },
    sum: { count, tombstones, low, high },
    copySeq: json.copy ?? null,
  };
}

function idToHex(id: PointId): string {
  const bytes = Buffer.alloc(pointIdBytes);
  encodePointId(id, bytes, 0);
  return bytes.toString('hex');
}

function idFromHex(hex: string): PointId {
  return decodePointId(Buffer.from(hex, 'hex'), 0);
}

const operationHeadBytes = 21;

export function encodeOperationEntry(entry: OperationEntry): Uint8Array {
  const receipt = Buffer.from(entry.receipt);
  const bytes = Buffer.allocUnsafe(operationHeadBytes + receipt.length);
  bytes.writeBigUInt64BE(BigInt(entry.seq), 0);
  bytes.writeUInt32BE(entry.term, 8);
  bytes.writeBigUInt64BE(BigInt(entry.wallMs), 12);
  bytes.writeUInt8(entry.isTorn ? 1 : 0, 20);
  bytes.set(receipt, operationHeadBytes);
  return bytes;
}

export function decodeOperationEntry(operationKey: string, value: Uint8Array): OperationEntry {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  return {
    operationKey,
    seq: Number(bytes.readBigUInt64BE(0)),
    term: bytes.readUInt32BE(8),
    wallMs: Number(bytes.readBigUInt64BE(12)),
    receipt: bytes.toString('utf8', operationHeadBytes),
    isTorn: bytes[20] === 1,
  };
}

export interface LoadedReplica {
  readonly persisted: PersistedReplica<PointId>;
  readonly sum: IndexSum;
  /** See `StateRecord`. */
  readonly copySeq: number | null;
}

/** REQUIRES: nothing of the replica is being written. @throws StorageError 'corruption' */
export async function loadReplicaState(store: ReplicaSource, replica: number): Promise<LoadedReplica> {
  let found: StateRecord | null = null;
  const history: HistoryEntry[] = [];
  const operations: OperationEntry[] = [];
  for await (const page of store.scanPages(keys.order(replica)))
    for (const [keyBytes, value] of page) {
      const record = orderRecordOf(keyBytes);
      if (record.kind === 'state') found = decodeState(value);
      else if (record.kind === 'operation') operations.push(decodeOperationEntry(record.operationKey, value));
      else if (record.kind === 'history') {
        const start = Buffer.from(value.buffer, value.byteOffset, value.length);
        history.push({ term: record.term, startSeq: Number(start.readBigUInt64BE(0)) });
      }
    }
  return found === null
    ? { persisted: blankReplica, sum: { count: 0, tombstones: 0, low: 0, high: 0 }, copySeq: null }
    : { persisted: { state: found.state, history, operations }, sum: found.sum, copySeq: found.copySeq };
}
