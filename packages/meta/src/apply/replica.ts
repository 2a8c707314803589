/**
 * Replicas placed and taken away. Always: the last in-sync copy is never taken away, except with the node that an
 * operator removes by force.
 */
import { replicaOn, shardOf, type CollectionRecord, type NodeId, type ShardRecord } from '@quiver/model';
import type { StateCommand } from '../state-command.ts';
import { changed, recordByUuid, refused, type MetaState, type Outcome } from '../state.ts';
import { noShard, stale, withRecord, withShard, withSuspects, type NamedShard } from './shard.ts';

type Command<K extends StateCommand['kind']> = Extract<StateCommand, { kind: K }>;

export function addReplica(state: MetaState, command: Command<'add_replica'>): Outcome {
  return onShard(state, command, (record, shard) => {
    if (shard.cfgVersion !== command.expectCfg) return stale(record, shard);
    const refusal = cannotHost(state, shard, command.nodeId);
    if (refusal !== null) return refusal;
    return placed(state, withReplica(record, shard, state.nextReplica, command.nodeId));
  });
}

/** The controller's: never the primary, never the last in-sync copy. */
export function removeReplica(state: MetaState, command: Command<'remove_replica'>): Outcome {
  return onShard(state, command, (record, shard) => {
    const { expectCfg, replica } = command;
    if (shard.cfgVersion !== expectCfg || shard.primary === replica) return stale(record, shard);
    if (!isPlaced(shard, replica)) return stale(record, shard);
    if (isLastInSync(shard, replica)) return lastCopy(record, shard);
    return changed(state, withRecord(state, withoutReplica(record, shard, replica)));
  });
}

/** The operator's. The shard keeps one copy less from now on, else it would be made anew at once. */
export function dropReplica(state: MetaState, command: Command<'drop_replica'>): Outcome {
  return onShard(state, command, (record, shard) => {
    const replica = replicaOn(shard, command.nodeId)?.replica;
    if (replica === undefined)
      return refused('bad_request', `Peer ${command.nodeId} has no replica of shard ${shard.shardId}`);
    const { successor } = command;
    // Qdrant's words.
    if (isLastInSync(shard, replica) || (shard.primary === replica && successor === null))
      return refused(
        'bad_request',
        `Shard ${shard.shardId} must have at least one active replica after removing ${command.nodeId}`,
      );
    const next = withoutReplica(record, shard, replica);
    const left = shardOf(next, shard.shardId)!;
    const isPrimaryGone = shard.primary === replica;
    if (isPrimaryGone && !left.inSync.includes(successor!)) return stale(record, shard);
    const primary = isPrimaryGone ? successor : left.primary;
    const fewer = withSuspects({ ...left, primary, replicationFactor: left.replicas.length }, left.suspects);
    const shards = next.shards.map((one) => (one === left ? fewer : one));
    return changed(state, withRecord(state, { ...next, shards }));
  });
}

export function replicaLost(state: MetaState, command: Command<'replica_lost'>): Outcome {
  return onShard(state, command, (record, shard) => {
    if (!isPlaced(shard, command.replica)) return stale(record, shard);
    if (isLastInSync(shard, command.replica)) return lastCopy(record, shard);
    return changed(state, withRecord(state, withoutReplica(record, shard, command.replica)));
  });
}

/** The record without the replica: placed, in sync, primary, transfers. A lost primary ends its term. */
export function withoutReplica(
  record: CollectionRecord,
  shard: ShardRecord,
  replica: number,
): CollectionRecord {
  const isPrimary = shard.primary === replica;
  const next = {
    ...shard,
    replicas: shard.replicas.filter((one) => one.replica !== replica),
    inSync: shard.inSync.filter((one) => one !== replica),
    primary: isPrimary ? null : shard.primary,
    term: isPrimary ? shard.term + 1 : shard.term,
  };
  // A transfer whose source is gone still adds its target; one whose target is gone is over.
  const transfers = record.transfers
    .filter(({ to }) => to !== replica)
    .map((transfer) => (transfer.from === replica ? { ...transfer, from: null } : transfer));
  return { ...withShard(record, withSuspects(next, shard.suspects)), transfers };
}

export function withReplica(
  record: CollectionRecord,
  shard: ShardRecord,
  replica: number,
  nodeId: NodeId,
): CollectionRecord {
  return withShard(record, { ...shard, replicas: [...shard.replicas, { replica, nodeId }] });
}

/** The state with the next replica number used up. */
export function placed(state: MetaState, record: CollectionRecord): Outcome {
  return changed(state, { ...withRecord(state, record), nextReplica: state.nextReplica + 1 });
}

/** Why the node cannot get a replica of the shard; null when it can. */
export function cannotHost(state: MetaState, shard: ShardRecord, nodeId: NodeId): Outcome | null {
  const node = state.nodes.get(nodeId);
  if (node === undefined) return refused('bad_request', `Peer ${nodeId} does not exist`);
  if (!node.roles.includes('shard')) return refused('bad_request', `Peer ${nodeId} holds no shards`);
  if (replicaOn(shard, nodeId) !== undefined)
    return refused('bad_request', `Shard ${shard.shardId} is already on peer ${nodeId}`);
  return null;
}

export function isPlaced(shard: ShardRecord, replica: number): boolean {
  return shard.replicas.some((one) => one.replica === replica);
}

export function isLastInSync(shard: ShardRecord, replica: number): boolean {
  return shard.inSync.length === 1 && shard.inSync[0] === replica;
}

function lastCopy(record: CollectionRecord, { shardId }: ShardRecord): Outcome {
  return refused(
    'precondition_failed',
    `it is the last in-sync copy of shard ${shardId} of ${record.name}; promote another one by force to give it up`,
  );
}

export function onShard(
  state: MetaState,
  { uuid, shardId }: NamedShard,
  act: (record: CollectionRecord, shard: ShardRecord) => Outcome,
): Outcome {
  const record = recordByUuid(state, uuid);
  const shard = record === undefined ? undefined : shardOf(record, shardId);
  return record === undefined || shard === undefined ? noShard(shardId) : act(record, shard);
}
