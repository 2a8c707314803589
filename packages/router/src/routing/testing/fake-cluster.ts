/**
 * Shard nodes that a test scripts, under a clock it drives: each answers after its latency, fails, or never answers. The
 * catalogue is the test's to change; every change is a new revision that waiting routers see.
 */
import type { VirtualEnv } from '@quiver/env/testing';
import {
  ClusterError,
  equalSlots,
  shardOf,
  type Catalogue,
  type CollectionRecord,
  type NodeId,
  type NodeRecord,
  type ShardRecord,
  type SlotRuns,
} from '@quiver/model';
import type {
  CallOptions,
  MetaService,
  ShardNode,
  ShardTarget,
  ShardWrite,
  ShardWriteOutcome,
} from '@quiver/rpc';
import { builtInDefaults } from '../../defaults.ts';
import { newCollectionConfig } from '../../collection-config.ts';

export interface FakeBehaviour {
  latencyMs: number;
  /** Thrown instead of an answer, after the latency. */
  failure: ClusterError | null;
  /** No answer at all, as of a stopped process. */
  isHung: boolean;
}

export interface FakeCluster {
  readonly nodes: { node(nodeId: NodeId): ShardNode };
  readonly meta: MetaService;
  /** In order. */
  readonly asked: {
    readonly nodeId: NodeId;
    readonly shardIds: readonly number[];
    /** Of each shard, as it was asked. */
    readonly slots: readonly SlotRuns[];
    readonly atMs: number;
  }[];
  readonly written: { readonly nodeId: NodeId; readonly write: ShardWrite; readonly atMs: number }[];
  /** Answers of writes, by node; default: done. */
  readonly outcomes: Map<NodeId, (write: ShardWrite) => ShardWriteOutcome>;
  behaviour(nodeId: NodeId): FakeBehaviour;
  collection(): CollectionRecord;
  /** A new revision with the collection's shards changed. */
  change(shards: (shards: readonly ShardRecord[]) => readonly ShardRecord[]): void;
}

/** `placement[shard]` = nodes, the primary first. All replicas are in sync; replica numbers are 10 * shard + node. */
export function createFakeCluster(env: VirtualEnv, placement: readonly (readonly NodeId[])[]): FakeCluster {
  const asked: FakeCluster['asked'] = [];
  const written: { nodeId: NodeId; write: ShardWrite; atMs: number }[] = [];
  const outcomes: FakeCluster['outcomes'] = new Map();
  const behaviours = new Map<NodeId, FakeBehaviour>();
  const waiters: { revision: number; resolve: () => void }[] = [];
  let catalogue = catalogueOf(1, placement.map(shardRecord), new Set(placement.flat()));

  function behaviour(nodeId: NodeId): FakeBehaviour {
    let found = behaviours.get(nodeId);
    if (found === undefined) behaviours.set(nodeId, (found = { latencyMs: 1, failure: null, isHung: false }));
    return found;
  }

  async function answer<T>(nodeId: NodeId, { deadlineMs }: CallOptions, value: () => T): Promise<T> {
    const { latencyMs, failure, isHung } = behaviour(nodeId);
    const waitMs = isHung ? deadlineMs - env.now() : Math.min(latencyMs, deadlineMs - env.now());
    await new Promise<void>((resolve) => env.after(waitMs, resolve));
    if (isHung || latencyMs > waitMs) throw new ClusterError('deadline_exceeded', 'too late');
    if (failure !== null) throw failure;
    return value();
  }

  function node(nodeId: NodeId): ShardNode {
    const read = <T>(
      { collection, shardIds }: ShardTarget,
      options: CallOptions,
      value: () => T,
    ): Promise<T> => {
      const slots = shardIds.map((shardId) => shardOf(collection, shardId)!.slots);
      asked.push({ nodeId, shardIds, slots, atMs: env.now() });
      return answer(nodeId, options, value);
    };
    return {
      reads: {
        query: (target, requests, options) => read(target, options, () => requests.map(() => [])),
        explain: (target, requests, options) => read(target, options, () => requests.map(() => [])),
        scroll: (target, _, options) => read(target, options, () => ({ points: [], nextOffset: null })),
        retrieve: (target, _, options) => read(target, options, () => []),
        // A thousand for each shard, so that a sum shows which have answered.
        count: (target, _, options) =>
          read(target, options, () => target.shardIds.reduce((sum, id) => sum + 1000 ** (id + 1), 0)),
        facet: (target, _, options) => read(target, options, () => []),
      },
      writes: {
        write(_, writes, options) {
          for (const write of writes) written.push({ nodeId, write, atMs: env.now() });
          const outcome = outcomes.get(nodeId) ?? ((): ShardWriteOutcome => ({ ok: true, operationId: 1 }));
          return answer(nodeId, options, () => writes.map(outcome));
        },
        describe: () => Promise.reject(new Error('not scripted')),
      },
    };
  }

  const meta: MetaService = {
    catalogue: () => catalogue,
    propose: () => Promise.reject(new Error('not scripted')),
    status: () => Promise.reject(new Error('not scripted')),
    refresh: () => Promise.resolve(),
    reached: (revision, { deadlineMs }) =>
      new Promise((resolve, reject) => {
        if (revision <= catalogue.revision) resolve();
        else {
          waiters.push({ revision, resolve });
          env.after(deadlineMs - env.now(), () => reject(new ClusterError('deadline_exceeded', 'no news')));
        }
      }),
  };

  return {
    nodes: { node },
    meta,
    asked,
    written,
    outcomes,
    behaviour,
    collection: () => catalogue.collections.get('c')!,
    change(shards) {
      const next = shards(catalogue.collections.get('c')!.shards);
      catalogue = catalogueOf(catalogue.revision + 1, next, catalogue.nodes.keys());
      for (const waiter of waiters.filter(({ revision }) => revision <= catalogue.revision)) waiter.resolve();
    },
  };

  function shardRecord(nodes: readonly NodeId[], shardId: number): ShardRecord {
    const replicas = nodes.map((nodeId) => ({ replica: 10 * shardId + nodeId, nodeId }));
    return {
      shardId,
      shardKey: null,
      slots: equalSlots(shardId, placement.length),
      replicas,
      inSync: replicas.map(({ replica }) => replica),
      primary: replicas[0]!.replica,
      term: 1,
      cfgVersion: 1,
    };
  }
}

function catalogueOf(revision: number, shards: readonly ShardRecord[], nodeIds: Iterable<NodeId>): Catalogue {
  const request = { vectors: { size: 2, distance: 'Dot' }, replication_factor: 3 } as const;
  const config = newCollectionConfig(request, builtInDefaults, 1);
  const record = { name: 'c', uuid: 'u', config, payloadSchema: {}, shards, transfers: [], resharding: null };
  const nodes = new Map([...nodeIds].map((nodeId) => [nodeId, nodeRecord(nodeId)]));
  return { revision, collections: new Map([['c', record]]), aliases: new Map(), nodes };
}

function nodeRecord(id: NodeId): NodeRecord {
  return {
    id,
    memberId: null,
    name: `node ${id}`,
    roles: ['shard'],
    addresses: { meta: null, shard: null, rest: null },
    zone: '',
    bootId: 'boot',
    version: '0',
    featureLevel: 1,
    state: 'up',
    stateSinceMs: 0,
  };
}
