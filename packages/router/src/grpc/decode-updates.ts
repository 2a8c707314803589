/** Messages that change points, as updates: the single calls and the operations of UpdateBatch are the same. */
import { parsePayloadText, type PointBatch } from '@quiver/model';
import {
  decodeFilter,
  decodeKey,
  decodePoint,
  decodeTarget,
  malformed,
  Problems,
  decodeShardKeys,
  type FilterMessage,
  type PointMessage,
  type PointsSelectorMessage,
  type ShardKeyMessage,
} from '@quiver/rpc/codec';
import type { PointsUpdate } from '../api.ts';
import { addRow, columnsOf, payloadColumnOfTexts, type Rows } from '../point-columns.ts';
import { collectionName } from './validate.ts';

/** What a change of points says beside itself. */
export interface WriteMessage {
  readonly collection_name?: string;
  readonly wait?: boolean;
  readonly timeout?: number | bigint;
}
interface Sharded {
  readonly shard_key_selector?: ShardKeyMessage;
}
export interface UpsertMessage extends Sharded {
  readonly points?: readonly PointMessage[];
  /** In the place of `points`: what was read straight into columns. */
  readonly batch?: PointBatch;
  readonly update_filter?: FilterMessage;
  readonly update_mode?: number;
}
export interface SelectedMessage extends Sharded {
  readonly points?: PointsSelectorMessage;
}
export interface PayloadMessage extends Sharded {
  /** JSON text of an object. */
  readonly payload?: string;
  readonly points_selector?: PointsSelectorMessage;
  readonly key?: string;
}
export interface DeletePayloadMessage extends Sharded {
  readonly keys?: readonly string[];
  readonly points_selector?: PointsSelectorMessage;
}
export interface DeleteVectorsMessage extends Sharded {
  readonly points_selector?: PointsSelectorMessage;
  readonly vectors?: { readonly names?: readonly string[] };
}
/** One of the list of UpdateBatch. */
export interface OperationMessage {
  readonly upsert?: UpsertMessage;
  readonly delete_deprecated?: PointsSelectorMessage;
  readonly set_payload?: PayloadMessage;
  readonly overwrite_payload?: PayloadMessage;
  readonly delete_payload?: DeletePayloadMessage;
  readonly clear_payload_deprecated?: PointsSelectorMessage;
  readonly update_vectors?: UpsertMessage;
  readonly delete_vectors?: DeleteVectorsMessage;
  readonly delete_points?: SelectedMessage;
  readonly clear_payload?: SelectedMessage;
}

/** Plain data, without the rest of the message. */
export function headOf({ collection_name: name, wait, timeout }: WriteMessage): WriteMessage {
  return {
    ...(name === undefined ? {} : { collection_name: name }),
    ...(wait === undefined ? {} : { wait }),
    ...(timeout === undefined ? {} : { timeout }),
  };
}

/** A call that is one update. @throws ClusterError, with all that is out of range where that is what is wrong */
export function decodeWrite<M>(
  message: M & WriteMessage,
  decode: (message: M, problems: Problems) => PointsUpdate,
): { name: string; update: PointsUpdate } {
  const problems = new Problems();
  const name = collectionName(message, '', problems);
  const update = decode(message, problems);
  problems.check();
  return { name, update };
}

const updateModes = ['upsert', 'insert_only', 'update_only'] as const;

export function decodeUpsert(message: UpsertMessage, problems: Problems): PointsUpdate {
  // A number that is no mode means the default, as everywhere in proto3 and in Qdrant.
  const mode = updateModes[message.update_mode ?? 0] ?? 'upsert';
  return {
    ...decodeShardKeys(message.shard_key_selector),
    kind: 'upsert',
    points: message.batch ?? decodeBatch(message.points ?? [], problems, 'Expected some vectors'),
    mode,
    updateFilter: decodeFilter(message.update_filter, 'update_filter', problems),
  };
}

