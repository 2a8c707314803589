/**
 * Operators' wishes as commands of the metadata store, refused in Qdrant's words where the catalogue already shows that
 * they cannot be met. Pure; the state machine has the last word.
 */
import {
  ClusterError,
  replicaOn,
  shardOf,
  type Catalogue,
  type CollectionRecord,
  type NodeId,
  type ReshardingRecord,
  type ShardKey,
  type ShardRecord,
} from '@quiver/model';
import type { ClusterCommand } from '@quiver/rpc';
import { checkShardCount } from '../shard-count.ts';
import { isCustom, shardsWithKey, shownKey } from '../shard-keys.ts';
import type { ClusterOperation } from './cluster-api.ts';
import { transferInfos } from './replica-states.ts';

const shardKeyLengthMax = 1_024;

/** Commands in order; none where nothing is left to do. @throws ClusterError bad_request, not_found */
export function clusterCommands(
  catalogue: Catalogue,
  collection: CollectionRecord,
  operation: Exclude<ClusterOperation, { kind: 'replicate_points' }>,
): ClusterCommand[] {
  const { uuid } = collection;
  switch (operation.kind) {
    case 'move_shard':
    case 'replicate_shard': {
      const { shardId, from, to, method } = operation;
      requireShard(collection, shardId);
      requireNodes(catalogue, to, from);
      requireTakers(catalogue, to);
      const keepSource = operation.kind === 'replicate_shard';
      return [{ kind: 'start_transfer', uuid, shardId, fromNode: from, toNode: to, keepSource, method }];
    }
    case 'abort_transfer': {
      const { shardId, from, to } = operation;
      requireTransfer(collection, operation);
      return [{ kind: 'abort_transfer', uuid, shardId, fromNode: from, toNode: to }];
    }
    case 'restart_transfer': {
      const { shardId, from, to, method } = operation;
      const { sync: keepSource } = requireTransfer(collection, operation);
      requireTakers(catalogue, to);
      const between = { uuid, shardId, fromNode: from, toNode: to };
      return [
        { kind: 'abort_transfer', ...between },
        { kind: 'start_transfer', ...between, keepSource, method },
      ];
    }
    case 'drop_replica': {
      const { shardId, nodeId } = operation;
      requireReplica(catalogue, collection, shardId, nodeId);
      return [{ kind: 'drop_replica', uuid, shardId, nodeId }];
    }
    case 'force_promote': {
      const { shardId, nodeId } = operation;
      const { replica } = requireReplica(catalogue, collection, shardId, nodeId);
      return [{ kind: 'force_promote', uuid, shardId, replica }];
    }
    case 'create_shard_key': {
      const { key, shardNumber, replicationFactor, placement } = operation;
      requireCustom(collection);
      checkLength(key);
      if (shardsWithKey(collection, key).length > 0)
        throw bad(`Sharding key ${shownKey(key)} already exists for collection ${collection.name}`);
      if (placement?.length === 0) throw bad('placement names no peer; leave it out to have peers chosen');
      requireTakers(catalogue, ...(placement ?? []));
      checkShardCount(catalogue, collection, shardNumber ?? collection.config.params.shard_number);
      return [{ kind: 'create_shard_key', uuid, key, shardNumber, replicationFactor, placement }];
    }
    case 'drop_shard_key': {
      requireCustom(collection);
      const [shard] = shardsWithKey(collection, operation.key);
      if (shard === undefined)
        throw bad(`Sharding key ${shownKey(operation.key)} does not exist for collection ${collection.name}`);
      return [{ kind: 'drop_shard_key', uuid, key: operation.key }];
    }
    case 'start_resharding': {
      const { direction, nodeId, shardKey } = operation;
      if (nodeId !== null && direction === 'up') requireTakers(catalogue, nodeId);
      else if (nodeId !== null) requireNodes(catalogue, nodeId);
      if (shardKey !== null && shardsWithKey(collection, shardKey).length === 0)
        throw bad(`sharding key ${shownKey(shardKey)} does not exist for collection ${collection.name}`);
      if (collection.resharding !== null)
        throw bad(`resharding is already in progress for collection ${collection.name}`);
      if (direction === 'up') checkShardCount(catalogue, collection, 1);
      return [{ kind: 'start_resharding', uuid, direction, nodeId, shardKey }];
    }
    case 'commit_resharding':
      requireResharding(collection);
      return [];
    case 'finish_resharding':
    case 'abort_resharding':
      return [{ kind: operation.kind, uuid, id: requireResharding(collection).id }];
  }
}

