/** Use cases that read points without ranking them: scroll, retrieve, count, facet. */
import { ClusterError, type CollectionRecord } from '@quiver/model';
import type { Api, RequestContext } from './api.ts';
import type { UseCaseOptions } from './create-api.ts';
import { checkFacetKey, checkOrderBy } from './order-by.ts';
import { readOptions } from './read-options.ts';
import type { RoutedReadOptions } from './routing/scatter.ts';
import { readScope } from './shard-keys.ts';
import { checkFilter, checkLimit } from './strict-mode.ts';
import { checkVectorSelector } from './vector-check.ts';

export function pointReadUseCases(
  options: UseCaseOptions,
): Pick<Api, 'scroll' | 'retrieve' | 'count' | 'facet'> {
  const { collections, meta, reads } = options;
  const routed = (record: CollectionRecord, context: RequestContext): RoutedReadOptions =>
    readOptions(context, record, meta.catalogue());
  return {
    async scroll(name, { shardKeys, ...request }, context) {
      const record = await collections.find(name, context);
      checkLimit(record, 'max_query_limit', 'limit', request.limit);
      checkFilter(record, request.filter, 'read');
      checkVectorSelector(record, request.withVector);
      if (request.orderBy !== null) {
        if (request.offset !== null) throw offsetWithOrder();
        checkOrderBy(record, request.orderBy);
      }
      return reads.scroll(readScope(record, shardKeys), request, routed(record, context));
    },
    async retrieve(name, { shardKeys, ...request }, context) {
      const record = await collections.find(name, context);
      checkVectorSelector(record, request.withVector);
      if (request.ids.length === 0) return [];
      const ids = new Set(request.ids);
      const once = ids.size === request.ids.length ? request : { ...request, ids: [...ids] };
      return reads.retrieve(readScope(record, shardKeys), once, routed(record, context));
    },
    async count(name, { shardKeys, ...request }, context) {
      const record = await collections.find(name, context);
      checkFilter(record, request.filter, 'read');
      return reads.count(readScope(record, shardKeys), request, routed(record, context));
    },
    async facet(name, { shardKeys, ...request }, context) {
      const record = await collections.find(name, context);
      checkLimit(record, 'max_query_limit', 'limit', request.limit);
      checkFilter(record, request.filter, 'read');
      checkFacetKey(record, request.key);
      return reads.facet(readScope(record, shardKeys), request, routed(record, context));
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
