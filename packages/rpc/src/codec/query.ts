/** Universal queries and legacy searches. */
import {
  defaultSearchParams,
  type Query,
  type AddressedQuery,
  type SearchParams,
  type Vector,
  type VectorInput,
} from '@quiver/model';
import { decodeFilter, type FilterMessage } from './filter.ts';
import { decodeId, type PointIdMessage } from './point-id.ts';
import { countOf, malformed, notSupported, type Problems } from './problems.ts';
import {
  decodeOrderBy,
  decodePayloadSelector,
  decodeVectorSelector,
  decodeShardKeys,
  type OrderByMessage,
  type ShardKeyMessage,
  type WithPayloadMessage,
  type WithVectorsMessage,
} from './selectors.ts';
import {
  decodeMulti,
  decodeSparse,
  refuseInference,
  type DenseMessage,
  type MultiMessage,
  type SparseMessage,
} from './vector.ts';

interface SearchFields {
  readonly collection_name?: string;
  readonly filter?: FilterMessage;
  readonly params?: SearchParamsMessage;
  readonly score_threshold?: number;
  readonly limit?: number | bigint;
  readonly offset?: number | bigint;
  readonly with_payload?: WithPayloadMessage;
  readonly with_vectors?: WithVectorsMessage;
  readonly shard_key_selector?: ShardKeyMessage;
  readonly timeout?: number | bigint;
}
export interface QueryPointsMessage extends SearchFields {
  readonly prefetch?: readonly object[];
  readonly query?: QueryMessage;
  readonly using?: string;
  readonly lookup_from?: {
    readonly collection_name?: string;
    readonly vector_name?: string;
    readonly shard_key_selector?: ShardKeyMessage;
  };
}
export interface SearchPointsMessage extends SearchFields {
  readonly vector?: Float32Array;
  readonly vector_name?: string;
  readonly sparse_indices?: { readonly data?: Uint32Array };
}
interface SearchParamsMessage {
  readonly hnsw_ef?: number | bigint;
  readonly exact?: boolean;
  readonly quantization?: {
    readonly ignore?: boolean;
    readonly rescore?: boolean;
    readonly oversampling?: number;
  };
  readonly indexed_only?: boolean;
  readonly acorn?: { readonly enable?: boolean; readonly max_selectivity?: number };
  readonly idf?: { readonly corpus?: FilterMessage };
}
interface QueryMessage {
  readonly nearest?: VectorInputMessage;
  readonly order_by?: OrderByMessage;
  readonly sample?: number;
  readonly nearest_with_mmr?: object;
  readonly recommend?: object;
  readonly discover?: object;
  readonly context?: object;
  readonly fusion?: number;
  readonly formula?: object;
  readonly rrf?: object;
  readonly relevance_feedback?: object;
}
interface VectorInputMessage {
  readonly id?: PointIdMessage;
  readonly dense?: DenseMessage;
  readonly sparse?: SparseMessage;
  readonly multi_dense?: MultiMessage;
  readonly document?: object;
  readonly image?: object;
  readonly object?: object;
}

const limitDefault = 10;
/** Kinds of the universal query that this version does not rank by. */
const laterKinds = [
  'recommend',
  'discover',
  'context',
  'fusion',
  'rrf',
  'formula',
  'relevance_feedback',
] as const;

/** @param path - '' or "query_points[0]." */
export function decodeQueryPoints(
  message: QueryPointsMessage,
  path: string,
  problems: Problems,
): AddressedQuery {
  if (message.prefetch !== undefined) throw notSupported('prefetch');
  const lookup = message.lookup_from;
  problems.checkMin(message.limit, 1, `${path}limit`);
  return {
    query: message.query === undefined ? null : decodeQueryKind(message.query, path, problems),
    using: message.using ?? '',
    ...decodeSearchFields(message, path, problems),
    limit: countOf(message.limit ?? limitDefault),
    lookupFrom:
      lookup === undefined
        ? null
        : {
            ...decodeShardKeys(lookup.shard_key_selector),
            collection: lookup.collection_name ?? '',
            vector: lookup.vector_name ?? null,
          },
  };
}

