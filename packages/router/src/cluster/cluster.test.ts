import type { Catalogue, CollectionRecord, NodeId, NodeRecord, ShardRecord } from '@quiver/model';
import { describe, expect, test } from 'vitest';
import { newCollectionConfig } from '../collection-config.ts';
import { builtInDefaults } from '../defaults.ts';
import type { ClusterOperation } from './cluster-api.ts';
import { clusterCommands } from './cluster-commands.ts';
import { placedReplicas, reshardingInfo, transferInfos } from './replica-states.ts';

function node(id: NodeId, state: NodeRecord['state'] = 'up'): NodeRecord {
  return {
    id,
    memberId: null,
    name: '',
    roles: ['shard'],
    addresses: { meta: null, shard: `10.0.0.${id}:6336`, rest: null },
    zone: '',
    bootId: 'b',
    version: '0',
    featureLevel: 1,
    state,
    stateSinceMs: 0,
  };
}

function shard(
  shardId: number,
  replicas: readonly (readonly [replica: number, node: NodeId])[],
): ShardRecord {
  return {
    shardId,
    shardKey: null,
    slots: [],
    replicas: replicas.map(([replica, nodeId]) => ({ replica, nodeId })),
    inSync: replicas.map(([replica]) => replica),
    primary: replicas[0]?.[0] ?? null,
    term: 1,
    cfgVersion: 1,
  };
}

function setup(
  shards: readonly ShardRecord[],
  change: Partial<CollectionRecord> = {},
  nodes: readonly NodeRecord[] = [node(1), node(2), node(3)],
): { catalogue: Catalogue; collection: CollectionRecord } {
  const config = newCollectionConfig({ vectors: { size: 2, distance: 'Dot' } }, builtInDefaults, 1);
  const plain = { name: 'c', uuid: 'u', config, payloadSchema: {}, shards, transfers: [], resharding: null };
  const collection = { ...plain, ...change };
  const catalogue = {
    revision: 1,
    collections: new Map([['c', collection]]),
    aliases: new Map<string, string>(),
    nodes: new Map(nodes.map((one) => [one.id, one])),
  };
  return { catalogue, collection };
}

function statesOf(given: ReturnType<typeof setup>): Record<string, string> {
  return Object.fromEntries(
    placedReplicas(given.catalogue, given.collection).map((one) => [
      `${one.shardId}@${one.nodeId}`,
      one.state,
    ]),
  );
}

const move = { method: 'snapshot', startedAtMs: 0 } as const;

describe('the state of a replica', () => {
  test('is Active in sync, Recovery when it fell behind, Partial while it is copied, Dead with its node', () => {
    const first = {
      ...shard(0, [
        [10, 1],
        [11, 2],
        [12, 3],
      ]),
      inSync: [10],
    };
    const given = setup(
      [first, shard(1, [[20, 4]])],
      { transfers: [{ shardId: 0, from: null, to: 12, ...move }] },
      [node(1), node(2), node(3), node(4, 'down')],
    );
    expect(statesOf(given)).toEqual({ '0@1': 'Active', '0@2': 'Recovery', '0@3': 'Partial', '1@4': 'Dead' });
  });

  test('is Dead while it is in sync and believed dead', () => {
    const pair = shard(0, [
      [10, 1],
      [11, 2],
    ]);
    expect(statesOf(setup([{ ...pair, suspects: [11] }]))).toEqual({ '0@1': 'Active', '0@2': 'Dead' });
  });

  test('is Resharding on the shard that is filled, ReshardingScaleDown on the one that is emptied', () => {
    for (const [direction, state] of [
      ['up', 'Resharding'],
      ['down', 'ReshardingScaleDown'],
    ] as const) {
      const resharding = { id: 'r', direction, shardId: 1, shardKey: null, nodeId: 2, startedAtMs: 0 };
      const given = setup([shard(0, [[10, 1]]), shard(1, [[11, 2]])], { resharding });
      expect(statesOf(given)).toEqual({ '0@1': 'Active', '1@2': state });
      expect(reshardingInfo(given.collection)).toEqual({ direction, shardId: 1, nodeId: 2, shardKey: null });
    }
  });
});

