/** Reads without ranking out of JSON: scroll, retrieve, count, facet. */
import type { CountRequest, FacetRequest, RetrieveRequest, ScrollRequest, Addressed } from '@quiver/model';
import {
  booleanOr,
  checkMin,
  fieldOf,
  fieldsOf,
  isSaid,
  missingField,
  optionalBoolean,
  optionalInteger,
  Problems,
} from './fields.ts';
import { decodeFilter, decodeKey } from './filter.ts';
import { decodeOrderBy } from './order-by.ts';
import { decodePointId, decodePointIds } from './point-id.ts';
import { decodePayloadSelector, decodeVectorSelector } from './selectors.ts';
import { decodeShardKeys } from './shard-key.ts';

const limitDefault = 10;

export function decodeScroll(doc: unknown): ScrollRequest & Addressed {
  const fields = fieldsOf(doc, 'struct ScrollRequest');
  const problems = new Problems();
  const limit = optionalInteger(fields, 'limit');
  checkMin(limit, 1, 'scroll_request.limit', problems);
  const offset = fieldOf(fields, 'offset');
  const orderBy = fieldOf(fields, 'order_by');
  const request = {
    ...decodeShardKeys(fields),
    filter: decodeFilter(fieldOf(fields, 'filter'), 'scroll_request.filter', problems),
    limit: limit ?? limitDefault,
    offset: isSaid(offset) ? decodePointId(offset) : null,
    orderBy: isSaid(orderBy) ? decodeOrderBy(orderBy) : null,
    withPayload: decodePayloadSelector(fields, true),
    withVector: decodeVectorSelector(fields, 'refused'),
  };
  problems.check();
  return request;
}

export function decodeRetrieve(doc: unknown): RetrieveRequest & Addressed {
  const fields = fieldsOf(doc, 'struct PointRequest');
  const ids = fieldOf(fields, 'ids');
  if (ids === undefined) throw missingField('ids');
  return {
    ...decodeShardKeys(fields),
    ids: decodePointIds(ids),
    withPayload: decodePayloadSelector(fields, false),
    withVector: decodeVectorSelector(fields, 'refused'),
  };
}

export function decodeCount(doc: unknown): CountRequest & Addressed {
  const fields = fieldsOf(doc, 'struct CountRequest');
  const problems = new Problems();
  const filter = decodeFilter(fieldOf(fields, 'filter'), 'count_request.filter', problems);
  const exact = booleanOr(fields, 'exact', true);
  problems.check();
  return { ...decodeShardKeys(fields), filter, exact };
}

export function decodeFacet(doc: unknown): FacetRequest & Addressed {
  const fields = fieldsOf(doc, 'struct FacetRequest');
  const problems = new Problems();
  const key = fieldOf(fields, 'key');
  if (key === undefined) throw missingField('key');
  const limit = optionalInteger(fields, 'limit');
  checkMin(limit, 1, 'facet_request.limit', problems);
  const request = {
    ...decodeShardKeys(fields),
    key: decodeKey(key),
    limit: limit ?? limitDefault,
    filter: decodeFilter(fieldOf(fields, 'filter'), 'facet_request.filter', problems),
    exact: optionalBoolean(fields, 'exact') ?? false,
  };
  problems.check();
  return request;
}
