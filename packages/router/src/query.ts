/** Use case: universal query. Checks against the collection, finds vectors that lie elsewhere, asks the shards. */
import {
  assert,
  ClusterError,
  type AddressedQuery,
  type CollectionRecord,
  type Filter,
  type PointId,
  type QueryRequest,
  type ScoredPoint,
  type ShardExplanation,
  type Vector,
} from '@quiver/model';
import type { Api, RequestContext } from './api.ts';
import { unknownVector } from './collection-config.ts';
import type { UseCaseOptions } from './create-api.ts';
import { checkOrderBy } from './order-by.ts';
import { readOptions } from './read-options.ts';
import type { ReadScope } from './routed-reads.ts';
import { readScope } from './shard-keys.ts';
import { checkFilter, checkLimit, checkSearchParams } from './strict-mode.ts';
import { checkTargetRecall } from './target-recall.ts';
import { checkedQueryVector, checkVectorSelector, vectorSpace } from './vector-check.ts';

/** A query with everything in it that shards need. */
interface Resolved {
  readonly scope: ReadScope;
  readonly request: QueryRequest;
}

export function queryUseCases(options: UseCaseOptions): Pick<Api, 'query'> {
  const { collections, meta, reads } = options;

  /** The stored vector of a point, as a query. @throws ClusterError not_found */
  async function vectorOf(
    scope: ReadScope,
    id: PointId,
    name: string,
    context: RequestContext,
  ): Promise<Vector> {
    const request = {
      ids: [id],
      withPayload: { kind: 'none' },
      withVector: { kind: 'names', names: [name] },
    } as const;
    const routed = readOptions(context, scope.collection, meta.catalogue());
    const [point] = await reads.retrieve(scope, request, routed);
    if (point === undefined) throw noPoint(id);
    const vector = point.vectors?.get(name);
    if (vector === undefined)
      throw new ClusterError('not_found', `Vector with name ${JSON.stringify(name)} for point not found`);
    return vector;
  }

  /** Most queries bring their vector: nothing is waited for. */
  function resolve(
    record: CollectionRecord,
    asked: AddressedQuery,
    context: RequestContext,
  ): Resolved | Promise<Resolved> {
    const { query, using } = asked;
    return query?.kind === 'nearest' && query.input.kind === 'vector'
      ? nearestTo(record, asked, checkedQueryVector(record, using, query.input.vector), asked.filter)
      : resolveStored(record, asked, context);
  }

  async function resolveStored(
    record: CollectionRecord,
    asked: AddressedQuery,
    context: RequestContext,
  ): Promise<Resolved> {
    const { shardKeys, ...request } = asked;
    // A point used as a query may lie in any shard, whichever are searched.
    const everywhere = readScope(record, undefined);
    const query = request.query;
    if (query?.kind !== 'nearest') {
      if (query?.kind === 'order_by') checkOrderBy(record, query.orderBy);
      return { scope: readScope(record, shardKeys), request };
    }
    const { input } = query;
    assert(input.kind === 'id', 'a query with its vector was to be looked up');
    const near = (vector: Vector, filter: Filter | null): Resolved =>
      nearestTo(record, asked, vector, filter);
    if (request.lookupFrom === null) {
      if (vectorSpace(record, request.using) === undefined)
        await refuseUnknownVector(everywhere, request.using, input.id, context);
      // One shard finds the vector itself; of several, only one has it.
      if (record.shards.length === 1) return { scope: readScope(record, shardKeys), request };
      return near(
        await vectorOf(everywhere, input.id, request.using, context),
        without(request.filter, input.id),
      );
    }
    const { collection, vector: lookupName, shardKeys: lookupKeys } = request.lookupFrom;
    const other = await collections.look(collection, context);
    if (other === undefined) throw new ClusterError('not_found', `Collection ${collection} not found`);
    const name = lookupName ?? request.using;
    if (vectorSpace(other, name) === undefined) throw unknownVector(name);
    const found = await vectorOf(readScope(other, lookupKeys), input.id, name, context);
    // A point looked up in the collection itself is not an answer to its own query.
    const filter = other.uuid === record.uuid ? without(request.filter, input.id) : request.filter;
    return near(checkedQueryVector(record, request.using, found), filter);
  }

  /** A missing point is reported before a missing vector name, as Qdrant does. */
  async function refuseUnknownVector(
    scope: ReadScope,
    using: string,
    id: PointId,
    context: RequestContext,
  ): Promise<never> {
    const probe = { ids: [id], withPayload: { kind: 'none' }, withVector: { kind: 'none' } } as const;
    const routed = readOptions(context, scope.collection, meta.catalogue());
    const found = await reads.retrieve(scope, probe, routed);
    throw found.length === 0 ? noPoint(id) : unknownVector(using);
  }

  /** Queries for the same shards go together; most often that is all of them. */
  async function askTogether(
    record: CollectionRecord,
    resolved: readonly Resolved[],
    context: RequestContext,
  ): Promise<ScoredPoint[][]> {
    const routed = readOptions(context, record, meta.catalogue());
    const only = resolved.length === 1 && context.explanations === undefined ? resolved[0] : undefined;
    if (only !== undefined) return reads.query(only.scope, [only.request], routed);
    const groups = Map.groupBy(resolved, ({ scope }) => scope.shardIds.join());
    const answers = new Map<Resolved, ScoredPoint[]>();
    const explanations = new Map<Resolved, ShardExplanation[]>();
    await Promise.all(
      [...groups.values()].map(async (group) => {
        const requests = group.map(({ request }) => request);
        const { scope } = group[0]!;
        const lists = await reads.query(scope, requests, routed);
        for (const [i, one] of group.entries()) answers.set(one, lists[i]!);
        if (context.explanations === undefined) return;
        const explained = await reads.explain(scope, requests, routed);
        for (const [i, one] of group.entries()) explanations.set(one, explained[i]!);
      }),
    );
    if (context.explanations !== undefined)
      context.explanations.push(...resolved.map((one) => explanations.get(one)!));
    return resolved.map((one) => answers.get(one)!);
  }

  return {
    async query(name, requests, context) {
      const record = await collections.find(name, context);
      if (requests.length > 1)
        checkLimit(record, 'search_max_batchsize', 'search batch size', requests.length);
      const resolved: Resolved[] = [];
      for (const request of requests) {
        checkLimit(record, 'max_query_limit', 'limit', request.limit);
        checkSearchParams(record, request.params);
        checkTargetRecall(record, request.params);
        checkFilter(record, request.filter, 'read');
        checkVectorSelector(record, request.withVector);
        const one = resolve(record, request, context);
        resolved.push(one instanceof Promise ? await one : one);
      }
      return askTogether(record, resolved, context);
    },
  };
}

function nearestTo(
  record: CollectionRecord,
  asked: AddressedQuery,
  vector: Vector,
  filter: Filter | null,
): Resolved {
  return {
    scope: readScope(record, asked.shardKeys),
    request: {
      query: { kind: 'nearest', input: { kind: 'vector', vector } },
      using: asked.using,
      filter,
      params: asked.params,
      limit: asked.limit,
      offset: asked.offset,
      scoreThreshold: asked.scoreThreshold,
      withPayload: asked.withPayload,
      withVector: asked.withVector,
      lookupFrom: null,
    },
  };
}

function noPoint(id: PointId): ClusterError {
  return new ClusterError('not_found', `No point with id ${id} found`);
}

function without(filter: Filter | null, id: PointId): Filter {
  const excluded = { kind: 'has_id', ids: [id] } as const;
  const base = filter ?? { must: [], should: [], mustNot: [], minShould: null };
  return { ...base, mustNot: [...base.mustNot, excluded] };
}
