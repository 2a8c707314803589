/**
 * Replicas on their way: the target is placed at once and catches up as any replica does; when it is in sync, the
 * source goes. Always: at most one transfer of a shard between the same two nodes.
 */
import { replicaOn, type CollectionRecord, type ShardRecord } from '@quiver/model';
import type { StateCommand } from '../state-command.ts';
import { changed, refused, unchanged, type MetaState, type Outcome } from '../state.ts';
import { cannotHost, onShard, placed, withoutReplica, withReplica } from './replica.ts';
import { stale, withRecord } from './shard.ts';

type Command<K extends StateCommand['kind']> = Extract<StateCommand, { kind: K }>;

/** The operator's. A copy that stays is wished for beyond the replication factor, or it would be taken away again. */
export function startTransfer(state: MetaState, command: Command<'start_transfer'>): Outcome {
  return onShard(state, command, (record, shard) => {
    const source = replicaOn(shard, command.fromNode);
    if (source === undefined)
      return refused('bad_request', `Shard ${shard.shardId} is not on peer ${command.fromNode}`);
    const refusal = cannotHost(state, shard, command.toNode);
    if (refusal !== null) return refusal;
    const { keepSource, method, atMs } = command;
    const to = state.nextReplica;
    const transfer = {
      shardId: shard.shardId,
      from: keepSource ? null : source.replica,
      to,
      method,
      startedAtMs: atMs,
    };
    const wished = keepSource ? { ...shard, replicationFactor: shard.replicas.length + 1 } : shard;
    const next = withReplica(record, wished, to, command.toNode);
    return placed(state, { ...next, transfers: [...next.transfers, transfer] });
  });
}

/** The controller's. */
export function moveReplica(state: MetaState, command: Command<'move_replica'>): Outcome {
  return onShard(state, command, (record, shard) => {
    const { expectCfg, replica, toNode, atMs } = command;
    const isThere = shard.replicas.some((one) => one.replica === replica);
    const isMoving = record.transfers.some(({ from }) => from === replica);
    if (shard.cfgVersion !== expectCfg || !isThere || isMoving) return stale(record, shard);
    const refusal = cannotHost(state, shard, toNode);
    if (refusal !== null) return refusal;
    const to = state.nextReplica;
    const transfer = {
      shardId: shard.shardId,
      from: replica,
      to,
      method: 'stream_records' as const,
      startedAtMs: atMs,
    };
    const next = withReplica(record, shard, to, toNode);
    return placed(state, { ...next, transfers: [...next.transfers, transfer] });
  });
}

/** Refused until the target is in sync and the source is not the primary any more. */
export function finishTransfer(state: MetaState, command: Command<'finish_transfer'>): Outcome {
  return onShard(state, command, (record, shard) => {
    const transfer = record.transfers.find(({ to }) => to === command.to);
    if (transfer === undefined) return unchanged;
    const { from, to } = transfer;
    if (!shard.inSync.includes(to) || (from !== null && shard.primary === from)) return stale(record, shard);
    const moved = from === null ? record : withoutReplica(record, shard, from);
    // Of those that are left: the source may have been on its way itself, or have left to two nodes.
    const rest = moved.transfers.filter((one) => one.to !== to);
    return changed(state, withRecord(state, { ...moved, transfers: rest }));
  });
}

/** The target goes, unless it is in sync already: then it only stays beside the source. */
export function abortTransfer(state: MetaState, command: Command<'abort_transfer'>): Outcome {
  return onShard(state, command, (record, shard) => {
    const target = replicaOn(shard, command.toNode)?.replica;
    const transfer = record.transfers.find(({ to }) => to === target);
    if (transfer === undefined)
      return refused(
        'not_found',
        `There is no transfer of shard ${shard.shardId} from ${command.fromNode} to ${command.toNode}`,
      );
    const without = abandoned(record, shard, transfer.to);
    return changed(state, withRecord(state, without));
  });
}

function abandoned(record: CollectionRecord, shard: ShardRecord, to: number): CollectionRecord {
  const transfers = record.transfers.filter((one) => one.to !== to);
  if (shard.inSync.includes(to)) return { ...record, transfers };
  // The wish for one copy more goes with the copy.
  const wish = shard.replicationFactor;
  const fewer =
    wish !== undefined && wish > 1 && wish === shard.replicas.length
      ? { ...shard, replicationFactor: wish - 1 }
      : shard;
  return withoutReplica({ ...record, transfers }, fewer, to);
}
