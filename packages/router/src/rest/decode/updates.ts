/** Changes of points out of JSON: one decoder per route, and `POST /points/batch` over all of them. */
import {
  ClusterError,
  parsePayload,
  parsePayloadText,
  stringifyJson,
  type Addressed,
  type JsonObject,
  type PointTarget,
} from '@quiver/model';
import type { PointsUpdate } from '../../api.ts';
import {
  fieldOf,
  fieldsOf,
  invalidBody,
  isFields,
  isSaid,
  listOf,
  malformed,
  missingField,
  Problems,
  requiredList,
  stringOf,
  variantOf,
  wrongType,
  type Fields,
} from './fields.ts';
import { decodeFilter, decodeFilterTree, decodeKey } from './filter.ts';
import { decodeBatch, decodePoints } from './point-batch.ts';
import { decodePointIds } from './point-id.ts';
import { decodeShardKeys } from './shard-key.ts';
import type { Marks } from './vector.ts';

export type DecodeUpdate = (doc: unknown, marks: Marks) => PointsUpdate;

const updateModes = ['upsert', 'insert_only', 'update_only'] as const;

export const decodeUpsert: DecodeUpdate = (doc, marks) => {
  const fields = isFields(doc) ? doc : {};
  const list = fieldOf(fields, 'points');
  const batch = fieldOf(fields, 'batch');
  if (list === undefined && batch === undefined) throw malformed('Invalid PointInsertOperations format');
  const problems = new Problems();
  const points =
    batch === undefined
      ? decodePoints(list, marks, 'points', problems, false)
      : decodeBatch(batch, marks, problems);
  const updateFilter = decodeFilter(fieldOf(fields, 'update_filter'), 'update_filter', problems);
  problems.check();
  const mode = fieldOf(fields, 'update_mode');
  return {
    ...decodeShardKeys(fields),
    kind: 'upsert',
    points,
    mode: isSaid(mode) ? variantOf(mode, updateModes) : 'upsert',
    updateFilter,
  };
};

export const decodeUpdateVectors: DecodeUpdate = (doc, marks) => {
  const fields = fieldsOf(doc, 'struct UpdateVectors');
  const list = fieldOf(fields, 'points');
  if (list === undefined) throw missingField('points');
  const problems = new Problems();
  const updateFilter = decodeFilter(fieldOf(fields, 'update_filter'), 'update_filter', problems);
  const points = decodePoints(list, marks, 'points', problems, true);
  return { ...decodeShardKeys(fields), kind: 'update_vectors', points, updateFilter };
};

export const decodeDelete: DecodeUpdate = (doc) => ({ kind: 'delete', ...decodeSelector(doc) });

export const decodeClearPayload: DecodeUpdate = (doc) => ({
  kind: 'clear_payload',
  ...decodeSelector(doc),
});

export const decodeSetPayload: DecodeUpdate = (doc, marks) => ({
  kind: 'set_payload',
  ...decodePayloadChange(doc, marks),
});

export const decodeOverwritePayload: DecodeUpdate = (doc, marks) => ({
  kind: 'overwrite_payload',
  ...decodePayloadChange(doc, marks),
});

export const decodeDeletePayload: DecodeUpdate = (doc) => {
  const fields = fieldsOf(doc, 'struct DeletePayload');
  const keys = requiredList(fields, 'keys').map(decodeKey);
  return { kind: 'delete_payload', ...decodeTarget(fields, eitherTarget), keys };
};

export const decodeDeleteVectors: DecodeUpdate = (doc) => {
  const fields = fieldsOf(doc, 'struct DeleteVectors');
  const list = fieldOf(fields, 'vector') ?? fieldOf(fields, 'vectors');
  if (list === undefined) throw missingField('vector');
  const names = listOf(list).map(stringOf);
  if (names.length === 0) throw invalidBody('vector: must specify vector names to delete');
  const noTarget = (): Error => new ClusterError('bad_request', 'No filter or points provided');
  return { kind: 'delete_vectors', ...decodeTarget(fields, noTarget), names };
};

const operations: Readonly<Record<string, DecodeUpdate>> = {
  upsert: decodeUpsert,
  delete: decodeDelete,
  set_payload: decodeSetPayload,
  overwrite_payload: decodeOverwritePayload,
  delete_payload: decodeDeletePayload,
  clear_payload: decodeClearPayload,
  update_vectors: decodeUpdateVectors,
  delete_vectors: decodeDeleteVectors,
};

export function decodeUpdateBatch(doc: unknown, marks: Marks): PointsUpdate[] {
  return requiredList(fieldsOf(doc, 'struct UpdateOperations'), 'operations').map((item) => {
    const kind = isFields(item) ? Object.keys(operations).find((key) => Object.hasOwn(item, key)) : undefined;
    if (kind === undefined)
      throw malformed(
        `data did not match any variant of untagged enum UpdateOperation (one of ${Object.keys(operations).join(', ')})`,
      );
    return operations[kind]!((item as Fields)[kind], marks);
  });
}

type AddressedTarget = Addressed & { readonly target: PointTarget };

/** `{points}` or `{filter}` as the whole body. */
function decodeSelector(doc: unknown): AddressedTarget {
  const noSelector = (): Error =>
    malformed('data did not match any variant of untagged enum PointsSelector (points or filter)');
  if (!isFields(doc)) throw noSelector();
  return decodeTarget(doc, noSelector);
}

function eitherTarget(): Error {
  return malformed('Either list of point ids or filter must be provided');
}

/** @param missing - the error when neither is given */
function decodeTarget(fields: Fields, missing: () => Error): AddressedTarget {
  const keys = decodeShardKeys(fields);
  const points = fieldOf(fields, 'points');
  const filter = fieldOf(fields, 'filter');
  if (isSaid(points)) return { ...keys, target: { kind: 'ids', ids: decodePointIds(points) } };
  if (!isSaid(filter)) throw missing();
  const problems = new Problems();
  const tree = decodeFilterTree(filter, 'filter', problems);
  problems.check();
  return { ...keys, target: { kind: 'filter', filter: tree } };
}

function decodePayloadChange(
  doc: unknown,
  marks: Marks,
): { payload: JsonObject; key: string | null } & AddressedTarget {
  const fields = fieldsOf(doc, 'struct SetPayload');
  const value = fieldOf(fields, 'payload');
  if (value === undefined) throw missingField('payload');
  const key = fieldOf(fields, 'key');
  return {
    payload: decodePayload(value, marks),
    key: isSaid(key) ? decodeKey(key) : null,
    ...decodeTarget(fields, eitherTarget),
  };
}

function decodePayload(value: unknown, marks: Marks): JsonObject {
  const cut = marks.payloadOf(value);
  if (cut !== null) return parsePayload(cut);
  if (!isFields(value)) throw wrongType(value, 'a map');
  return parsePayloadText(stringifyJson(value));
}
