/** Use cases of payload indexes: they are metadata; the shard builds and drops the columns that follow from it. */
import { ClusterError, type PayloadFieldSchema } from '@quiver/model';
import type { Api, UpdateResult, WriteContext } from './api.ts';
import { requireFullAccess } from './access.ts';
import type { UseCaseOptions } from './create-api.ts';
import { limitOf } from './strict-mode.ts';

export function payloadIndexUseCases(
  options: UseCaseOptions,
): Pick<Api, 'createPayloadIndex' | 'deletePayloadIndex'> {
  const { collections, meta } = options;
  /** The number of a change of the metadata is its revision. */
  const result = (context: WriteContext): UpdateResult => ({
    operationId: meta.catalogue().revision,
    status: context.wait ? 'completed' : 'acknowledged',
  });
  return {
    async createPayloadIndex(name, field, schema, context) {
      const record = await collections.find(name, context);
      requireFullAccess(context);
      checkSchema(schema);
      const max = limitOf(record, 'max_payload_index_count');
      const count = Object.keys(record.payloadSchema).length;
      if (max !== null && count >= max && !Object.hasOwn(record.payloadSchema, field)) {
        const text = `Collection already has the maximum number of payload indices (${max})`;
        const help = 'Please delete an existing index before creating a new one.';
        throw new ClusterError('bad_request', `${text}. Help: ${help}`);
      }
      const { name: collection, uuid } = record;
      const command = { kind: 'create_payload_index', name: collection, uuid, field, schema } as const;
      await meta.propose(command, { deadlineMs: context.deadlineMs });
      return result(context);
    },
    async deletePayloadIndex(name, field, context) {
      const record = await collections.find(name, context);
      requireFullAccess(context);
      const command = { kind: 'delete_payload_index', name: record.name, uuid: record.uuid, field } as const;
      await meta.propose(command, { deadlineMs: context.deadlineMs });
      return result(context);
    },
  };
}

function checkSchema(schema: PayloadFieldSchema): void {
  const params = schema.params;
  if (schema.data_type !== 'integer' || params === null) return;
  if (params.lookup === false && params.range === false) {
    const text =
      "field_schema.lookup: Validation error: the 'lookup' and 'range' capabilities can't be both disabled [{}]";
    throw new ClusterError('validation', `Validation error in JSON body: [${text}]`);
  }
}
