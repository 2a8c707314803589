/** Shard keys of collections with custom sharding: each has shards of its own, which share all slots. */
import { isSameKey } from '@quiver/model';
import type { StateCommand } from '../state-command.ts';
import { changed, recordByUuid, refused, unchanged, type MetaState, type Outcome } from '../state.ts';
import { addedShards } from './collection.ts';
import { withRecord } from './shard.ts';

type Command<K extends StateCommand['kind']> = Extract<StateCommand, { kind: K }>;

export function createShardKey(state: MetaState, command: Command<'create_shard_key'>): Outcome {
  const { uuid, key } = command;
  const record = recordByUuid(state, uuid);
  if (record === undefined) return refused('not_found', `Collection ${uuid} doesn't exist!`);
  // Both in Qdrant's words.
  if (record.config.params.sharding_method !== 'custom')
    return refused('bad_request', `Shard Key ${String(key)} cannot be created with Auto sharding method`);
  if (record.shards.some(({ shardKey }) => isSameKey(shardKey, key)))
    return refused('bad_request', `Shard key ${String(key)} already exists`);
  const first = nextShardId(record.shards);
  const numbered = command.shards.map((shard, i) => ({ ...shard, shardId: first + i, shardKey: key }));
  const { shards, nextReplica } = addedShards(state, numbered);
  return changed(state, {
    ...withRecord(state, { ...record, shards: [...record.shards, ...shards] }),
    nextReplica,
  });
}

export function dropShardKey(state: MetaState, { uuid, key }: Command<'drop_shard_key'>): Outcome {
  const record = recordByUuid(state, uuid);
  if (record === undefined) return refused('not_found', `Collection ${uuid} doesn't exist!`);
  if (record.config.params.sharding_method !== 'custom')
    return refused('bad_request', `Shard Key ${String(key)} cannot be removed with Auto sharding method`);
  const shards = record.shards.filter(({ shardKey }) => !isSameKey(shardKey, key));
  if (shards.length === record.shards.length) return unchanged;
  const isThere = (shardId: number): boolean => shards.some((shard) => shard.shardId === shardId);
  const { resharding } = record;
  return changed(
    state,
    withRecord(state, {
      ...record,
      shards,
      transfers: record.transfers.filter(({ shardId }) => isThere(shardId)),
      resharding: resharding !== null && isThere(resharding.shardId) ? resharding : null,
    }),
  );
}

export function nextShardId(shards: readonly { readonly shardId: number }[]): number {
  return shards.reduce((next, { shardId }) => Math.max(next, shardId + 1), 0);
}
