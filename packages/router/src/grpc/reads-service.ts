/** The calls of `qdrant.Points` that read. */
import type { AddressedQuery, FacetHit } from '@quiver/model';
import {
  countOf,
  decodeFilter,
  decodeId,
  decodeIds,
  decodeKey,
  decodeOrderBy,
  decodePayloadSelector,
  decodeQueryPoints,
  decodeSearchPoints,
  decodeVectorSelector,
  encodeRetrievedPoints,
  encodeScoredBatches,
  encodeScoredPoints,
  encodeScrollPage,
  Problems,
  decodeShardKeys,
  type FilterMessage,
  type OrderByMessage,
  type PointIdMessage,
  type QueryPointsMessage,
  type RpcCall,
  type SearchPointsMessage,
  type ShardKeyMessage,
  type UnaryHandler,
  type WithPayloadMessage,
  type WithVectorsMessage,
} from '@quiver/rpc';
import type { Api } from '../api.ts';
import { targetRecallMetadata, targetRecallOfMetadata, withTargetRecall } from '../target-recall.ts';
import {
  readContextOf,
  reportExplanations,
  reportMissingShards,
  type ReadMessage as TimedRead,
} from './call.ts';
import type { GrpcOptions } from './options.ts';
import { collectionName } from './validate.ts';

interface ReadMessage extends TimedRead {
  readonly collection_name?: string;
  readonly shard_key_selector?: ShardKeyMessage;
}
interface GetMessage extends ReadMessage {
  readonly ids?: readonly PointIdMessage[];
  readonly with_payload?: WithPayloadMessage;
  readonly with_vectors?: WithVectorsMessage;
}
interface ScrollMessage extends ReadMessage {
  readonly filter?: FilterMessage;
  readonly offset?: PointIdMessage;
  readonly limit?: number;
  readonly with_payload?: WithPayloadMessage;
  readonly with_vectors?: WithVectorsMessage;
  readonly order_by?: OrderByMessage;
}
interface CountMessage extends ReadMessage {
  readonly filter?: FilterMessage;
  readonly exact?: boolean;
}
interface FacetMessage extends CountMessage {
  readonly key?: string;
  readonly limit?: number | bigint;
}
interface QueryBatchMessage extends ReadMessage {
  readonly query_points?: readonly QueryPointsMessage[];
}
interface SearchBatchMessage extends ReadMessage {
  readonly search_points?: readonly SearchPointsMessage[];
}

const scrollLimitDefault = 10;
const facetLimitDefault = 10;

