/**
 * The metadata as one immutable value. A change makes a new value and shares what it did not touch.
 * Always: `revision` rises by one for each change; what `assertState` says.
 */
import {
  assert,
  slotCount,
  type Catalogue,
  type CollectionRecord,
  type ErrorCode,
  type JsonValue,
  type NodeId,
  type ShardRecord,
} from '@quiver/model';
import type { MemberRecord } from './state-command.ts';

/** Data loss that an operator accepted. */
export interface ForcedPromotion {
  readonly uuid: string;
  readonly shardId: number;
  readonly replica: number;
  /** The in-sync set that was given up. */
  readonly inSyncBefore: readonly number[];
  /** Of the promoted replica. */
  readonly term: number;
  readonly atMs: number;
}

/** The newest that are kept. */
export const forcedPromotionsMax = 256;

export interface MetaState extends Catalogue {
  /** '' until the first command of the log set it. */
  readonly clusterId: string;
  /** Number of the next replica; the first is 1. */
  readonly nextReplica: number;
  /** What every member of the cluster can do. */
  readonly featureLevel: number;
  readonly clusterMetadata: ReadonlyMap<string, JsonValue>;
  /** Nodes to be emptied; kept apart from `NodeRecord.state`, so that the wish outlives a crash of the node. */
  readonly draining: ReadonlySet<NodeId>;
  /** Members of the consensus, voting or not, by member id. */
  readonly members: ReadonlyMap<number, MemberRecord>;
  readonly forcedPromotions: readonly ForcedPromotion[];
}

export const emptyState: MetaState = {
  clusterId: '',
  revision: 0,
  nextReplica: 1,
  featureLevel: 1,
  collections: new Map(),
  aliases: new Map(),
  nodes: new Map(),
  clusterMetadata: new Map(),
  draining: new Set(),
  members: new Map(),
  forcedPromotions: [],
};

/** What a command did: a new state, or none, or why not. */
export type Outcome =
  | { readonly kind: 'changed'; readonly state: MetaState }
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
    };

export const unchanged: Outcome = { kind: 'unchanged' };

/** The next state, one revision on. */
export function changed(state: MetaState, part: Partial<Omit<MetaState, 'revision'>>): Outcome {
  return { kind: 'changed', state: { ...state, ...part, revision: state.revision + 1 } };
}

export function refused(code: ErrorCode, message: string): Outcome {
  return { kind: 'refused', code, message };
}

export function noCollection(name: string): Outcome {
  return refused('not_found', `Collection \`${name}\` doesn't exist!`);
}

/** The same map with one entry more or replaced. */
export function withEntry<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return new Map(map).set(key, value);
}

export function withoutEntry<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}

/** A collection's record with the incarnation checked: a command meant for a dropped one must not hit its successor. */
export function recordOf(state: MetaState, name: string, uuid: string): CollectionRecord | undefined {
  const record = state.collections.get(name);
  return record?.uuid === uuid ? record : undefined;
}

export function recordByUuid(state: MetaState, uuid: string): CollectionRecord | undefined {
  for (const record of state.collections.values()) if (record.uuid === uuid) return record;
  return undefined;
}

/** Copies that a shard should have. */
export function wantedReplicas(record: CollectionRecord, shard: ShardRecord): number {
  return shard.replicationFactor ?? record.config.params.replication_factor;
}

/** Stops the process on a state that no command can make. */
export function assertState(state: MetaState): void {
  for (const [alias, collection] of state.aliases) {
    assert(state.collections.has(collection), `alias ${alias} leads to ${collection}, which is not there`);
    assert(!state.collections.has(alias), `${alias} is an alias and a collection`);
  }
  for (const [id, node] of state.nodes) assert(node.id === id, `node ${node.id} is filed under ${id}`);
  for (const id of state.draining) assert(state.nodes.has(id), `node ${id} is drained and not there`);
  for (const [id, { memberId }] of state.members)
    assert(memberId === id, `member ${memberId} is filed under ${id}`);
  const replicas = new Set<number>();
  for (const [name, record] of state.collections) {
    assert(record.name === name, `collection ${record.name} is filed under ${name}`);
    for (const shard of record.shards) {
      assertShard(shard);
      assert(shard.term <= state.revision, `term ${shard.term} at revision ${state.revision}`);
      for (const { replica } of shard.replicas) {
        assert(replica < state.nextReplica, `replica ${replica} >= next ${state.nextReplica}`);
        assert(!replicas.has(replica), `replica ${replica} is given twice`);
        replicas.add(replica);
      }
    }
    assertSlots(record);
    assertMovement(record);
  }
}

function assertShard({ shardId, replicas, inSync, primary, suspects, term }: ShardRecord): void {
  const nodes = new Set(replicas.map(({ nodeId }) => nodeId));
  assert(nodes.size === replicas.length, `shard ${shardId} has two replicas on one node`);
  assert(new Set(inSync).size === inSync.length, `shard ${shardId} has a replica in sync twice`);
  for (const one of inSync)
    assert(
      replicas.some(({ replica }) => replica === one),
      `replica ${one} is in sync and not placed`,
    );
  assert(primary === null || inSync.includes(primary), `primary ${primary} is not in sync`);
  for (const one of suspects ?? [])
    assert(one !== primary && inSync.includes(one), `suspect ${one} leads or is not in sync`);
  assert(term >= 1, `shard ${shardId} has term ${term}`);
}

/** The slots of the shards of one key are disjoint and cover all. */
function assertSlots(record: CollectionRecord): void {
  const byKey = new Map<string, (readonly [number, number])[]>();
  for (const { shardKey, slots } of record.shards) {
    const key = `${typeof shardKey} ${String(shardKey)}`;
    byKey.set(key, [...(byKey.get(key) ?? []), ...slots]);
  }
  for (const [key, runs] of byKey) {
    let next = 0;
    for (const [from, to] of runs.sort((a, b) => a[0] - b[0])) {
      assert(from === next, `${record.name}, shard key ${key}: slots ${next}..${from} are not in one shard`);
      assert(to > from, `${record.name}: slots ${from}..${to}`);
      next = to;
    }
    assert(next === slotCount, `${record.name}, shard key ${key}: slots end at ${next}`);
  }
}

function assertMovement(record: CollectionRecord): void {
  for (const { shardId, from, to } of record.transfers) {
    const shard = record.shards.find((one) => one.shardId === shardId);
    const isPlaced = (id: number): boolean => shard?.replicas.some(({ replica }) => replica === id) ?? false;
    assert(isPlaced(to), `transfer to replica ${to} of shard ${shardId}, which is not placed`);
    assert(from === null || isPlaced(from), `transfer from replica ${from}, which is not placed`);
  }
  const resharded = record.resharding;
  assert(
    resharded === null || record.shards.some(({ shardId }) => shardId === resharded.shardId),
    `resharding of shard ${resharded?.shardId}, which is not there`,
  );
}
