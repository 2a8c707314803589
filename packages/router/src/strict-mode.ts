/**
 * The limits a collection's owner set (`strict_mode_config`), in Qdrant's words. Absent limits and a collection
 * without `enabled: true` refuse nothing. Checked here: sizes of requests and filters, search parameters, indexes that
 * filters need. Limits over time (rates) and over stored amounts are not checked by this version.
 */
import {
  ClusterError,
  parseUuid,
  type CollectionRecord,
  type Condition,
  type Filter,
  type PayloadSchemaType,
  type SearchParams,
} from '@quiver/model';

type NumberLimit =
  | 'max_query_limit'
  | 'search_max_hnsw_ef'
  | 'search_max_oversampling'
  | 'upsert_max_batchsize'
  | 'search_max_batchsize'
  | 'filter_max_conditions'
  | 'condition_max_size'
  | 'max_payload_index_count';

/** The limit in force, or null. */
export function limitOf(record: CollectionRecord, key: NumberLimit): number | null {
  const config = record.config.strict_mode_config;
  if (config?.['enabled'] !== true) return null;
  const value = config[key];
  return typeof value === 'number' ? value : null;
}

/** Whether the owner set a permission to false. */
export function forbids(record: CollectionRecord, key: string): boolean {
  const config = record.config.strict_mode_config;
  return config?.['enabled'] === true && config[key] === false;
}

function refuse(text: string, help: string): never {
  throw new ClusterError('bad_request', `${text}. Help: ${help}`);
}

/** @param name - how Qdrant calls the parameter: "limit", "hnsw_ef", "upsert limit" */
export function checkLimit(record: CollectionRecord, key: NumberLimit, name: string, value: number): void {
  const max = limitOf(record, key);
  if (max !== null && value > max)
    refuse(
      `Limit exceeded ${value} > ${max} for "${name}"`,
      `Reduce the "${name}" parameter to or below ${max}.`,
    );
}

export function checkSearchParams(record: CollectionRecord, params: SearchParams): void {
  if (params.hnswEf !== null) checkLimit(record, 'search_max_hnsw_ef', 'hnsw_ef', params.hnswEf);
  if (params.exact && forbids(record, 'search_allow_exact'))
    refuse('Exact search disabled!', 'Set exact=false.');
  const oversampling = params.quantization?.oversampling ?? null;
  if (oversampling !== null) checkLimit(record, 'search_max_oversampling', 'oversampling', oversampling);
}

/** Size, and indexes, of a filter that selects points to read or to change. */
export function checkFilter(
  record: CollectionRecord,
  filter: Filter | null,
  purpose: 'read' | 'update',
): void {
  if (filter === null || record.config.strict_mode_config?.['enabled'] !== true) return;
  const key = purpose === 'read' ? 'unindexed_filtering_retrieve' : 'unindexed_filtering_update';
  const indexRequired = forbids(record, key);
  const sizeMax = limitOf(record, 'condition_max_size');
  let count = 0;
  for (const [condition, prefix] of conditionsOf(filter, '')) {
    count += 1;
    const size = sizeOf(condition);
    if (sizeMax !== null && size > sizeMax)
      refuse(`Condition size limit reached (${size} > ${sizeMax})`, 'Reduce the size of your condition.');
    if (indexRequired) checkIndexed(record, condition, prefix);
  }
  const countMax = limitOf(record, 'filter_max_conditions');
  if (countMax !== null && count > countMax) {
    const help = 'Reduce the amount of conditions of your filter.';
    refuse(`Filter condition limit reached (${count} > ${countMax})`, help);
  }
}

/** Every leaf condition with the path its key is relative to. */
function* conditionsOf(filter: Filter, prefix: string): Generator<[Condition, string]> {
  const all = [...filter.must, ...filter.should, ...filter.mustNot, ...(filter.minShould?.conditions ?? [])];
  for (const condition of all) {
    if (condition.kind === 'filter') yield* conditionsOf(condition.filter, prefix);
    else if (condition.kind === 'nested') {
      const key = condition.key.endsWith('[]') ? condition.key : `${condition.key}[]`;
      yield* conditionsOf(condition.filter, `${prefix}${key}.`);
    } else yield [condition, prefix];
  }
}

function sizeOf(condition: Condition): number {
  switch (condition.kind) {
    case 'has_id':
      return condition.ids.length;
    case 'match_any':
      return condition.any.length;
    case 'match_except':
      return condition.except.length;
    default:
      return 0;
  }
}

function checkIndexed(record: CollectionRecord, condition: Condition, prefix: string): void {
  const types = indexTypesFor(condition);
  if (types.length === 0 || !('key' in condition)) return;
  const key = prefix + condition.key;
  const schema = Object.hasOwn(record.payloadSchema, key) ? record.payloadSchema[key] : undefined;
  const serves =
    schema !== undefined &&
    types.includes(schema.data_type) &&
    !(schema.params?.lookup === false && condition.kind.startsWith('match')) &&
    !(schema.params?.range === false && condition.kind === 'range') &&
    !(condition.kind === 'match_prefix' && schema.params?.prefix !== true);
  if (serves) return;
  const text = `Index required but not found for "${key}" of one of the following types: [${types.join(', ')}]`;
  refuse(text, 'Create an index for this key or use a different filter.');
}

/** The index types that can answer a condition; none when every condition of its kind is cheap. */
function indexTypesFor(condition: Condition): PayloadSchemaType[] {
  switch (condition.kind) {
    case 'match':
      return typesOfValue(condition.value);
    case 'match_any':
      return typesOfValue(condition.any[0] ?? '');
    case 'match_except':
      return typesOfValue(condition.except[0] ?? '');
    case 'match_text':
    case 'match_text_any':
    case 'match_phrase':
      return ['text'];
    case 'match_prefix':
      return ['keyword'];
    case 'range':
      return ['float', 'integer'];
    case 'datetime_range':
      return ['datetime'];
    case 'geo_bounding_box':
    case 'geo_radius':
    case 'geo_polygon':
      return ['geo'];
    default:
      return [];
  }
}

function typesOfValue(value: string | number | bigint | boolean): PayloadSchemaType[] {
  if (typeof value === 'boolean') return ['bool'];
  if (typeof value !== 'string') return ['integer'];
  return parseUuid(value) === null ? ['keyword'] : ['keyword', 'uuid'];
}
