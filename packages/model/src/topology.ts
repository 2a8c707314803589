/**
 * Who holds what: nodes, shards, replicas, in-sync sets. Part of the catalogue, so every thread and router has it as of
 * one revision. Ids are minted, never addresses: a node keeps its id when its address changes, and a wiped disk gets a
 * new id. Always: a replica number is never given twice in a cluster; a primary is in the in-sync set; the slots of the
 * shards of one shard key are disjoint and cover all slots.
 */
import { slotCount, slotOf } from './slot.ts';
import type { SlotRuns } from './slot-runs.ts';
import type { PointId } from './point-id.ts';
import type { CollectionRecord } from './collection.ts';

/** 1..2^53-1, random, minted when the node's data volume is made; reported as Qdrant's peer id. */
export type NodeId = number;

export type NodeRole = 'meta' | 'shard' | 'router';

/** `host:port` for each service a node offers; null = it does not. */
export interface NodeAddresses {
  /** Consensus, watch and sessions. */
  readonly meta: string | null;
  /** Reads, writes and replication between nodes. */
  readonly shard: string | null;
  /** Public, for reports. */
  readonly rest: string | null;
}

/** down: its session expired. draining: it gives its replicas away and gets no new ones. */
export type NodeState = 'up' | 'down' | 'draining';

export interface NodeRecord {
  readonly id: NodeId;
  /** Its number in the consensus, kept in the meta volume (`id` is kept in the data volume); null: it is no member. */
  readonly memberId: number | null;
  /** What operators call it; not unique. */
  readonly name: string;
  readonly roles: readonly NodeRole[];
  readonly addresses: NodeAddresses;
  /** Failure domain; replicas of one shard are spread over zones. '' = none given. */
  readonly zone: string;
  /** New at every start of the process. */
  readonly bootId: string;
  readonly version: string;
  /** What the process can do; the cluster's level is the least of its members'. */
  readonly featureLevel: number;
  readonly state: NodeState;
  /** Wall clock of the proposer when `state` last changed, ms since the epoch: the start of grace periods. */
  readonly stateSinceMs: number;
}

export interface ReplicaRecord {
  /** The allocation: a cluster-wide number, the prefix of its records on disk. A re-created copy gets a new one. */
  readonly replica: number;
  readonly nodeId: NodeId;
}

export type ShardKey = string | number | bigint;

/** 1 and 1n are the same key, "1" is another. null: of shards without a key. */
export function isSameKey(a: ShardKey | null, b: ShardKey | null): boolean {
  if (a === null || b === null) return a === b;
  return (typeof a === 'string') === (typeof b === 'string') && String(a) === String(b);
}

/** Which shard keys a request is for. */
export type ShardKeySelector =
  | { readonly kind: 'keys'; readonly keys: readonly ShardKey[] }
  /** `fallback` while there is no `target`. */
  | { readonly kind: 'fallback'; readonly target: ShardKey; readonly fallback: ShardKey };

/** What every request on points may carry; the router takes it off before shards are asked. */
export interface Addressed {
  /** Absent: all, for reads; the shards without a key, for writes. */
  readonly shardKeys?: ShardKeySelector;
}

export interface ShardRecord {
  /** Within the collection. */
  readonly shardId: number;
  /** null unless the collection's sharding is custom. */
  readonly shardKey: ShardKey | null;
  readonly slots: SlotRuns;
  /**
   * It may hold points of other slots: of some that left and are not deleted yet, or of some that are on their way here.
   * Readers leave them out. Set when a resharding begins, absent again when the primary has looked through everything.
   */
  readonly holdsMore?: true;
  readonly replicas: readonly ReplicaRecord[];
  /** Replica numbers that have every acknowledged change; only these may become primary. */
  readonly inSync: readonly number[];
  /** null: no in-sync replica is reachable; reads go on, writes are refused. */
  readonly primary: number | null;
  /**
   * In sync, and believed dead when the primary was promoted; absent: none. They stay in the set until the primary, which
   * lives, takes them out itself or has them back: taken out by the promotion, one of them could be the last intact copy.
   */
  readonly suspects?: readonly number[];
  /** Rises with each change of primary, also when the same replica restarts. */
  readonly term: number;
  /** Rises with each change of this record. */
  readonly cfgVersion: number;
  /** Copies wanted of this shard, where they are not the collection's `replication_factor`: an operator's wish. */
  readonly replicationFactor?: number;
}

/** A replica on its way: `to` is in `replicas`, catches up, joins the in-sync set; then `from` is removed. */
export interface TransferRecord {
  readonly shardId: number;
  /** Replica that is replaced when it is done; null = one is added. */
  readonly from: number | null;
  readonly to: number;
  /** As asked for; Quiver copies the delta or the range, whichever is less. */
  readonly method: 'stream_records' | 'snapshot' | 'wal_delta' | 'resharding_stream_records';
  readonly startedAtMs: number;
}

/** Slots on their way between shards of one shard key. */
export interface ReshardingRecord {
  readonly id: string;
  readonly direction: 'up' | 'down';
  /** The shard that is filled (up) or emptied (down). */
  readonly shardId: number;
  readonly shardKey: ShardKey | null;
  readonly nodeId: NodeId;
  readonly startedAtMs: number;
  /** It was given up: what it had moved goes back. */
  readonly isAborted?: true;
}

/** An id out of a random UUID: 53 bits of it, 1..2^53-1. */
export function mintNodeId(uuid: string): NodeId {
  return Number(BigInt(`0x${uuid.replaceAll('-', '')}`) % (2n ** 53n - 1n)) + 1;
}

/** Where one replica is, or undefined when this node holds none of the shard. */
export function replicaOn(shard: ShardRecord, nodeId: NodeId): ReplicaRecord | undefined {
  return shard.replicas.find((replica) => replica.nodeId === nodeId);
}

/** The primary's record; undefined while there is none. */
export function primaryOf(shard: ShardRecord): ReplicaRecord | undefined {
  return shard.replicas.find(({ replica }) => replica === shard.primary);
}

/** In sync and not believed dead: it may answer reads. */
export function mayServe({ inSync, suspects }: ShardRecord, replica: number): boolean {
  return inSync.includes(replica) && suspects?.includes(replica) !== true;
}

/** @throws never; undefined when the collection has no such shard */
export function shardOf(collection: CollectionRecord, shardId: number): ShardRecord | undefined {
  return collection.shards.find((shard) => shard.shardId === shardId);
}

/** Slots 0..16383 in `count` equal runs: the slots of shard `index` of a new collection or shard key. */
export function equalSlots(index: number, count: number): (readonly [from: number, to: number])[] {
  const from = Math.ceil((index * slotCount) / count);
  const to = Math.ceil(((index + 1) * slotCount) / count);
  return from === to ? [] : [[from, to]];
}

/**
 * Shard that owns a point among `shards` of one shard key.
 * @returns undefined only when the slots do not cover the point, which no valid record does
 */
export function ownerOf(shards: readonly ShardRecord[], id: PointId): ShardRecord | undefined {
  if (shards.length === 1) return shards[0];
  const slot = slotOf(id);
  return shards.find(({ slots }) => slots.some(([from, to]) => slot >= from && slot < to));
}
