/**
 * A use-case layer over a real metadata store in memory and recording shards, for tests: reads answer from a short
 * list of points, writes are remembered.
 */
import { createRealEnv } from '@quiver/env';
import { createMeta } from '@quiver/meta';
import type { CollectionRecord, PointId, PointRecord, QueryRequest, PointsOperation } from '@quiver/model';
import type { MetaService, ShardReads, ShardWrites } from '@quiver/rpc';
import { createMemoryStore } from '@quiver/storage';
import { silentLog } from '@quiver/telemetry';
import type { Api, WriteContext } from '../api.ts';
import { createApi } from '../create-api.ts';
import { builtInDefaults, type CollectionDefaults } from '../defaults.ts';

export interface FakeNode {
  readonly api: Api;
  readonly context: WriteContext;
  /** By collection name and id. */
  readonly points: Map<string, Map<PointId, PointRecord>>;
  readonly written: { collection: string; operation: PointsOperation }[];
  readonly queried: { collection: string; request: QueryRequest }[];
}

const nodeId = 7;
const node = {
  id: nodeId,
  name: 'fake',
  roles: ['meta', 'shard', 'router'],
  addresses: { meta: null, shard: null, rest: null },
  zone: '',
  bootId: 'boot',
  version: '0',
  featureLevel: 1,
} as const;

export async function createFakeNode(
  defaults: Partial<CollectionDefaults> = {},
  clusterEnabled = false,
): Promise<FakeNode> {
  const env = createRealEnv();
  const meta = await createMeta({ self: node, store: await createMemoryStore(), env, log: silentLog() });
  const points: FakeNode['points'] = new Map();
  const written: FakeNode['written'] = [];
  const queried: FakeNode['queried'] = [];
  const of = (record: CollectionRecord): PointRecord[] => [...(points.get(record.name)?.values() ?? [])];

  const reads: ShardReads = {
    query({ collection: record }, requests) {
      for (const request of requests) queried.push({ collection: record.name, request });
      return Promise.resolve(requests.map(() => []));
    },
    explain: ({ shardIds }, requests) =>
      Promise.resolve(requests.map(() => shardIds.map((shardId) => ({ shardId, node: '1', segments: [] })))),
    scroll: ({ collection: record }) =>
      Promise.resolve({
        points: of(record).map((point) => ({ ...point, orderValue: null })),
        nextOffset: null,
      }),
    retrieve: ({ collection: record }, request) => {
      const known = points.get(record.name);
      return Promise.resolve(request.ids.flatMap((id) => known?.get(id) ?? []));
    },
    count: ({ collection: record }) => Promise.resolve(of(record).length),
    facet: () => Promise.resolve([{ value: 'x', count: 1 }]),
  };
  const writes: ShardWrites = {
    write(record, asked) {
      return Promise.resolve(
        asked.map(({ operation }) => {
          written.push({ collection: record.name, operation });
          return { ok: true, operationId: written.length };
        }),
      );
    },
    describe: ({ collection: record, shardIds }) =>
      Promise.resolve(
        shardIds.map((shardId) => ({
          shardId,
          replica: 1,
          digest: null,
          appliedSeq: 0,
          status: 'green',
          optimizerError: null,
          pointsCount: of(record).length,
          indexedVectorsCount: 0,
          vectorCounts: {},
          segmentsCount: 1,
          payloadIndexPoints: {},
          updateQueueLength: 0,
          running: [],
          completed: [],
          queued: [],
          idleSegments: [],
          memory: [],
          liveRecall: [],
        })),
      ),
  };
  const service: MetaService = {
    catalogue: () => meta.catalogue(),
    propose: (command) => meta.propose(command),
    reached: () => Promise.resolve(),
    refresh: () => Promise.resolve(),
    status: (options) => meta.status(options),
  };
  const api = createApi({
    nodes: { node: () => ({ reads, writes }) },
    ownNode: nodeId,
    meta: service,
    env,
    defaults: { ...builtInDefaults, ...defaults },
    clusterEnabled,
  });
  return {
    api,
    points,
    written,
    queried,
    context: { access: 'full', deadlineMs: env.now() + 60_000, wait: true },
  };
}
