/** Creation and change of collections, payload indexes and aliases, out of JSON. */
import { ClusterError, type PayloadFieldSchema, type VectorParams } from '@quiver/model';
import type { AliasAction } from '@quiver/rpc';
import type { CreateCollection, UpdateCollection } from '../../api.ts';
import {
  hnswConfig,
  memory,
  metadata,
  optimizersConfig,
  quantizationConfig,
  quantizationDiff,
  sparseVectors,
  strictModeConfig,
  vectorsConfig,
  vectorsDiff,
  walConfig,
} from './collection-schema.ts';
import {
  fieldOf,
  fieldsOf,
  isFields,
  isSaid,
  malformed,
  missingField,
  Problems,
  requiredList,
} from './fields.ts';
import { fieldSchema } from './field-schema.ts';
import { decodeKey } from './filter.ts';
import { boolean, integer, struct, text, variant, type Reader } from './schema.ts';

/** The newer way to say `on_disk_payload`: only cold payloads stay on disk. */
interface PayloadStorage {
  readonly payload?: { readonly memory?: VectorParams['memory'] };
}

const payload = struct<NonNullable<PayloadStorage['payload']>>('PayloadStorageParams', {
  memory: (value, path, problems) => {
    const placement = memory(value, path, problems);
    if (placement === 'pinned')
      problems.add(path, '`pinned` memory placement is not supported for payload storage');
    return placement;
  },
});

const createCollection = struct<CreateCollection & PayloadStorage>('CreateCollection', {
  vectors: vectorsConfig,
  shard_number: integer({ min: 1, type: 'u32' }),
  sharding_method: variant('auto', 'custom'),
  replication_factor: integer({ min: 1, type: 'u32' }),
  write_consistency_factor: integer({ min: 1, type: 'u32' }),
  on_disk_payload: boolean,
  payload,
  hnsw_config: hnswConfig,
  wal_config: walConfig,
  optimizers_config: optimizersConfig,
  quantization_config: quantizationConfig,
  sparse_vectors: sparseVectors,
  strict_mode_config: strictModeConfig,
  metadata,
});

const collectionParams = struct<NonNullable<UpdateCollection['params']> & PayloadStorage>(
  'CollectionParamsDiff',
  {
    replication_factor: integer({ min: 1, type: 'u32' }),
    write_consistency_factor: integer({ min: 1, type: 'u32' }),
    read_fan_out_factor: integer({ type: 'u32' }),
    read_fan_out_delay_ms: integer(),
    on_disk_payload: boolean,
    payload,
  },
);

const updateCollection = struct<UpdateCollection>('UpdateCollection', {
  vectors: vectorsDiff,
  optimizers_config: optimizersConfig,
  params: (value, path, problems) => withPayload(collectionParams(value, path, problems)),
  hnsw_config: hnswConfig,
  quantization_config: quantizationDiff,
  sparse_vectors: sparseVectors,
  strict_mode_config: strictModeConfig,
  metadata,
});

export function decodeCreateCollection(doc: unknown): CreateCollection {
  return withPayload(checked(createCollection, doc));
}

export function decodeUpdateCollection(doc: unknown): UpdateCollection {
  return checked(updateCollection, doc);
}

function withPayload<T extends PayloadStorage>({ payload: storage, ...rest }: T): Omit<T, 'payload'> {
  return storage?.memory === undefined ? rest : { ...rest, on_disk_payload: storage.memory === 'cold' };
}

function checked<T>(reader: Reader<T>, doc: unknown): T {
  const problems = new Problems();
  const result = reader(doc, '', problems);
  problems.check();
  return result;
}

export function decodeCreateIndex(doc: unknown): { field: string; schema: PayloadFieldSchema } {
  const fields = fieldsOf(doc, 'struct CreateFieldIndex');
  const name = fieldOf(fields, 'field_name');
  if (name === undefined) throw missingField('field_name');
  const field = decodeKey(name);
  const problems = new Problems();
  const schema = fieldOf(fields, 'field_schema') ?? fieldOf(fields, 'field_type');
  if (!isSaid(schema))
    throw new ClusterError(
      'bad_request',
      "Can't auto-detect field type, please specify `field_schema` in the request",
    );
  const decoded = fieldSchema(schema, 'field_schema', problems);
  problems.check();
  return { field, schema: decoded };
}

export function decodeAliasActions(doc: unknown): AliasAction[] {
  return requiredList(fieldsOf(doc, 'struct ChangeAliasesOperation'), 'actions').map(decodeAliasAction);
}

const createAlias = struct<{ collection_name: string; alias_name: string }>(
  'CreateAlias',
  { collection_name: text, alias_name: text },
  ['collection_name', 'alias_name'],
);
const deleteAlias = struct<{ alias_name: string }>('DeleteAlias', { alias_name: text }, ['alias_name']);
const renameAlias = struct<{ old_alias_name: string; new_alias_name: string }>(
  'RenameAlias',
  { old_alias_name: text, new_alias_name: text },
  ['old_alias_name', 'new_alias_name'],
);

function decodeAliasAction(value: unknown): AliasAction {
  try {
    const problems = new Problems();
    const fields = isFields(value) ? value : {};
    if (isSaid(fieldOf(fields, 'create_alias'))) {
      const { collection_name: collection, alias_name: alias } = createAlias(
        fieldOf(fields, 'create_alias'),
        '',
        problems,
      );
      return { kind: 'create', collection, alias };
    }
    if (isSaid(fieldOf(fields, 'delete_alias')))
      return { kind: 'delete', alias: deleteAlias(fieldOf(fields, 'delete_alias'), '', problems).alias_name };
    if (isSaid(fieldOf(fields, 'rename_alias'))) {
      const names = renameAlias(fieldOf(fields, 'rename_alias'), '', problems);
      return { kind: 'rename', from: names.old_alias_name, to: names.new_alias_name };
    }
  } catch (error) {
    const inner = error instanceof Error ? error.message.replace(/^Format error in JSON body: /, '') : '';
    throw malformed(`data did not match any variant of untagged enum AliasOperations (${inner})`);
  }
  throw malformed('data did not match any variant of untagged enum AliasOperations');
}
