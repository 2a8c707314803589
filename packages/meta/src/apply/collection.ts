/** Collections: create, change, drop. */
import type { ShardRecord } from '@quiver/model';
import type { MetaCommand } from '@quiver/rpc';
import type { PlacedShard, StateCommand } from '../state-command.ts';
import {
  changed,
  noCollection,
  recordByUuid,
  recordOf,
  refused,
  unchanged,
  withEntry,
  withoutEntry,
  type MetaState,
  type Outcome,
} from '../state.ts';

type Command<K extends MetaCommand['kind']> = Extract<MetaCommand, { kind: K }>;

export function createCollection(
  state: MetaState,
  command: Extract<StateCommand, { kind: 'create_collection' }>,
): Outcome {
  const { name, uuid, config } = command;
  if (state.collections.has(name))
    return { kind: 'refused', code: 'already_exists', message: `Collection \`${name}\` already exists!` };
  if (state.aliases.has(name)) {
    return {
      kind: 'refused',
      code: 'invalid_argument',
      message: `Can't create collection with name ${name}. Alias with the same name already exists`,
    };
  }
  if (recordByUuid(state, uuid) !== undefined)
    return refused('already_exists', `a collection with the uuid ${uuid} exists`);
  const { shards, nextReplica } = newShards(command.shards, state.nextReplica);
  const record = { name, uuid, config, payloadSchema: {}, shards, transfers: [], resharding: null };
  return changed(state, { collections: withEntry(state.collections, name, record), nextReplica });
}

/**
 * Shards for a collection that is there already. One of the same number may have been there before: who knows that one has
 * an older configuration, and what it said in its terms is older.
 */
export function addedShards(
  state: MetaState,
  placed: readonly PlacedShard[],
): { shards: ShardRecord[]; nextReplica: number } {
  // A change of the state raises each of them by one at most.
  const since = state.revision + 1;
  const { shards, nextReplica } = newShards(placed, state.nextReplica);
  return { shards: shards.map((shard) => ({ ...shard, term: since, cfgVersion: since })), nextReplica };
}

/** All replicas of a new shard are in sync: they are empty. The first is its primary. */
function newShards(
  placed: readonly PlacedShard[],
  firstReplica: number,
): { shards: ShardRecord[]; nextReplica: number } {
  let nextReplica = firstReplica;
  const shards = placed.map(({ shardId, shardKey, slots, nodes, replicationFactor }): ShardRecord => {
    const replicas = nodes.map((nodeId) => ({ replica: nextReplica++, nodeId }));
    const inSync = replicas.map(({ replica }) => replica);
    const record = {
      shardId,
      shardKey,
      slots,
      replicas,
      inSync,
      primary: inSync[0] ?? null,
      term: 1,
      cfgVersion: 1,
    };
    return replicationFactor === undefined ? record : { ...record, replicationFactor };
  });
  return { shards, nextReplica };
}

/**
 * Setting the replication factor ends what operators wished for single shards. What primaries obey raises their shards'
 * configuration: they ignore a record with the number they have.
 */
export function updateCollection(state: MetaState, command: Command<'update_collection'>): Outcome {
  const record = recordOf(state, command.name, command.uuid);
  if (record === undefined) return noCollection(command.name);
  const { config } = command;
  const [now, before] = [config.params, record.config.params];
  const isSameFactor = now.replication_factor === before.replication_factor;
  const isSame = isSameFactor && now.write_consistency_factor === before.write_consistency_factor;
  const raised = isSame
    ? record.shards
    : record.shards.map((shard) => ({ ...shard, cfgVersion: shard.cfgVersion + 1 }));
  const shards = isSameFactor ? raised : raised.map(withoutWish);
  return changed(state, {
    collections: withEntry(state.collections, command.name, { ...record, config, shards }),
  });
}

function withoutWish(shard: ShardRecord): ShardRecord {
  if (shard.replicationFactor === undefined) return shard;
  const plain: { replicationFactor?: number } & ShardRecord = { ...shard };
  delete plain.replicationFactor;
  return plain;
}

/** Its aliases go with it. */
export function deleteCollection(state: MetaState, command: Command<'delete_collection'>): Outcome {
  if (!state.collections.has(command.name)) return unchanged;
  const aliases = new Map(state.aliases);
  for (const [alias, collection] of state.aliases) if (collection === command.name) aliases.delete(alias);
  return changed(state, { collections: withoutEntry(state.collections, command.name), aliases });
}
