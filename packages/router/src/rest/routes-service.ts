/** Routes of the service itself, and those of Qdrant that this version does not serve: they say so. */
import { stringifyJson } from '@quiver/model';
import type { Route } from './call.ts';
import { notSupported } from './decode/fields.ts';
import { decodeCount, decodeFlag } from './decode/query-string.ts';

const healthText = 'healthz check passed';

function health(template: string): Route {
  return {
    method: 'GET',
    template,
    hasBody: false,
    run: () => ({ kind: 'text', status: 200, text: healthText }),
  };
}

export const serviceRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/',
    hasBody: false,
    run: ({ service }) => ({
      kind: 'json',
      value: {
        title: 'qdrant - vector search engine',
        version: service.version,
        quiver_version: service.quiverVersion,
        ...(service.commit === undefined ? {} : { commit: service.commit }),
      },
    }),
  },
  health('/healthz'),
  health('/livez'),
  {
    method: 'GET',
    template: '/readyz',
    hasBody: false,
    run: ({ service }) =>
      service.ready()
        ? { kind: 'text', status: 200, text: 'all shards are ready' }
        : { kind: 'text', status: 503, text: 'some shards are not ready' },
  },
  {
    method: 'GET',
    template: '/metrics',
    hasBody: false,
    run: async ({ service }) => ({ kind: 'text', status: 200, text: await service.metricsText() }),
  },
  {
    method: 'GET',
    template: '/telemetry',
    hasBody: false,
    run: async ({ service, query }) => {
      const detailsLevel = decodeCount(query, 'details_level') ?? 0;
      const anonymize = decodeFlag(query, 'anonymize');
      const text = stringifyJson(await service.telemetry({ detailsLevel, anonymize }));
      return { kind: 'result', write: (reply) => reply.json(text) };
    },
  },
];

/** Method and path of each. */
const laterRoutes: Readonly<Record<string, readonly string[]>> = {
  'query groups': ['POST /collections/{collection_name}/points/query/groups'],
  'search groups': ['POST /collections/{collection_name}/points/search/groups'],
  'the recommendation API': [
    'POST /collections/{collection_name}/points/recommend',
    'POST /collections/{collection_name}/points/recommend/batch',
    'POST /collections/{collection_name}/points/recommend/groups',
  ],
  'the discovery API': [
    'POST /collections/{collection_name}/points/discover',
    'POST /collections/{collection_name}/points/discover/batch',
  ],
  'the distance matrix API': [
    'POST /collections/{collection_name}/points/search/matrix/pairs',
    'POST /collections/{collection_name}/points/search/matrix/offsets',
  ],
  'adding and removing vector names': [
    'PUT /collections/{collection_name}/vectors/{vector_name}',
    'DELETE /collections/{collection_name}/vectors/{vector_name}',
  ],
  snapshots: [
    'GET /collections/{collection_name}/snapshots',
    'POST /collections/{collection_name}/snapshots',
    'PUT /collections/{collection_name}/snapshots/recover',
    'POST /collections/{collection_name}/snapshots/upload',
    'GET /collections/{collection_name}/snapshots/{snapshot_name}',
    'DELETE /collections/{collection_name}/snapshots/{snapshot_name}',
    'GET /snapshots',
    'POST /snapshots',
    'GET /snapshots/{snapshot_name}',
    'DELETE /snapshots/{snapshot_name}',
    'GET /collections/{collection_name}/shards/{shard_id}/snapshots',
    'POST /collections/{collection_name}/shards/{shard_id}/snapshots',
    'GET /collections/{collection_name}/shards/{shard_id}/snapshot',
    'PUT /collections/{collection_name}/shards/{shard_id}/snapshots/recover',
    'POST /collections/{collection_name}/shards/{shard_id}/snapshots/upload',
    'GET /collections/{collection_name}/shards/{shard_id}/snapshots/{snapshot_name}',
    'DELETE /collections/{collection_name}/shards/{shard_id}/snapshots/{snapshot_name}',
  ],
  quotas: ['GET /quotas', 'PUT /quotas'],
  issues: ['GET /issues', 'DELETE /issues'],
};

export const unservedRoutes: readonly Route[] = Object.entries(laterRoutes).flatMap(([what, paths]) =>
  paths.map((path): Route => {
    const space = path.indexOf(' ');
    return {
      method: path.slice(0, space) as Route['method'],
      template: path.slice(space + 1),
      hasBody: false,
      run: () => {
        throw notSupported(what);
      },
    };
  }),
);
