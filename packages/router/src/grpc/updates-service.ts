/** The calls of `qdrant.Points` that change points or payload indexes. */
import {
  decodeKey,
  fieldSchemaJson,
  Problems,
  type CreateFieldIndexMessage,
  type RpcCall,
  type UnaryHandler,
} from '@quiver/rpc';
import type { Api, PointsUpdate, UpdateResult } from '../api.ts';
import { decodeCreateIndex } from '../rest/decode/collections.ts';
import { writeContextOf } from './call.ts';
import {
  decodeClearPayload,
  decodeDelete,
  decodeDeletePayload,
  decodeDeleteVectors,
  decodeOperation,
  decodePayloadChange,
  decodeUpdateVectors,
  decodeUpsert,
  decodeWrite,
  type OperationMessage,
  type PayloadMessage,
  type WriteMessage,
} from './decode-updates.ts';
import { LentMessage } from './lent-message.ts';
import type { GrpcOptions } from './options.ts';
import { checkedName, collectionName, inGrpcWords } from './validate.ts';

interface UpdateBatchMessage extends WriteMessage {
  readonly operations?: readonly OperationMessage[];
}

export function updateHandlers(api: Api, options: GrpcOptions): Record<string, UnaryHandler> {
  const { env } = options;

  /** A call that is one update. */
  function one<M>(
    decode: (message: M, problems: Problems) => PointsUpdate,
  ): (message: (M & WriteMessage) | LentMessage, call: RpcCall) => Promise<object> {
    return async (message, call) => {
      const startedAtMs = env.now();
      const isLent = message instanceof LentMessage;
      const context = writeContextOf(call, isLent ? message.head : message, options);
      const { name, update } = isLent ? message.write() : decodeWrite<M>(message, decode);
      const [result] = await api.update(name, [update], context);
      return { result: resultMessage(result!), time: (env.now() - startedAtMs) / 1_000 };
    };
  }

  return {
    Upsert: one(decodeUpsert),
    Delete: one(decodeDelete),
    UpdateVectors: one(decodeUpdateVectors),
    DeleteVectors: one(decodeDeleteVectors),
    SetPayload: one((message: PayloadMessage, problems) =>
      decodePayloadChange('set_payload', message, problems),
    ),
    OverwritePayload: one((message: PayloadMessage, problems) =>
      decodePayloadChange('overwrite_payload', message, problems),
    ),
    DeletePayload: one(decodeDeletePayload),
    ClearPayload: one(decodeClearPayload),

    UpdateBatch: async (message: UpdateBatchMessage, call: RpcCall) => {
      const startedAtMs = env.now();
      const context = writeContextOf(call, message, options);
      const problems = new Problems();
      const name = collectionName(message, '', problems);
      const operations = message.operations ?? [];
      if (operations.length === 0)
        problems.add('operations', 'value [] invalid, must be at least 1 characters');
      const updates = operations.map((operation) => decodeOperation(operation, problems));
      problems.check();
      const results = await api.update(name, updates, context);
      return { result: results.map(resultMessage), time: (env.now() - startedAtMs) / 1_000 };
    },

    CreateFieldIndex: async (message: CreateFieldIndexMessage & WriteMessage, call: RpcCall) => {
      const startedAtMs = env.now();
      const context = writeContextOf(call, message, options);
      const name = checkedName(message);
      const body = { field_name: message.field_name ?? '', field_schema: fieldSchemaJson(message) };
      const { field, schema } = inGrpcWords(() => decodeCreateIndex(body));
      const result = await api.createPayloadIndex(name, field, schema, context);
      return { result: resultMessage(result), time: (env.now() - startedAtMs) / 1_000 };
    },

    DeleteFieldIndex: async (message: WriteMessage & { readonly field_name?: string }, call: RpcCall) => {
      const startedAtMs = env.now();
      const context = writeContextOf(call, message, options);
      const result = await api.deletePayloadIndex(
        checkedName(message),
        decodeKey(message.field_name),
        context,
      );
      return { result: resultMessage(result), time: (env.now() - startedAtMs) / 1_000 };
    },
  };
}

const acknowledged = 1;
const completed = 2;

function resultMessage(result: UpdateResult): object {
  return {
    operation_id: result.operationId,
    status: result.status === 'completed' ? completed : acknowledged,
  };
}
