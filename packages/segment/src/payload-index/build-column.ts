/** Payload columns of every type: built out of payloads, opened over bytes. */
import { ClusterError, parseJsonPath, type JsonPath, type PayloadFieldSchema } from '@quiver/model';
import type { Steps } from '../steps.ts';
import { columnKinds, openParts } from './column-bytes.ts';
import type { ColumnSource, PayloadColumn } from './column.ts';
import { buildGeoColumn, openGeoColumn } from './geo-column.ts';
import { buildNumberColumn, openNumberColumn } from './number-column.ts';
import { buildTermColumn, openTermColumn } from './term-column.ts';
import { buildTextColumn, openTextColumn } from './text-column.ts';

type Build = (path: JsonPath, schema: PayloadFieldSchema, source: ColumnSource) => Steps<Uint8Array>;

/**
 * The column's bytes (not shared memory), to be copied as they are to an 8-byte aligned place.
 * @throws ClusterError 'bad_request' for a key that is no path, 'insufficient_storage' beyond 4 GiB
 */
export function buildColumn(
  key: string,
  schema: PayloadFieldSchema,
  source: ColumnSource,
): Steps<Uint8Array> {
  const path = parseJsonPath(key);
  if (path === null) throw new ClusterError('bad_request', `"${key}" is not a payload path`);
  return builderOf(schema)(path, schema, source);
}

function builderOf(schema: PayloadFieldSchema): Build {
  switch (schema.data_type) {
    case 'keyword':
    case 'uuid':
    case 'bool':
      return buildTermColumn;
    case 'integer':
    case 'float':
    case 'datetime':
      return buildNumberColumn;
    case 'geo':
      return buildGeoColumn;
    case 'text':
      return buildTextColumn;
  }
}

/**
 * Views over what `buildColumn` made; cheap.
 * @throws ClusterError 'corruption' for other bytes
 */
export function openColumn(key: string, schema: PayloadFieldSchema, bytes: Uint8Array): PayloadColumn {
  const parts = openParts(bytes);
  switch (parts.kind) {
    case columnKinds.terms:
      return openTermColumn(key, schema, parts);
    case columnKinds.numbers:
      return openNumberColumn(key, schema, parts);
    case columnKinds.geo:
      return openGeoColumn(key, schema, parts);
    case columnKinds.text:
      return openTextColumn(key, schema, parts);
    default:
      throw new ClusterError('corruption', `a payload column of unknown kind ${parts.kind}`);
  }
}
