/** The use cases of both front ends, put together from one file per group. Layout and rules: api.ts. */
import type { Env } from '@quiver/env';
import type { NodeId } from '@quiver/model';
import type { MetaService, ShardNodes } from '@quiver/rpc';
import { aliasUseCases } from './aliases.ts';
import type { Api } from './api.ts';
import { collectionUseCases } from './collections.ts';
import type { CollectionDefaults } from './defaults.ts';
import { payloadIndexUseCases } from './payload-indexes.ts';
import { pointReadUseCases } from './point-reads.ts';
import { pointUpdateUseCases } from './points-update.ts';
import { queryUseCases } from './query.ts';
import { clusterUseCases } from './cluster/cluster.ts';
import { createCollections, type Collections } from './find-collection.ts';
import { createRoutedReads, type RoutedReads } from './routed-reads.ts';
import { createRoutedWrites, type RoutedWrites } from './routed-writes.ts';
import { createNodeCalls } from './routing/node-calls.ts';
import { createScatter } from './routing/scatter.ts';
import { createTopology } from './routing/topology.ts';

export interface ApiOptions {
  readonly nodes: ShardNodes;
  /** The node in this process, asked first; null: a router alone. */
  readonly ownNode: NodeId | null;
  readonly meta: MetaService;
  readonly env: Env;
  readonly defaults: CollectionDefaults;
  /** Several nodes, or one that others may join; false: the cluster's API answers as Qdrant's standalone. */
  readonly clusterEnabled?: boolean;
  /** Operators may start a resharding; true when absent. */
  readonly reshardingEnabled?: boolean;
}

/** What the use cases are made of. */
export interface UseCaseOptions {
  readonly collections: Collections;
  readonly reads: RoutedReads;
  readonly writes: RoutedWrites;
  readonly meta: MetaService;
  readonly env: Env;
  readonly defaults: CollectionDefaults;
}

export function createApi(given: ApiOptions): Api {
  const { nodes, ownNode, meta, env, defaults } = given;
  const calls = createNodeCalls({ nodes, ownNode, env, catalogue: () => meta.catalogue() });
  const topology = createTopology(meta, env);
  const reads = createRoutedReads(createScatter({ calls, topology, env }));
  const writes = createRoutedWrites({ calls, topology, ownNode, env });
  const collections = createCollections(meta, env);
  const options: UseCaseOptions = { collections, reads, writes, meta, env, defaults };
  return {
    ...collectionUseCases(options),
    ...aliasUseCases(options),
    ...payloadIndexUseCases(options),
    ...pointUpdateUseCases(options),
    ...queryUseCases(options),
    ...pointReadUseCases(options),
    ...clusterUseCases(options, {
      enabled: given.clusterEnabled ?? false,
      reshardingEnabled: given.reshardingEnabled ?? true,
      ownNode,
      calls,
    }),
  };
}