describe('operations on shards', () => {
  const given = setup(
    [
      shard(0, [
        [10, 1],
        [11, 2],
      ]),
    ],
    { transfers: [{ shardId: 0, from: 10, to: 11, ...move }] },
  );
  const commands = (operation: Exclude<ClusterOperation, { kind: 'replicate_points' }>): unknown =>
    clusterCommands(given.catalogue, given.collection, operation);
  const of = { uuid: 'u', shardId: 0 };

  test('a transfer is told from node to node, and from the primary where a copy is added', () => {
    expect(transferInfos(given.collection)).toEqual([
      { shardId: 0, from: 1, to: 2, sync: false, method: 'snapshot' },
    ]);
    const added = setup(given.collection.shards, {
      transfers: [{ shardId: 0, from: null, to: 11, ...move }],
    });
    expect(transferInfos(added.collection)).toMatchObject([{ from: 1, to: 2, sync: true }]);
  });

  test('moving and replicating differ in whether the source stays', () => {
    const between = { shardId: 0, from: 1, to: 3, method: 'stream_records' } as const;
    const started = { kind: 'start_transfer', ...of, fromNode: 1, toNode: 3, method: 'stream_records' };
    expect(commands({ kind: 'move_shard', ...between })).toEqual([{ ...started, keepSource: false }]);
    expect(commands({ kind: 'replicate_shard', ...between })).toEqual([{ ...started, keepSource: true }]);
  });

  test('a transfer is started again as what it was', () => {
    const between = { shardId: 0, from: 1, to: 2 };
    expect(commands({ kind: 'restart_transfer', ...between, method: 'wal_delta' })).toEqual([
      { kind: 'abort_transfer', ...of, fromNode: 1, toNode: 2 },
      { kind: 'start_transfer', ...of, fromNode: 1, toNode: 2, keepSource: false, method: 'wal_delta' },
    ]);
  });

  test('a promotion by force names the replica on that node', () => {
    expect(commands({ kind: 'force_promote', shardId: 0, nodeId: 2 })).toEqual([
      { kind: 'force_promote', ...of, replica: 11 },
    ]);
    expect(() => commands({ kind: 'force_promote', shardId: 0, nodeId: 3 })).toThrow(
      'Shard 0 of c has no replica on peer 3',
    );
  });

  test('a peer that is asked to take a new shard holds shards and is there to take it', () => {
    const nodes: readonly NodeRecord[] = [
      node(1),
      { ...node(2), roles: ['router'] },
      node(3, 'draining'),
      node(4, 'down'),
    ];
    const { catalogue, collection } = setup([shard(0, [[10, 1]])], {}, nodes);
    const custom = {
      ...collection,
      config: {
        ...collection.config,
        params: { ...collection.config.params, sharding_method: 'custom' as const },
      },
    };
    const up = (nodeId: NodeId): unknown =>
      clusterCommands(catalogue, collection, {
        kind: 'start_resharding',
        direction: 'up',
        nodeId,
        shardKey: null,
      });
    const anywhere = { shardNumber: null, replicationFactor: null, placement: null };
    const keyOn = (...placement: NodeId[]): unknown => {
      const shape = { shardNumber: null, replicationFactor: null, placement };
      return clusterCommands(catalogue, custom, { kind: 'create_shard_key', key: 'k', ...shape });
    };
    const moved = (nodeId: NodeId): unknown =>
      clusterCommands(catalogue, collection, {
        kind: 'move_shard',
        shardId: 0,
        from: 1,
        to: nodeId,
        method: 'stream_records',
      });
    for (const ask of [up, keyOn, moved]) {
      expect(ask(1)).toHaveLength(1);
      expect(() => ask(2)).toThrow('Peer 2 holds no shards');
      expect(() => ask(3)).toThrow('Peer 3 is draining and takes no new shards');
      expect(() => ask(4)).toThrow('Peer 4 is down and takes no new shards');
      expect(() => ask(5)).toThrow('Peer 5 does not exist');
    }
    expect(() => keyOn(1, 2)).toThrow('Peer 2 holds no shards');
    expect(() => keyOn()).toThrow('placement names no peer');
    const key = 'k'.repeat(1_025);
    const long = { kind: 'create_shard_key', key, ...anywhere } as const;
    expect(() => clusterCommands(catalogue, custom, long)).toThrow('1024 characters at most, this one 1025');
    // A shard that goes may go from anywhere.
    const down = { kind: 'start_resharding', direction: 'down', nodeId: 4, shardKey: null } as const;
    expect(clusterCommands(catalogue, collection, down)).toEqual([{ ...down, uuid: 'u' }]);
  });

  test('the steps of a resharding are taken while one is under way', () => {
    const resharding = {
      id: 'r',
      direction: 'up',
      shardId: 1,
      shardKey: null,
      nodeId: 2,
      startedAtMs: 0,
    } as const;
    const busy = setup(given.collection.shards, { resharding });
    const busyCommands = (kind: 'commit_resharding' | 'finish_resharding' | 'abort_resharding'): unknown =>
      clusterCommands(busy.catalogue, busy.collection, { kind });
    expect(busyCommands('commit_resharding')).toEqual([]);
    expect(busyCommands('finish_resharding')).toEqual([{ kind: 'finish_resharding', uuid: 'u', id: 'r' }]);
    expect(busyCommands('abort_resharding')).toEqual([{ kind: 'abort_resharding', uuid: 'u', id: 'r' }]);
    const start = { kind: 'start_resharding', direction: 'up', nodeId: null, shardKey: null } as const;
    expect(commands(start)).toEqual([{ ...start, uuid: 'u' }]);
    expect(() => clusterCommands(busy.catalogue, busy.collection, start)).toThrow('already in progress');
  });
});
