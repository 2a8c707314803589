/** The use cases of both front ends, put together from one file per group. Layout and rules: api.ts. */
import type { Env } from '@quiver/env';
import type { MetaService, ShardReads, ShardWrites } from '@quiver/rpc';
import type { Api } from './api.ts';
import type { CollectionDefaults } from './defaults.ts';

export interface ApiOptions {
  readonly reads: ShardReads;
  readonly writes: ShardWrites;
  readonly meta: MetaService;
  readonly env: Env;
  readonly defaults: CollectionDefaults;
}

export declare function createApi(options: ApiOptions): Api;
