/**
 * The write path as a serve thread sees it: filters turned into ids, vectors prepared, buffers
 * moved to the control thread, the answer awaited.
 * Always: a buffer that is only part of a larger allocation is copied first, because moving takes the whole.
 */
import type { Env } from '@quiver/env';
import {
  ClusterError,
  isLongOperation,
  shardOf,
  stringifyJson,
  type CollectionRecord,
  type NodeId,
  type PointBatch,
  type ResolvedOperation,
  type VectorColumn,
} from '@quiver/model';
import { plainError, type ShardWrite, type ShardWriteOutcome, type ShardWrites } from '@quiver/rpc';
import { prepareOwnRows, segmentSchemaOf, vectorSchema } from '@quiver/segment';
import type { ControlCalls } from './control-calls.ts';
import { replicaNumber } from './replica-views.ts';
import type { ShardReadsEnd } from './shard-reads.ts';

export interface ShardWritesOptions {
  readonly nodeId: NodeId;
  readonly calls: ControlCalls;
  readonly resolve: ShardReadsEnd['resolve'];
  readonly env: Env;
}

export function createShardWrites(options: ShardWritesOptions): ShardWrites {
  const { nodeId, calls } = options;

  async function resolved(
    collection: CollectionRecord,
    { shardId, slots: meant, operation }: ShardWrite,
    deadlineMs: number,
  ): Promise<ResolvedOperation> {
    if (operation.kind === 'upsert' || operation.kind === 'update_vectors') return operation;
    const { target } = operation;
    if (target.kind === 'ids') return { ...operation, target: { ids: target.ids, filter: null, asOf: 0 } };
    const { filter } = target;
    const slots = meant ?? shardOf(collection, shardId)!.slots;
    const found = await options.resolve(collection, shardId, { filter, slots }, deadlineMs);
    return { ...operation, target: { ...found, filter } };
  }

  async function writeShard(
    collection: CollectionRecord,
    write: ShardWrite,
    deadlineMs: number,
  ): Promise<ShardWriteOutcome> {
    try {
      const replica = replicaNumber(collection, write.shardId, nodeId);
      const { slots = null } = write;
      const operation = await resolved(collection, write, deadlineMs);
      if (isLongOperation(operation)) await new Promise<void>((resolve) => options.env.soon(resolve));
      const prepared = prepareOperation(collection, operation);
      const { uuid: collectionUuid } = collection;
      const { operation: ready, payload, transfer } = prepared;
      const { operationKey } = write;
      const operationId = await calls.ask(
        { kind: 'write', replica, collectionUuid, slots, operation: ready, payload, operationKey },
        deadlineMs,
        transfer,
      );
      return { ok: true, operationId };
    } catch (error) {
      return { ok: false, failure: plainError(error) };
    }
  }

  return {
    write: (collection, writes, { deadlineMs }) =>
      Promise.all(writes.map((write) => writeShard(collection, write, deadlineMs))),
    describe: ({ collection, shardIds }, { deadlineMs }) =>
      Promise.all(
        shardIds.map((shardId) => {
          const replica = replicaNumber(collection, shardId, nodeId);
          return calls.ask({ kind: 'describe', replica, collectionUuid: collection.uuid }, deadlineMs);
        }),
      ),
  };
}

function prepareOperation(
  collection: CollectionRecord,
  operation: ResolvedOperation,
): { operation: ResolvedOperation; payload: string | null; transfer: ArrayBuffer[] } {
  if (operation.kind === 'set_payload' || operation.kind === 'overwrite_payload')
    return {
      operation: { ...operation, payload: {} },
      payload: stringifyJson(operation.payload),
      transfer: [],
    };
  if (operation.kind !== 'upsert' && operation.kind !== 'update_vectors')
    return { operation, payload: null, transfer: [] };
  const transfer: ArrayBuffer[] = [];
  const points = prepareBatch(collection, operation.points, transfer);
  return { operation: { ...operation, points }, payload: null, transfer };
}

type Owned = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

function prepareBatch(collection: CollectionRecord, points: PointBatch, transfer: ArrayBuffer[]): PointBatch {
  const schema = segmentSchemaOf(collection.config.params);
  const own = <T extends Float32Array | Uint32Array | Uint8Array>(view: T): T => {
    const isWhole = view.buffer instanceof ArrayBuffer && view.byteLength === view.buffer.byteLength;
    const owned = (isWhole ? view : view.slice()) as Owned;
    if (owned.byteLength > 0 && !transfer.includes(owned.buffer)) transfer.push(owned.buffer);
    return owned as T;
  };
  const ownOrNull = (present: Uint8Array | null): Uint8Array | null =>
    present === null ? null : own(present);
  const vectors = new Map<string, VectorColumn>();
  for (const [name, column] of points.vectors) {
    const vector = vectorSchema(schema, name);
    if (vector === undefined)
      throw new ClusterError('invalid_argument', `Not existing vector name error: ${name}`);
    const present = ownOrNull(column.present);
    if (column.kind === 'sparse') {
      const { offsets, indices, values } = column;
      vectors.set(name, {
        kind: 'sparse',
        offsets: own(offsets),
        indices: own(indices),
        values: own(values),
        present,
      });
      continue;
    }
    // In place: the buffer is moved away in any case.
    const values = own(column.values);
    if (vector.kind !== 'sparse') prepareOwnRows(vector, values);
    vectors.set(
      name,
      column.kind === 'dense'
        ? { kind: 'dense', dim: column.dim, values, present }
        : { kind: 'multi', dim: column.dim, offsets: own(column.offsets), values, present },
    );
  }
  const payloads = { bytes: own(points.payloads.bytes), offsets: own(points.payloads.offsets) };
  return { ids: points.ids, vectors, payloads };
}
