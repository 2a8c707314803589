/**
 * Which shards take part in a request, and what each is asked. Pure. A collection has one shard in this version;
 * the rules are those for many.
 */
import { shardOfSlot, slotOf, type PointId, type QueryRequest } from '@quiver/model';

/** Shards of every collection, by number: the configured `shard_number` is reported, one is served. */
export const servedShards: readonly number[] = [0];

/** The shard that owns a point, among `shardCount` that share the slots equally. */
export function shardOfPoint(id: PointId, shardCount: number): number {
  return shardCount === 1 ? 0 : shardOfSlot(slotOf(id), shardCount);
}

/** Ids by owning shard, each in the order given. */
export function groupByShard(ids: readonly PointId[], shardCount: number): Map<number, PointId[]> {
  const groups = new Map<number, PointId[]>();
  for (const id of ids) {
    const shard = shardOfPoint(id, shardCount);
    const group = groups.get(shard);
    if (group === undefined) groups.set(shard, [id]);
    else group.push(id);
  }
  return groups;
}

/** What one of several shards is asked: the page may lie wholly in its part, so it cuts nothing off. */
export function shardQuery(request: QueryRequest, shardCount: number): QueryRequest {
  return shardCount === 1 ? request : { ...request, offset: 0, limit: request.offset + request.limit };
}
