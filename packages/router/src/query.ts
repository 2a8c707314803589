/** Use case: universal query. Checks against the collection, finds vectors that lie elsewhere, asks the shards. */
import {
  ClusterError,
  type CollectionRecord,
  type Filter,
  type PointId,
  type QueryRequest,
  type Vector,
} from '@quiver/model';
import type { ReadOptions } from '@quiver/rpc';
import type { Api } from './api.ts';
import { unknownVector } from './collection-config.ts';
import type { UseCaseOptions } from './create-api.ts';
import { checkOrderBy } from './order-by.ts';
import { readOptions } from './read-options.ts';
import { collectionOf, findCollection } from './resolve-name.ts';
import { checkFilter, checkLimit, checkSearchParams } from './strict-mode.ts';
import { checkedQueryVector, checkVectorSelector, vectorSpace } from './vector-check.ts';

export function queryUseCases(options: UseCaseOptions): Pick<Api, 'query'> {
  const { meta, reads } = options;

  /** The stored vector of a point, as a query. @throws ClusterError not_found */
  async function vectorOf(
    record: CollectionRecord,
    id: PointId,
    name: string,
    call: ReadOptions,
  ): Promise<Vector> {
    const request = {
      ids: [id],
      withPayload: { kind: 'none' },
      withVector: { kind: 'names', names: [name] },
    } as const;
    const [point] = await reads.retrieve(record, request, call);
    if (point === undefined) throw noPoint(id);
    const vector = point.vectors?.get(name);
    if (vector === undefined)
      throw new ClusterError('not_found', `Vector with name ${JSON.stringify(name)} for point not found`);
    return vector;
  }

  async function resolveInput(
    record: CollectionRecord,
    request: QueryRequest,
    call: ReadOptions,
  ): Promise<QueryRequest> {
    const query = request.query;
    if (query?.kind !== 'nearest') {
      if (query?.kind === 'order_by') checkOrderBy(record, query.orderBy);
      return request;
    }
    const { input } = query;
    if (input.kind === 'vector') {
      const vector = checkedQueryVector(record, request.using, input.vector);
      return { ...request, query: { kind: 'nearest', input: { kind: 'vector', vector } }, lookupFrom: null };
    }
    if (request.lookupFrom === null) {
      if (vectorSpace(record, request.using) === undefined)
        await refuseUnknownVector(record, request, input.id, call);
      // One shard finds the vector itself; of several, only one has it.
      if (record.shards.length === 1) return request;
      const own = await vectorOf(record, input.id, request.using, call);
      const filter = without(request.filter, input.id);
      return { ...request, query: { kind: 'nearest', input: { kind: 'vector', vector: own } }, filter };
    }
    const { collection, vector: lookupName } = request.lookupFrom;
    const other = findCollection(meta.catalogue(), collection);
    if (other === undefined) throw new ClusterError('not_found', `Collection ${collection} not found`);
    const name = lookupName ?? request.using;
    if (vectorSpace(other, name) === undefined) throw unknownVector(name);
    const found = await vectorOf(other, input.id, name, call);
    const vector = checkedQueryVector(record, request.using, found);
    return {
      ...request,
      query: { kind: 'nearest', input: { kind: 'vector', vector } },
      // A point looked up in the collection itself is not an answer to its own query.
      filter: other.uuid === record.uuid ? without(request.filter, input.id) : request.filter,
      lookupFrom: null,
    };
  }

  /** A missing point is reported before a missing vector name, as Qdrant does. */
  async function refuseUnknownVector(
    record: CollectionRecord,
    request: QueryRequest,
    id: PointId,
    call: ReadOptions,
  ): Promise<never> {
    const probe = { ids: [id], withPayload: { kind: 'none' }, withVector: { kind: 'none' } } as const;
    const found = await reads.retrieve(record, probe, call);
    throw found.length === 0 ? noPoint(id) : unknownVector(request.using);
  }

  return {
    async query(name, requests, context) {
      const record = collectionOf(meta.catalogue(), name);
      const call = readOptions(context);
      if (requests.length > 1)
        checkLimit(record, 'search_max_batchsize', 'search batch size', requests.length);
      const resolved: QueryRequest[] = [];
      for (const request of requests) {
        checkLimit(record, 'max_query_limit', 'limit', request.limit);
        checkSearchParams(record, request.params);
        checkFilter(record, request.filter, 'read');
        checkVectorSelector(record, request.withVector);
        resolved.push(await resolveInput(record, request, call));
      }
      return reads.query(record, resolved, call);
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
