/**
 * Makes the choices that a command leaves open (nodes, ids, times), on the state the leader has. Pure: what is logged
 * carries the choice, so a later version may choose otherwise.
 *
 * `shard_number` and `replication_factor` come as the router filled them in (a collection without `shard_number` gets
 * one shard for each shard node there); custom sharding starts without shards.
 */
import {
  ClusterError,
  equalSlots,
  isSameKey,
  replicaOn,
  shardOf,
  type CollectionRecord,
  type NodeId,
  type ShardKey,
  type ShardRecord,
} from '@quiver/model';
import type { MetaCommand } from '@quiver/rpc';
import { nextShardId } from './apply/shard-key.ts';
import { checkMetadata } from './metadata-limits.ts';
import { canHost, placeReplicas } from './placement.ts';
import { recordByUuid, wantedReplicas, type MetaState } from './state.ts';
import type { PlacedShard, StateCommand } from './state-command.ts';

export interface PlanContext {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly newId: () => string;
  /** Nodes whose session is alive. */
  readonly isReachable: (nodeId: NodeId) => boolean;
  /** Nodes whose disks have no room for another copy. */
  readonly isFull: (nodeId: NodeId) => boolean;
}

type Command<K extends MetaCommand['kind']> = Extract<MetaCommand, { kind: K }>;

/** @throws ClusterError unavailable when no node can take a replica; bad_request when the one that is named can not */
export function planCommand(state: MetaState, command: MetaCommand, context: PlanContext): StateCommand {
  switch (command.kind) {
    case 'create_collection': {
      const { shard_number: shardCount, replication_factor: factor, sharding_method } = command.config.params;
      const count = sharding_method === 'custom' ? 0 : shardCount;
      const nodes = placeReplicas(state, { shards: count, factor, collection: null, isFull: context.isFull });
      return { ...command, shards: placedShards(nodes, 0, null) };
    }
    case 'create_shard_key':
      return { ...command, shards: planShardKey(state, command, context) };
    case 'start_resharding':
      return planResharding(state, command, context);
    case 'drop_replica':
      return { ...command, successor: successorOf(state, command, context) };
    case 'start_transfer':
      requireHost(state, command.toNode);
      return { ...command, atMs: context.nowMs };
    case 'drain_node':
      if (command.drain) requireDrainable(state, command.nodeId);
      return { ...command, atMs: context.nowMs };
    case 'force_promote':
      return { ...command, atMs: context.nowMs };
    case 'set_cluster_metadata':
      checkMetadata(state.clusterMetadata, command.key, command.value);
      return command;
    default:
      return command;
  }
}

function placedShards(
  nodes: readonly (readonly NodeId[])[],
  firstId: number,
  shardKey: ShardKey | null,
): PlacedShard[] {
  return nodes.map((placed, i) => ({
    shardId: firstId + i,
    shardKey,
    slots: equalSlots(i, nodes.length),
    nodes: placed,
  }));
}

/** Refusals (no such collection, the key is there) are the state machine's, whose state is the one that counts. */
function planShardKey(
  state: MetaState,
  command: Command<'create_shard_key'>,
  { isFull }: PlanContext,
): PlacedShard[] {
  const record = recordByUuid(state, command.uuid);
  if (record === undefined) return [];
  const { shard_number: ownCount, replication_factor: ownFactor } = record.config.params;
  for (const nodeId of command.placement ?? []) requireHost(state, nodeId);
  const nodes = placeReplicas(state, {
    shards: command.shardNumber ?? ownCount,
    factor: command.replicationFactor ?? ownFactor,
    collection: record,
    among: command.placement,
    isFull,
  });
  const shards = placedShards(nodes, nextShardId(record.shards), command.key);
  const factor = command.replicationFactor;
  return factor === null || factor === ownFactor
    ? shards
    : shards.map((shard) => ({ ...shard, replicationFactor: factor }));
}

function planResharding(
  state: MetaState,
  command: Command<'start_resharding'>,
  context: PlanContext,
): StateCommand {
  const record = recordByUuid(state, command.uuid);
  const plan = { ...command, id: context.newId(), atMs: context.nowMs };
  if (record === undefined) return { ...plan, shardId: 0, nodes: [] };
  if (command.direction === 'up')
    return {
      ...plan,
      shardId: nextShardId(record.shards),
      nodes: newShardNodes(state, record, command, context),
    };
  return { ...plan, shardId: lastShard(record, command)?.shardId ?? -1, nodes: [] };
}

function newShardNodes(
  state: MetaState,
  record: CollectionRecord,
  { nodeId, shardKey }: Command<'start_resharding'>,
  { isFull }: PlanContext,
): NodeId[] {
  const sibling = record.shards.find((shard) => isSameKey(shard.shardKey, shardKey));
  if (sibling === undefined) return [];
  const factor = wantedReplicas(record, sibling);
  const [nodes = []] = placeReplicas(state, { shards: 1, factor, collection: record, isFull });
  // The node that was asked for goes first, in place of the worst of the others.
  if (nodeId === null) return nodes;
  requireHost(state, nodeId);
  return [nodeId, ...nodes.filter((id) => id !== nodeId)].slice(0, Math.max(1, factor));
}

/** A router's catalogue may be a little old: what it let pass is looked at again here. */
function requireHost(state: MetaState, nodeId: NodeId): void {
  const node = state.nodes.get(nodeId);
  if (node === undefined) throw new ClusterError('bad_request', `Peer ${nodeId} does not exist`);
  if (!node.roles.includes('shard')) throw new ClusterError('bad_request', `Peer ${nodeId} holds no shards`);
  if (!canHost(node))
    throw new ClusterError(
      'bad_request',
      `Peer ${nodeId} is ${node.state} and takes no new shards; name another one`,
    );
}

function requireDrainable(state: MetaState, nodeId: NodeId): void {
  const node = state.nodes.get(nodeId);
  if (node === undefined || node.roles.includes('shard')) return;
  throw new ClusterError(
    'bad_request',
    `Peer ${nodeId} holds no shards, so there is nothing to drain; DELETE /cluster/peer/${nodeId} takes it out`,
  );
}

/** The one with the highest id; on the node that was asked for, if any. */
function lastShard(
  record: CollectionRecord,
  { nodeId, shardKey }: Command<'start_resharding'>,
): ShardRecord | undefined {
  return record.shards.findLast(
    (shard) =>
      isSameKey(shard.shardKey, shardKey) && (nodeId === null || replicaOn(shard, nodeId) !== undefined),
  );
}

function successorOf(
  state: MetaState,
  { uuid, shardId, nodeId }: Command<'drop_replica'>,
  { isReachable }: PlanContext,
): number | null {
  const record = recordByUuid(state, uuid);
  const shard = record === undefined ? undefined : shardOf(record, shardId);
  const next = shard?.replicas.find(
    (one) => one.nodeId !== nodeId && shard.inSync.includes(one.replica) && isReachable(one.nodeId),
  );
  return next?.replica ?? null;
}
