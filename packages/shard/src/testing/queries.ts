/** Queries of tests: for the nearest of a vector, without payload, unless said otherwise. */
import { defaultSearchParams, type QueryRequest, type Vector } from '@quiver/model';

export function nearestTo(vector: Vector, more: Partial<QueryRequest> = {}): QueryRequest {
  return {
    query: { kind: 'nearest', input: { kind: 'vector', vector } },
    using: '',
    filter: null,
    params: defaultSearchParams,
    limit: 10,
    offset: 0,
    scoreThreshold: null,
    withPayload: { kind: 'none' },
    withVector: { kind: 'none' },
    lookupFrom: null,
    ...more,
  };
}
