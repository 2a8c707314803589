/** Use cases that read points without ranking them: scroll, retrieve, count, facet. */
import { ClusterError } from '@quiver/model';
import type { Api } from './api.ts';
import type { UseCaseOptions } from './create-api.ts';
import { checkFacetKey, checkOrderBy } from './order-by.ts';
import { readOptions } from './read-options.ts';
import { collectionOf } from './resolve-name.ts';
import { checkFilter, checkLimit } from './strict-mode.ts';
import { checkVectorSelector } from './vector-check.ts';

export function pointReadUseCases(
  options: UseCaseOptions,
): Pick<Api, 'scroll' | 'retrieve' | 'count' | 'facet'> {
  const { meta, reads } = options;
  return {
    async scroll(name, request, context) {
      const record = collectionOf(meta.catalogue(), name);
      checkLimit(record, 'max_query_limit', 'limit', request.limit);
      checkFilter(record, request.filter, 'read');
      checkVectorSelector(record, request.withVector);
      if (request.orderBy !== null) {
        if (request.offset !== null) throw offsetWithOrder();
        checkOrderBy(record, request.orderBy);
      }
      return reads.scroll(record, request, readOptions(context));
    },
    async retrieve(name, request, context) {
      const record = collectionOf(meta.catalogue(), name);
      checkVectorSelector(record, request.withVector);
      if (request.ids.length === 0) return [];
      const ids = new Set(request.ids);
      const once = ids.size === request.ids.length ? request : { ...request, ids: [...ids] };
      return reads.retrieve(record, once, readOptions(context));
    },
    async count(name, request, context) {
      const record = collectionOf(meta.catalogue(), name);
      checkFilter(record, request.filter, 'read');
      return reads.count(record, request, readOptions(context));
    },
    async facet(name, request, context) {
      const record = collectionOf(meta.catalogue(), name);
      checkLimit(record, 'max_query_limit', 'limit', request.limit);
      checkFilter(record, request.filter, 'read');
      checkFacetKey(record, request.key);
      return reads.facet(record, request, readOptions(context));
    },
  };
}

function offsetWithOrder(): ClusterError {
  return new ClusterError(
    'invalid_argument',
    'Cannot use an `offset` when using `order_by`. The alternative for paging is to use `order_by.start_from` ' +
      "and a filter to exclude the IDs that you've already seen for the `order_by.start_from` value",
  );
}