/** What has to hold before points are copied from key to key. */
export function checkReplicatePoints(
  collection: CollectionRecord,
  { from, to }: Extract<ClusterOperation, { kind: 'replicate_points' }>,
): void {
  for (const key of [from, to])
    if (shardsWithKey(collection, key).length === 0) {
      const text = `Shard key ${shownKey(key)} does not exist for collection ${collection.name}`;
      throw new ClusterError('invalid_argument', text);
    }
  const count = shardsWithKey(collection, to).length;
  if (count !== 1)
    throw bad(
      `Only replicating to shard keys with exactly one replica is supported. Shard key ${shownKey(to)} has ${count} replicas`,
    );
}

function bad(text: string): ClusterError {
  return new ClusterError('bad_request', text);
}

function requireShard(collection: CollectionRecord, shardId: number): ShardRecord {
  const shard = shardOf(collection, shardId);
  if (shard === undefined) throw bad(`Shard ${shardId} of ${collection.name} does not exist`);
  return shard;
}

function requireNodes(catalogue: Catalogue, ...nodeIds: readonly NodeId[]): void {
  const unknown = nodeIds.find((nodeId) => !catalogue.nodes.has(nodeId));
  if (unknown !== undefined) throw bad(`Peer ${unknown} does not exist`);
}

/** A new shard on a node that cannot serve it would hold up the collection. */
function requireTakers(catalogue: Catalogue, ...nodeIds: readonly NodeId[]): void {
  requireNodes(catalogue, ...nodeIds);
  for (const nodeId of nodeIds) {
    const { roles, state } = catalogue.nodes.get(nodeId)!;
    if (!roles.includes('shard')) throw bad(`Peer ${nodeId} holds no shards`);
    if (state !== 'up') throw bad(`Peer ${nodeId} is ${state} and takes no new shards; name another one`);
  }
}

function requireReplica(
  catalogue: Catalogue,
  collection: CollectionRecord,
  shardId: number,
  nodeId: NodeId,
): { readonly replica: number } {
  const shard = requireShard(collection, shardId);
  requireNodes(catalogue, nodeId);
  const replica = replicaOn(shard, nodeId);
  if (replica === undefined)
    throw bad(`Shard ${shardId} of ${collection.name} has no replica on peer ${nodeId}`);
  return replica;
}

function requireTransfer(
  collection: CollectionRecord,
  { shardId, from, to }: { readonly shardId: number; readonly from: NodeId; readonly to: NodeId },
): { readonly sync: boolean } {
  const found = transferInfos(collection).find(
    (transfer) => transfer.shardId === shardId && transfer.from === from && transfer.to === to,
  );
  if (found !== undefined) return found;
  const text = `Shard transfer ${from} -> ${to} for collection ${collection.name}:${shardId} does not exist`;
  throw new ClusterError('not_found', text);
}

function requireCustom(collection: CollectionRecord): void {
  if (!isCustom(collection)) throw bad('Shard Key cannot be created with Auto sharding method');
}

/** Every node has all of them in memory, and they go with every read and write. */
function checkLength(key: ShardKey): void {
  if (typeof key === 'string' && key.length > shardKeyLengthMax)
    throw bad(`a shard key has ${shardKeyLengthMax} characters at most, this one ${key.length}`);
}

function requireResharding({ name, resharding }: CollectionRecord): ReshardingRecord {
  if (resharding === null) throw bad(`resharding is not in progress for collection ${name}`);
  return resharding;
}