export function decodeUpdateVectors(message: UpsertMessage, problems: Problems): PointsUpdate {
  return {
    ...decodeShardKeys(message.shard_key_selector),
    kind: 'update_vectors',
    points: decodeBatch(message.points ?? [], problems, 'vectors is expected'),
    updateFilter: decodeFilter(message.update_filter, 'update_filter', problems),
  };
}

function decodeBatch(list: readonly PointMessage[], problems: Problems, missing: string): PointBatch {
  const rows: Rows = new Map();
  const payloads: string[] = [];
  const ids = list.map((message, i) => {
    const { id, vectors, payload } = decodePoint(message, `points[${i}]`, problems, missing);
    for (const [name, vector] of vectors) addRow(rows, name, i, vector);
    payloads.push(payload);
    return id;
  });
  // Columns are built of what is sound only.
  problems.check();
  return { ids, vectors: columnsOf(rows, ids.length), payloads: payloadColumnOfTexts(payloads) };
}

export function decodeDelete(message: SelectedMessage, problems: Problems): PointsUpdate {
  const target = decodeTarget(message.points, 'points', problems, 'PointSelector is missing');
  return { ...decodeShardKeys(message.shard_key_selector), kind: 'delete', target };
}

export function decodeClearPayload(message: SelectedMessage, problems: Problems): PointsUpdate {
  const target = decodeTarget(message.points, 'points', problems, 'PointSelector is missing');
  return { ...decodeShardKeys(message.shard_key_selector), kind: 'clear_payload', target };
}

export function decodePayloadChange(
  kind: 'set_payload' | 'overwrite_payload',
  message: PayloadMessage,
  problems: Problems,
): PointsUpdate {
  return {
    ...decodeShardKeys(message.shard_key_selector),
    kind,
    target: decodeTarget(message.points_selector, 'points_selector', problems, 'points_selector is expected'),
    payload: parsePayloadText(message.payload ?? '{}'),
    key: message.key === undefined ? null : decodeKey(message.key),
  };
}

export function decodeDeletePayload(message: DeletePayloadMessage, problems: Problems): PointsUpdate {
  return {
    ...decodeShardKeys(message.shard_key_selector),
    kind: 'delete_payload',
    target: decodeTarget(message.points_selector, 'points_selector', problems, 'points_selector is expected'),
    keys: (message.keys ?? []).map((key) => decodeKey(key)),
  };
}

export function decodeDeleteVectors(message: DeleteVectorsMessage, problems: Problems): PointsUpdate {
  const target = decodeTarget(
    message.points_selector,
    'points_selector',
    problems,
    'points_selector is expected',
  );
  if (message.vectors === undefined) throw malformed('vectors is expected');
  const names = message.vectors.names ?? [];
  return { ...decodeShardKeys(message.shard_key_selector), kind: 'delete_vectors', target, names };
}

export function decodeOperation(message: OperationMessage, problems: Problems): PointsUpdate {
  if (message.upsert !== undefined) return decodeUpsert(message.upsert, problems);
  if (message.delete_points !== undefined) return decodeDelete(message.delete_points, problems);
  if (message.delete_deprecated !== undefined)
    return decodeDelete({ points: message.delete_deprecated }, problems);
  if (message.set_payload !== undefined)
    return decodePayloadChange('set_payload', message.set_payload, problems);
  if (message.overwrite_payload !== undefined)
    return decodePayloadChange('overwrite_payload', message.overwrite_payload, problems);
  if (message.delete_payload !== undefined) return decodeDeletePayload(message.delete_payload, problems);
  if (message.clear_payload !== undefined) return decodeClearPayload(message.clear_payload, problems);
  if (message.clear_payload_deprecated !== undefined)
    return decodeClearPayload({ points: message.clear_payload_deprecated }, problems);
  if (message.update_vectors !== undefined) return decodeUpdateVectors(message.update_vectors, problems);
  if (message.delete_vectors !== undefined) return decodeDeleteVectors(message.delete_vectors, problems);
  throw malformed('Operation is missing');
}
