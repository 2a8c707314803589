/** Operations on the cluster out of JSON. */
import { ClusterError, type NodeId, type ShardKey, type TransferRecord } from '@quiver/model';
import type { ClusterOperation, NewShardKey } from '../../cluster/cluster-api.ts';
import { replicaStates } from '../../cluster/cluster-api.ts';
import { peerIdOf } from '../../cluster/peer-id.ts';
import {
  fieldOf,
  fieldsOf,
  integerOf,
  isFields,
  isSaid,
  listOf,
  malformed,
  missingField,
  optionalInteger,
  Problems,
  variantOf,
  type Fields,
} from './fields.ts';
import { decodeFilter } from './filter.ts';
import { shardKeyOf } from './shard-key.ts';

const methods = ['stream_records', 'snapshot', 'wal_delta', 'resharding_stream_records'] as const;
const u32Max = 0xffff_ffffn;

type DecodeOperation = (fields: Fields) => ClusterOperation;

/** By key in the body; all but `force_promote` are Qdrant's. */
const operations: Readonly<Record<string, DecodeOperation>> = {
  move_shard: (fields) => ({ kind: 'move_shard', ...between(fields), method: decodeMethod(fields) }),
  replicate_shard: (fields) => ({
    kind: 'replicate_shard',
    ...between(fields),
    method: decodeMethod(fields),
  }),
  abort_transfer: (fields) => ({ kind: 'abort_transfer', ...between(fields) }),
  restart_transfer: (fields) => ({
    kind: 'restart_transfer',
    ...between(fields),
    method: variantOf(required(fields, 'method'), methods),
  }),
  drop_replica: (fields) => ({ kind: 'drop_replica', ...replicaOf(fields) }),
  create_sharding_key: (fields) => ({ kind: 'create_shard_key', ...newShardKey(fields) }),
  drop_sharding_key: (fields) => ({ kind: 'drop_shard_key', key: keyAt(fields, 'shard_key') }),
  start_resharding: (fields) => {
    const [shardKey, peer] = [fieldOf(fields, 'shard_key'), fieldOf(fields, 'peer_id')];
    return {
      kind: 'start_resharding',
      direction: variantOf(required(fields, 'direction'), ['up', 'down'] as const),
      nodeId: isSaid(peer) ? peerOf(peer) : null,
      shardKey: isSaid(shardKey) ? keyOf(shardKey) : null,
    };
  },
  commit_read_hash_ring: () => ({ kind: 'commit_resharding' }),
  commit_write_hash_ring: () => ({ kind: 'commit_resharding' }),
  finish_resharding: () => ({ kind: 'finish_resharding' }),
  abort_resharding: () => ({ kind: 'abort_resharding' }),
  replicate_points: (fields) => {
    const problems = new Problems();
    const filter = decodeFilter(fieldOf(fields, 'filter'), 'replicate_points.filter', problems);
    problems.check();
    const [from, to] = [keyAt(fields, 'from_shard_key'), keyAt(fields, 'to_shard_key')];
    return { kind: 'replicate_points', from, to, filter };
  },
  force_promote: (fields) => ({ kind: 'force_promote', ...replicaOf(fields) }),
};

/** @throws ClusterError malformed, whatever is wrong inside: Qdrant tries every kind and names none */
export function decodeClusterOperation(doc: unknown): ClusterOperation {
  const kind = isFields(doc) ? Object.keys(operations).find((key) => Object.hasOwn(doc, key)) : undefined;
  try {
    if (kind !== undefined) return operations[kind]!(fieldsOf((doc as Fields)[kind], `struct ${kind}`));
  } catch (error) {
    if (!(error instanceof ClusterError) || error.code !== 'malformed') throw error;
  }
  throw malformed('data did not match any variant of untagged enum ClusterOperations');
}

export function decodeCreateShardKey(doc: unknown): NewShardKey {
  return newShardKey(fieldsOf(doc, 'struct CreateShardingKey'));
}

export function decodeDropShardKey(doc: unknown): ShardKey {
  return keyAt(fieldsOf(doc, 'struct DropShardingKey'), 'shard_key');
}

/** @throws ClusterError bad_request for an initial state that new shards of Quiver do not have */
function newShardKey(fields: Fields): NewShardKey {
  const placement = fieldOf(fields, 'placement');
  const initial = fieldOf(fields, 'initial_state');
  if (isSaid(initial) && !['Active', 'Initializing'].includes(variantOf(initial, replicaStates)))
    throw new ClusterError(
      'bad_request',
      'initial_state must be Active or Initializing: a new shard is empty and in sync',
    );
  return {
    key: keyAt(fields, 'shard_key'),
    shardNumber: nonZero(fields, 'shards_number'),
    replicationFactor: nonZero(fields, 'replication_factor'),
    placement: isSaid(placement) ? listOf(placement).map(peerOf) : null,
  };
}

function between(fields: Fields): { shardId: number; from: number; to: number } {
  return {
    shardId: shardIdOf(fields),
    from: peerOf(required(fields, 'from_peer_id')),
    to: peerOf(required(fields, 'to_peer_id')),
  };
}

function replicaOf(fields: Fields): { shardId: number; nodeId: number } {
  return { shardId: shardIdOf(fields), nodeId: peerOf(required(fields, 'peer_id')) };
}

/** @throws ClusterError malformed; bad_request for a number that no peer has */
function peerOf(value: unknown): NodeId {
  integerOf(value, 'u64');
  return peerIdOf(value as number | bigint);
}

function shardIdOf(fields: Fields): number {
  return integerOf(required(fields, 'shard_id'), 'u32', u32Max);
}

function decodeMethod(fields: Fields): TransferRecord['method'] {
  const method = fieldOf(fields, 'method');
  return isSaid(method) ? variantOf(method, methods) : 'stream_records';
}

function nonZero(fields: Fields, key: string): number | null {
  const value = optionalInteger(fields, key, 'u32');
  if (value === 0) throw malformed('invalid value: integer `0`, expected a nonzero u32');
  return value ?? null;
}

function required(fields: Fields, key: string): unknown {
  const value = fieldOf(fields, key);
  if (value === undefined) throw missingField(key);
  return value;
}

function keyAt(fields: Fields, name: string): ShardKey {
  return keyOf(required(fields, name));
}

function keyOf(value: unknown): ShardKey {
  const key = shardKeyOf(value);
  if (key === null) throw malformed('data did not match any variant of untagged enum ShardKey');
  return key;
}
