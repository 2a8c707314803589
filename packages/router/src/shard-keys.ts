/**
 * From the shard keys that a request names to the shards it is for. Pure.
 * Always: a read without a key is for all shards; a write names the keys it is for where a collection has them, and each
 * key's shards take the whole of it.
 */
import {
  ClusterError,
  type CollectionRecord,
  type ShardKey,
  type ShardKeySelector,
  type ShardRecord,
} from '@quiver/model';
import type { ReadScope } from './routed-reads.ts';

/** @throws ClusterError bad_request: an unknown key; not_found: neither a target nor its fallback */
export function readScope(collection: CollectionRecord, selector: ShardKeySelector | undefined): ReadScope {
  if (selector === undefined)
    return { collection, shardIds: collection.shards.map(({ shardId }) => shardId) };
  const shards = chosenKeys(collection, selector).flatMap((key) =>
    shardsOfKey(collection, key, 'bad_request'),
  );
  return { collection, shardIds: [...new Set(shards.map(({ shardId }) => shardId))] };
}

/** The shards of each key. @throws ClusterError invalid_argument, not_found */
export function writeGroups(
  collection: CollectionRecord,
  selector: ShardKeySelector | undefined,
): (readonly ShardRecord[])[] {
  if (selector === undefined) {
    if (isCustom(collection)) throw new ClusterError('invalid_argument', 'Shard key not specified');
    return [collection.shards];
  }
  const keys = chosenKeys(collection, selector);
  if (keys.length === 0) throw new ClusterError('invalid_argument', 'Empty shard keys selection');
  const once = new Map(keys.map((key) => [shownKey(key), key]));
  return [...once.values()].map((key) => shardsOfKey(collection, key, 'invalid_argument'));
}

export function isCustom(collection: CollectionRecord): boolean {
  return collection.config.params.sharding_method === 'custom';
}

/** The shards of one key; none when there is no such key. */
export function shardsWithKey(collection: CollectionRecord, key: ShardKey): readonly ShardRecord[] {
  const wanted = shownKey(key);
  return collection.shards.filter(({ shardKey }) => shardKey !== null && shownKey(shardKey) === wanted);
}

/** As JSON shows it; equal for equal keys. */
export function shownKey(key: ShardKey): string {
  return typeof key === 'string' ? JSON.stringify(key) : String(key);
}

/** Keys in use, in the order of their first shards. */
export function shardKeysOf(collection: CollectionRecord): ShardKey[] {
  const keys = new Map<string, ShardKey>();
  for (const { shardKey } of collection.shards)
    if (shardKey !== null && !keys.has(shownKey(shardKey))) keys.set(shownKey(shardKey), shardKey);
  return [...keys.values()];
}

function chosenKeys(collection: CollectionRecord, selector: ShardKeySelector): readonly ShardKey[] {
  if (selector.kind === 'keys') return selector.keys;
  const { target, fallback } = selector;
  const key = [target, fallback].find((one) => shardsWithKey(collection, one).length > 0);
  if (key !== undefined) return [key];
  // The doubled ending is Qdrant's.
  const text = `Neither target shard key ${shownKey(target)} nor fallback shard key ${shownKey(fallback)} exist not found`;
  throw new ClusterError('not_found', text);
}

function shardsOfKey(
  collection: CollectionRecord,
  key: ShardKey,
  code: 'bad_request' | 'invalid_argument',
): readonly ShardRecord[] {
  const shards = shardsWithKey(collection, key);
  if (shards.length === 0) throw new ClusterError(code, `Shard key ${shownKey(key)} not found`);
  return shards;
}
