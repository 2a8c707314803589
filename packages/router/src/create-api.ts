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
import { createRoutedReads, type RoutedReads } from './routed-reads.ts';
import { createRoutedWrites, type RoutedWrites } from './routed-writes.ts';

export interface ApiOptions {
  readonly nodes: ShardNodes;
  /** The node in this process, asked first; null: a router alone. */
  readonly ownNode: NodeId | null;
  readonly meta: MetaService;
  readonly env: Env;
  readonly defaults: CollectionDefaults;
}

/** What the use cases are made of. */
export interface UseCaseOptions {
  readonly reads: RoutedReads;
  readonly writes: RoutedWrites;
  readonly meta: MetaService;
  readonly env: Env;
  readonly defaults: CollectionDefaults;
}

export function createApi(given: ApiOptions): Api {
  const { nodes, ownNode, meta, env, defaults } = given;
  const reads = createRoutedReads(nodes, ownNode);
  const writes = createRoutedWrites(nodes, ownNode, env);
  const options: UseCaseOptions = { reads, writes, meta, env, defaults };
  return {
    ...collectionUseCases(options),
    ...aliasUseCases(options),
    ...payloadIndexUseCases(options),
    ...pointUpdateUseCases(options),
    ...queryUseCases(options),
    ...pointReadUseCases(options),
  };
}