export function readHandlers(api: Api, options: GrpcOptions): Record<string, UnaryHandler> {
  const { env } = options;
  const secondsSince = (startedAtMs: number): number => (env.now() - startedAtMs) / 1_000;

  function single<M extends ReadMessage>(
    decode: (message: M, path: string, problems: Problems) => AddressedQuery,
  ): (message: M, call: RpcCall) => Promise<object> {
    return async (message, call) => {
      const startedAtMs = env.now();
      const context = readContextOf(call, message, options);
      const problems = new Problems();
      const name = collectionName(message, '', problems);
      const target = targetRecallOfMetadata(call.metadata(targetRecallMetadata));
      const request = withTargetRecall(decode(message, '', problems), target);
      problems.check();
      const [points] = await api.query(name, [request], context);
      reportMissingShards(call, context);
      reportExplanations(call, context);
      return encodeScoredPoints(points ?? [], secondsSince(startedAtMs));
    };
  }

  async function batch<M extends ReadMessage>(
    message: ReadMessage,
    call: RpcCall,
    requests: readonly M[],
    path: string,
    decode: (message: M, path: string, problems: Problems) => AddressedQuery,
  ): Promise<Buffer> {
    const startedAtMs = env.now();
    const context = readContextOf(call, message, options);
    const problems = new Problems();
    const name = collectionName(message, '', problems);
    const target = targetRecallOfMetadata(call.metadata(targetRecallMetadata));
    const decoded = requests.map((request, i) => {
      const at = `${path}[${i}].`;
      collectionName(request, at, problems);
      return withTargetRecall(decode(request, at, problems), target);
    });
    problems.check();
    if (decoded.length === 0) return encodeScoredBatches([], secondsSince(startedAtMs));
    const answers = await api.query(name, decoded, context);
    reportMissingShards(call, context);
    reportExplanations(call, context);
    return encodeScoredBatches(answers, secondsSince(startedAtMs));
  }

  return {
    Query: single(decodeQueryPoints),
    Search: single(decodeSearchPoints),
    QueryBatch: (message: QueryBatchMessage, call: RpcCall) =>
      batch(message, call, message.query_points ?? [], 'query_points', decodeQueryPoints),
    SearchBatch: (message: SearchBatchMessage, call: RpcCall) =>
      batch(message, call, message.search_points ?? [], 'search_points', decodeSearchPoints),

    Get: async (message: GetMessage, call: RpcCall) => {
      const startedAtMs = env.now();
      const context = readContextOf(call, message, options);
      const problems = new Problems();
      const name = collectionName(message, '', problems);
      problems.check();
      const request = {
        ...decodeShardKeys(message.shard_key_selector),
        ids: decodeIds(message.ids),
        withPayload: decodePayloadSelector(message.with_payload, 'none'),
        withVector: decodeVectorSelector(message.with_vectors),
      };
      const points = await api.retrieve(name, request, context);
      reportMissingShards(call, context);
      return encodeRetrievedPoints(points, secondsSince(startedAtMs));
    },

    Scroll: async (message: ScrollMessage, call: RpcCall) => {
      const startedAtMs = env.now();
      const context = readContextOf(call, message, options);
      const problems = new Problems();
      const name = collectionName(message, '', problems);
      problems.checkMin(message.limit, 1, 'limit');
      const request = {
        ...decodeShardKeys(message.shard_key_selector),
        filter: decodeFilter(message.filter, 'filter', problems),
        limit: message.limit ?? scrollLimitDefault,
        offset: message.offset === undefined ? null : decodeId(message.offset),
        orderBy: message.order_by === undefined ? null : decodeOrderBy(message.order_by),
        withPayload: decodePayloadSelector(message.with_payload, 'all'),
        withVector: decodeVectorSelector(message.with_vectors),
      };
      problems.check();
      const { points, nextOffset } = await api.scroll(name, request, context);
      reportMissingShards(call, context);
      return encodeScrollPage(points, nextOffset, secondsSince(startedAtMs));
    },

    Count: async (message: CountMessage, call: RpcCall) => {
      const startedAtMs = env.now();
      const context = readContextOf(call, message, options);
      const problems = new Problems();
      const name = collectionName(message, '', problems);
      const filter = decodeFilter(message.filter, 'filter', problems);
      problems.check();
      const keys = decodeShardKeys(message.shard_key_selector);
      const request = { ...keys, filter, exact: message.exact ?? true };
      const count = await api.count(name, request, context);
      reportMissingShards(call, context);
      return { result: { count }, time: secondsSince(startedAtMs) };
    },

    Facet: async (message: FacetMessage, call: RpcCall) => {
      const startedAtMs = env.now();
      const context = readContextOf(call, message, options);
      const problems = new Problems();
      const name = collectionName(message, '', problems);
      const filter = decodeFilter(message.filter, 'filter', problems);
      problems.check();
      const request = {
        ...decodeShardKeys(message.shard_key_selector),
        key: decodeKey(message.key),
        limit: countOf(message.limit ?? facetLimitDefault),
        filter,
        exact: message.exact ?? false,
      };
      const hits = await api.facet(name, request, context);
      reportMissingShards(call, context);
      return { hits: hits.map(facetMessage), time: secondsSince(startedAtMs) };
    },
  };
}

function facetMessage({ value, count }: FacetHit): object {
  if (typeof value === 'string') return { value: { string_value: value }, count };
  return { value: typeof value === 'boolean' ? { bool_value: value } : { integer_value: value }, count };
}
