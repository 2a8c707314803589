/**
 * The write path as a serve thread sees it: vectors prepared, buffers moved to the control thread, the answer awaited.
 * Always: a buffer that is only part of a larger allocation is copied first, because moving takes the whole.
 */
import type { Env } from '@quiver/env';
import {
  ClusterError,
  clusterErrorFrom,
  stringifyJson,
  type CollectionRecord,
  type PointBatch,
  type VectorColumn,
  type WriteOperation,
} from '@quiver/model';
import type { CollectionState, ShardWrites, WriteResult } from '@quiver/rpc';
import { prepareRows, segmentSchemaOf, vectorSchema } from '@quiver/segment';
import type { ShardPort, ToControl, ToServe } from '../protocol.ts';

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  readonly cancelTimer: () => void;
}

export interface ShardWritesEnd extends ShardWrites {
  /** Takes an answer of the control thread; false when the message is about something else. */
  take(message: ToServe): boolean;
}

export function createShardWrites(port: ShardPort<ToServe, ToControl>, env: Env): ShardWritesEnd {
  const waiting = new Map<number, Waiting>();
  let calls = 0;

  function call<T>(deadlineMs: number, post: (call: number) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      calls += 1;
      const id = calls;
      const cancelTimer = env.after(Math.max(0, deadlineMs - env.now()), () => {
        if (waiting.delete(id))
          reject(
            new ClusterError(
              'deadline_exceeded',
              'the change was not confirmed within the timeout; it may still be applied',
            ),
          );
      });
      waiting.set(id, { resolve: resolve, reject, cancelTimer });
      post(id);
    });
  }

  function settle(id: number, use: (waiter: Waiting) => void): true {
    const waiter = waiting.get(id);
    if (waiter !== undefined) {
      waiting.delete(id);
      waiter.cancelTimer();
      use(waiter);
    }
    return true;
  }

  return {
    write: (collection, operation, { deadlineMs }) =>
      call<WriteResult>(deadlineMs, (id) => {
        const prepared = prepareOperation(collection, operation);
        const { replica, uuid: collectionUuid } = collection;
        port.post(
          {
            kind: 'write',
            call: id,
            replica,
            collectionUuid,
            operation: prepared.operation,
            payload: prepared.payload,
            operationKey: null,
          },
          prepared.transfer,
        );
      }),
    describe: (collection, { deadlineMs }) =>
      call<CollectionState>(deadlineMs, (id) => {
        port.post({
          kind: 'describe',
          call: id,
          replica: collection.replica,
          collectionUuid: collection.uuid,
        });
      }),
    take(message) {
      switch (message.kind) {
        case 'written':
          return settle(message.call, ({ resolve }) => resolve(message.result as never));
        case 'described':
          return settle(message.call, ({ resolve }) => resolve(message.state as never));
        case 'failed':
          return settle(message.call, ({ reject }) => reject(clusterErrorFrom(message.failure)));
        default:
          return false;
      }
    },
  };
}

function prepareOperation(
  collection: CollectionRecord,
  operation: WriteOperation,
): { operation: WriteOperation; payload: string | null; transfer: ArrayBuffer[] } {
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
    const values = own(vector.kind === 'sparse' ? column.values : prepareRows(vector, column.values));
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