/** @param path - '' or "search_points[0]." */
export function decodeSearchPoints(
  message: SearchPointsMessage,
  path: string,
  problems: Problems,
): AddressedQuery {
  const { vector: values = new Float32Array(0), sparse_indices: sparse, limit = 0 } = message;
  problems.checkMin(limit, 1, `${path}limit`);
  const vector: Vector =
    sparse === undefined
      ? { kind: 'dense', values }
      : decodeSparse({ values, indices: sparse.data ?? new Uint32Array(0) }, `${path}vector`, problems);
  return {
    query: { kind: 'nearest', input: { kind: 'vector', vector } },
    using: message.vector_name ?? '',
    ...decodeSearchFields(message, path, problems),
    limit: countOf(limit),
    lookupFrom: null,
  };
}

function decodeSearchFields(
  message: SearchFields,
  path: string,
  problems: Problems,
): Pick<
  AddressedQuery,
  'shardKeys' | 'filter' | 'params' | 'offset' | 'scoreThreshold' | 'withPayload' | 'withVector'
> {
  return {
    ...decodeShardKeys(message.shard_key_selector),
    filter: decodeFilter(message.filter, `${path}filter`, problems),
    params:
      message.params === undefined
        ? defaultSearchParams
        : decodeParams(message.params, `${path}params`, problems),
    offset: countOf(message.offset ?? 0),
    scoreThreshold: message.score_threshold ?? null,
    withPayload: decodePayloadSelector(message.with_payload, 'none'),
    withVector: decodeVectorSelector(message.with_vectors),
  };
}

function decodeQueryKind(message: QueryMessage, path: string, problems: Problems): Query {
  if (message.nearest !== undefined)
    return { kind: 'nearest', input: decodeInput(message.nearest, `${path}query.variant.variant`, problems) };
  if (message.order_by !== undefined) return { kind: 'order_by', orderBy: decodeOrderBy(message.order_by) };
  if (message.sample !== undefined) {
    if (message.sample !== 0) throw malformed(`invalid sample type value ${message.sample}`);
    return { kind: 'sample' };
  }
  if (message.nearest_with_mmr !== undefined) throw notSupported('Query kind `mmr`');
  const later = laterKinds.find((kind) => message[kind] !== undefined);
  if (later !== undefined) throw notSupported(`Query kind \`${later}\``);
  throw malformed('Query variant is missing');
}

function decodeInput(message: VectorInputMessage, path: string, problems: Problems): VectorInput {
  refuseInference(message);
  if (message.id !== undefined) return { kind: 'id', id: decodeId(message.id) };
  if (message.dense !== undefined) {
    const values = message.dense.data ?? new Float32Array(0);
    return { kind: 'vector', vector: { kind: 'dense', values } };
  }
  if (message.sparse !== undefined)
    return { kind: 'vector', vector: decodeSparse(message.sparse, path, problems) };
  if (message.multi_dense !== undefined)
    return { kind: 'vector', vector: decodeMulti(message.multi_dense, path, problems) };
  throw malformed('VectorInput variant is missing');
}

function decodeParams(message: SearchParamsMessage, path: string, problems: Problems): SearchParams {
  const { quantization, acorn, hnsw_ef: hnswEf } = message;
  if (message.idf?.corpus !== undefined) throw notSupported('params.idf.corpus');
  problems.checkMin(hnswEf, 1, `${path}.hnsw_ef`);
  const oversampling = quantization?.oversampling;
  if (oversampling !== undefined && !(oversampling >= 1))
    problems.add(
      `${path}.quantization.oversampling`,
      `value ${decimal(oversampling)} invalid, must be 1.0 or larger`,
    );
  const selectivity = acorn?.max_selectivity;
  if (selectivity !== undefined && !(selectivity >= 0 && selectivity <= 1))
    problems.add(
      `${path}.acorn.max_selectivity`,
      `value ${decimal(selectivity)} invalid, must be from 0.0 to 1.0`,
    );
  return {
    hnswEf: hnswEf === undefined ? null : countOf(hnswEf),
    exact: message.exact ?? false,
    indexedOnly: message.indexed_only ?? false,
    quantization:
      quantization === undefined
        ? null
        : {
            ignore: quantization.ignore ?? false,
            rescore: quantization.rescore ?? null,
            oversampling: oversampling ?? null,
          },
    acorn:
      acorn === undefined ? null : { enable: acorn.enable ?? false, maxSelectivity: selectivity ?? null },
  };
}

/** As Rust prints a float: 1.0, not 1. */
function decimal(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
