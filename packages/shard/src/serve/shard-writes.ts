/**
 * The write path as a serve thread sees it: filters turned into ids, vectors prepared, buffers
 * moved to the control thread, the answer awaited.
 * Always: a buffer that is only part of a larger allocation is copied first, because moving takes the whole; the vectors of a long batch
 * are prepared in turns with what else the thread has to do.
 */
import type { Env } from '@quiver/env';
import {
  ClusterError,
  shardOf,
  stringifyJson,
  type CollectionRecord,
  type NodeId,
  type PointBatch,
  type ResolvedOperation,
  type VectorColumn,
} from '@quiver/model';
import { plainError, type ShardWrite, type ShardWriteOutcome, type ShardWrites } from '@quiver/rpc';
import {
  prepareOwnRows,
  segmentSchemaOf,
  vectorSchema,
  type DenseSchema,
  type MultiSchema,
} from '@quiver/segment';
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
      const prepared = takeOperation(collection, operation);
      await prepareInTurns(prepared.rows, options.env);
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

/** Rows of one vector that are the operation's own and not prepared yet. */
interface OwnRows {
  readonly schema: DenseSchema | MultiSchema;
  readonly values: Float32Array;
}

interface OwnOperation {
  readonly operation: ResolvedOperation;
  readonly payload: string | null;
  readonly rows: readonly OwnRows[];
  readonly transfer: readonly ArrayBuffer[];
}

function takeOperation(collection: CollectionRecord, operation: ResolvedOperation): OwnOperation {
  if (operation.kind === 'set_payload' || operation.kind === 'overwrite_payload')
    return {
      operation: { ...operation, payload: {} },
      payload: stringifyJson(operation.payload),
      rows: [],
      transfer: [],
    };
  if (operation.kind !== 'upsert' && operation.kind !== 'update_vectors')
    return { operation, payload: null, rows: [], transfer: [] };
  const rows: OwnRows[] = [];
  const transfer: ArrayBuffer[] = [];
  const points = takeBatch(collection, operation.points, rows, transfer);
  return { operation: { ...operation, points }, payload: null, rows, transfer };
}

/** About a tenth of a millisecond. */
const turnValues = 32_768;

/** Short ones at once. */
async function prepareInTurns(rows: readonly OwnRows[], env: Pick<Env, 'soon'>): Promise<void> {
  let left = turnValues;
  for (const { schema, values } of rows) {
    const most = schema.dim * Math.ceil(turnValues / schema.dim);
    for (let from = 0; from < values.length; from += most) {
      if (left <= 0) {
        await new Promise<void>((resolve) => env.soon(resolve));
        left = turnValues;
      }
      const some = values.subarray(from, from + most);
      prepareOwnRows(schema, some);
      left -= some.length;
    }
  }
}

type Owned = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

function takeBatch(
  collection: CollectionRecord,
  points: PointBatch,
  rows: OwnRows[],
  transfer: ArrayBuffer[],
): PointBatch {
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
    // Prepared in place: the buffer is moved away in any case.
    const values = own(column.values);
    if (vector.kind !== 'sparse') rows.push({ schema: vector, values });
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
