/** The calls of `qdrant.Collections` about shards and nodes. */
import { ClusterError, type ShardKey, type TransferRecord } from '@quiver/model';
import {
  decodeFilter,
  decodeShardKey,
  malformed,
  Problems,
  type FilterMessage,
  type KeyMessage,
  type RpcCall,
  type UnaryHandler,
} from '@quiver/rpc';
import type { Api } from '../api.ts';
import {
  replicaStates,
  type ClusterOperation,
  type CollectionCluster,
  type PlacedReplica,
  type ReplicaState,
} from '../cluster/cluster-api.ts';
import { peerIdOf } from '../cluster/peer-id.ts';
import { contextOf } from './call.ts';
import type { GrpcOptions } from './options.ts';
import { checkedName } from './validate.ts';

type Count = number | bigint;
interface Named {
  readonly collection_name?: string;
  readonly timeout?: Count;
}
interface BetweenMessage {
  readonly shard_id?: number;
  readonly from_peer_id?: Count;
  readonly to_peer_id?: Count;
  readonly method?: number;
}
interface CreateKeyMessage {
  readonly shard_key?: KeyMessage;
  readonly shards_number?: number;
  readonly replication_factor?: number;
  readonly placement?: readonly Count[];
  readonly initial_state?: number;
}
interface DeleteKeyMessage {
  readonly shard_key?: KeyMessage;
}
interface SetupMessage extends Named {
  readonly move_shard?: BetweenMessage;
  readonly replicate_shard?: BetweenMessage;
  readonly abort_transfer?: BetweenMessage;
  readonly drop_replica?: { readonly shard_id?: number; readonly peer_id?: Count };
  readonly create_shard_key?: CreateKeyMessage;
  readonly delete_shard_key?: DeleteKeyMessage;
  readonly restart_transfer?: BetweenMessage;
  readonly replicate_points?: {
    readonly from_shard_key?: KeyMessage;
    readonly to_shard_key?: KeyMessage;
    readonly filter?: FilterMessage;
  };
}

const methods = ['stream_records', 'snapshot', 'wal_delta', 'resharding_stream_records'] as const;

export function clusterHandlers(api: Api, options: GrpcOptions): Record<string, UnaryHandler> {
  const { env } = options;

  async function update(
    message: Named,
    call: RpcCall,
    operation: ClusterOperation,
  ): Promise<{ result: boolean; time: number }> {
    const startedAtMs = env.now();
    const result = await api.updateCluster(
      checkedName(message),
      operation,
      contextOf(call, message, options),
    );
    return { result, time: (env.now() - startedAtMs) / 1_000 };
  }

  return {
    CollectionClusterInfo: async (message: Named, call: RpcCall) => {
      const startedAtMs = env.now();
      const info = await api.collectionCluster(checkedName(message), contextOf(call, message, options));
      return { ...clusterMessage(info), time: (env.now() - startedAtMs) / 1_000 };
    },
    UpdateCollectionClusterSetup: (message: SetupMessage, call: RpcCall) =>
      update(message, call, decodeSetup(message)),
    CreateShardKey: (message: Named & { readonly request?: CreateKeyMessage }, call: RpcCall) => {
      if (message.request === undefined) throw malformed('Request is missing');
      return update(message, call, decodeCreateKey(message.request));
    },
    DeleteShardKey: (message: Named & { readonly request?: DeleteKeyMessage }, call: RpcCall) => {
      if (message.request === undefined) throw malformed('Request is missing');
      return update(message, call, { kind: 'drop_shard_key', key: keyOf(message.request.shard_key) });
    },
    ListShardKeys: async (message: Named, call: RpcCall) => {
      const startedAtMs = env.now();
      const keys = await api.listShardKeys(checkedName(message), contextOf(call, message, options));
      return {
        shard_keys: (keys ?? []).map((key) => ({ key: keyMessage(key) })),
        time: (env.now() - startedAtMs) / 1_000,
      };
    },
  };
}

