/** The use cases of both front ends, put together from one file per group. Layout and rules: api.ts. */
import type { Env } from '@quiver/env';
import type { MetaService, ShardReads, ShardWrites } from '@quiver/rpc';
import { aliasUseCases } from './aliases.ts';
import type { Api } from './api.ts';
import { collectionUseCases } from './collections.ts';
import type { CollectionDefaults } from './defaults.ts';
import { payloadIndexUseCases } from './payload-indexes.ts';
import { pointReadUseCases } from './point-reads.ts';
import { pointUpdateUseCases } from './points-update.ts';
import { queryUseCases } from './query.ts';

export interface ApiOptions {
  readonly reads: ShardReads;
  readonly writes: ShardWrites;
  readonly meta: MetaService;
  readonly env: Env;
  readonly defaults: CollectionDefaults;
}

export function createApi(options: ApiOptions): Api {
  return {
    ...collectionUseCases(options),
    ...aliasUseCases(options),
    ...payloadIndexUseCases(options),
    ...pointUpdateUseCases(options),
    ...queryUseCases(options),
    ...pointReadUseCases(options),
  };
}
