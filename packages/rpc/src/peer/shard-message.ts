/** Bodies of the calls of `quiver.internal.Shard`, as plain data. */
import { shardOf, type CollectionRecord, type ShardRecord } from '@quiver/model';
import type { ReadConsistency, ShardWrite } from '../contract.ts';

export interface OfCollection {
  readonly name: string;
  /** The incarnation: a recreated collection of the same name is another. */
  readonly uuid: string;
  /** Of the caller's catalogue. */
  readonly revision: number;
}

export interface DescribeBody extends OfCollection {
  readonly shardIds: readonly number[];
}

/** How the caller knows a shard; see `ShardTarget`. */
export type ShardRoute = Pick<ShardRecord, 'shardId' | 'slots' | 'cfgVersion' | 'holdsMore'>;

export interface ReadBody extends DescribeBody {
  /** Absent: as the node itself knows them. */
  readonly routes?: readonly ShardRoute[];
  readonly request: unknown;
  readonly consistency: ReadConsistency;
}

export interface WriteBody extends OfCollection {
  readonly writes: readonly ShardWrite[];
}

export function routesOf(collection: CollectionRecord, shardIds: readonly number[]): ShardRoute[] {
  return shardIds.flatMap((shardId) => {
    const shard = shardOf(collection, shardId);
    if (shard === undefined) return [];
    const { slots, cfgVersion, holdsMore } = shard;
    return [{ shardId, slots, cfgVersion, ...(holdsMore === true ? { holdsMore } : {}) }];
  });
}

/** The node's own record, with the routes of the caller. */
export function withRoutes(collection: CollectionRecord, routes: readonly ShardRoute[]): CollectionRecord {
  const shards = collection.shards.map((shard) => {
    const route = routes.find(({ shardId }) => shardId === shard.shardId);
    if (route === undefined || route.cfgVersion === shard.cfgVersion) return shard;
    const own: { holdsMore?: true } & ShardRecord = { ...shard };
    delete own.holdsMore;
    return { ...own, ...route };
  });
  return { ...collection, shards };
}