function decodeSetup(message: SetupMessage): ClusterOperation {
  const { move_shard: move, replicate_shard: replicate, abort_transfer: abort } = message;
  const { drop_replica: drop, restart_transfer: restart, replicate_points: points } = message;
  if (move !== undefined) return { kind: 'move_shard', ...between(move), method: methodOf(move) };
  if (replicate !== undefined)
    return { kind: 'replicate_shard', ...between(replicate), method: methodOf(replicate) };
  if (abort !== undefined) return { kind: 'abort_transfer', ...between(abort) };
  if (restart !== undefined)
    return { kind: 'restart_transfer', ...between(restart), method: methodOf(restart) };
  if (drop !== undefined)
    return { kind: 'drop_replica', shardId: drop.shard_id ?? 0, nodeId: peerIdOf(drop.peer_id ?? 0) };
  if (message.create_shard_key !== undefined) return decodeCreateKey(message.create_shard_key);
  if (message.delete_shard_key !== undefined)
    return { kind: 'drop_shard_key', key: keyOf(message.delete_shard_key.shard_key) };
  if (points === undefined) throw malformed('Operation is required');
  const problems = new Problems();
  const filter = decodeFilter(points.filter, 'filter', problems);
  problems.check();
  const [from, to] = [keyOf(points.from_shard_key), keyOf(points.to_shard_key)];
  return { kind: 'replicate_points', from, to, filter };
}

function decodeCreateKey(message: CreateKeyMessage): ClusterOperation {
  const { initial_state: initial } = message;
  if (initial !== undefined && !['Active', 'Initializing'].includes(replicaStates[initial] ?? ''))
    throw new ClusterError(
      'bad_request',
      'initial_state must be Active or Initializing: a new shard is empty and in sync',
    );
  return {
    kind: 'create_shard_key',
    key: keyOf(message.shard_key),
    shardNumber: positive(message, 'shards_number'),
    replicationFactor: positive(message, 'replication_factor'),
    placement:
      message.placement === undefined || message.placement.length === 0
        ? null
        : message.placement.map(peerIdOf),
  };
}

/** None would make a key that has no shard, or a shard that nobody holds. */
function positive(message: CreateKeyMessage, field: 'shards_number' | 'replication_factor'): number | null {
  const value = message[field];
  if (value === 0) throw malformed(`${field} must be greater than 0`);
  return value ?? null;
}

function between(message: BetweenMessage): { shardId: number; from: number; to: number } {
  return {
    shardId: message.shard_id ?? 0,
    from: peerIdOf(message.from_peer_id ?? 0),
    to: peerIdOf(message.to_peer_id ?? 0),
  };
}

function methodOf({ method = 0 }: BetweenMessage): TransferRecord['method'] {
  const found = methods[method];
  if (found === undefined) throw malformed(`invalid shard transfer method value ${method}`);
  return found;
}

function keyOf(message: KeyMessage | undefined): ShardKey {
  if (message === undefined) throw malformed('Shard key is missing');
  return decodeShardKey(message);
}

function keyMessage(key: ShardKey): KeyMessage {
  return typeof key === 'string' ? { keyword: key } : { number: key };
}

function clusterMessage(info: CollectionCluster): object {
  return {
    peer_id: info.nodeId,
    shard_count: info.shardCount,
    local_shards: info.local.map((replica) => ({
      ...shardMessage(replica),
      points_count: replica.pointsCount,
    })),
    remote_shards: info.remote.map((replica) => ({ ...shardMessage(replica), peer_id: replica.nodeId })),
    shard_transfers: info.transfers.map(({ shardId, from, to, sync }) => ({
      shard_id: shardId,
      from,
      to,
      sync,
    })),
    resharding_operations:
      info.resharding === null
        ? []
        : [
            {
              shard_id: info.resharding.shardId,
              peer_id: info.resharding.nodeId,
              direction: info.resharding.direction === 'up' ? 0 : 1,
              ...(info.resharding.shardKey === null
                ? {}
                : { shard_key: keyMessage(info.resharding.shardKey) }),
            },
          ],
  };
}

function shardMessage({ shardId, shardKey, state }: PlacedReplica): object {
  return {
    shard_id: shardId,
    state: stateNumber(state),
    ...(shardKey === null ? {} : { shard_key: keyMessage(shardKey) }),
  };
}

function stateNumber(state: ReplicaState): number {
  return replicaStates.indexOf(state);
}
