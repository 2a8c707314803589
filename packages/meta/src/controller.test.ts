// fast-check prints the seed and the path that replay a failure.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeId } from '@quiver/model';
import { planOrders } from './controller.ts';
import { defaultControllerSettings, type ControllerView } from './controller-view.ts';
import type { Order } from './state-command.ts';
import type { NodeReport } from './node-report.ts';
import { testNode } from './testing/records.ts';
import { World, world } from './testing/controller-world.ts';

test('a collection that was created while a node was down gets its other copies when the node is back', () => {
  const made = new World();
  made.addNode(1);
  made.addNode(2);
  made.alive.delete(2);
  made.converge();
  expect(made.state.nodes.get(2)?.state).toBe('down');
  made.create('c', 2, 2);
  expect(made.shard('c', 0).replicas.map(({ nodeId }) => nodeId)).toEqual([1]);
  made.alive.add(2);
  made.converge();
  for (const shardId of [0, 1]) {
    const { replicas, inSync } = made.shard('c', shardId);
    expect(replicas.map(({ nodeId }) => nodeId).sort()).toEqual([1, 2]);
    expect(inSync).toHaveLength(2);
  }
});

test('a node whose disk is full gets no copies: they wait for another one, or for room', () => {
  const made = world(4, 4, 2);
  const placed = (): NodeId[] =>
    made.shards().flatMap(({ shard }) => shard.replicas.map(({ nodeId }) => nodeId));
  const before = placed().filter((id) => id === 3).length;
  made.full.add(3);
  made.alive.delete(1);
  made.nowMs += defaultControllerSettings.graceMs;
  made.converge();
  expect(placed()).not.toContain(1);
  expect(placed().filter((id) => id === 3)).toHaveLength(before);

  made.full.add(2).add(4);
  made.run({ kind: 'drain_node', nodeId: 2, drain: true, atMs: made.nowMs });
  made.converge();
  expect(placed()).toContain(2);
  made.full.delete(4);
  made.converge();
  expect(placed().filter((id) => id === 3)).toHaveLength(before);

  made.full.clear();
  made.converge();
  expect(placed()).not.toContain(2);
});

describe('primaries', () => {
  test('move to the in-sync replica with the highest durable change', () => {
    const made = world(3, 1, 3);
    const [first, second, third] = made.shard().replicas;
    made.alive.delete(first!.nodeId);
    const report = (id: NodeId): NodeReport => ({
      broken: [],
      replicas: made.report(id).replicas.map((one) => ({
        ...one,
        committedSeq: 5,
        durableSeq: id === third!.nodeId ? 9 : 7,
      })),
    });
    const orders = planOrders(made.view({ reportOf: report }));
    expect(orders).toContainEqual({
      kind: 'promote',
      uuid: 'u c',
      shardId: 0,
      expectTerm: 1,
      replica: third!.replica,
      suspects: [first!.replica],
    });
    expect(second).toBeDefined();
  });

  test('do not move to one that lost what was reported as committed, nor to one that has not reported', () => {
    const made = world(2, 1, 2);
    const [first, second] = made.shard().replicas;
    made.alive.delete(first!.nodeId);
    const stale = (id: NodeId): NodeReport => ({
      broken: [],
      replicas: made
        .report(id)
        .replicas.map((one) => (id === second!.nodeId ? { ...one, durableSeq: 9, committedSeq: 9 } : one)),
    });
    const promotions = (view: ControllerView): Order[] =>
      planOrders(view).filter(({ kind }) => kind === 'promote');
    expect(promotions(made.view({ reportOf: stale }))).toEqual([]);
    const silent = (id: NodeId): NodeReport | null => (id === second!.nodeId ? null : made.report(id));
    expect(promotions(made.view({ reportOf: silent }))).toEqual([]);
    expect(promotions(made.view())).toHaveLength(1);
  });

  test('stay where they are while nobody else is in sync', () => {
    const made = world(2, 1, 1);
    made.alive.delete(made.shard().replicas[0]!.nodeId);
    expect(planOrders(made.view()).map(({ kind }) => kind)).toEqual(['set_node_state']);
  });
});

describe('copies', () => {
  test('are made anew elsewhere after the grace period, not before', () => {
    const made = world(3, 1, 2);
    const lost = made.shard().replicas[1]!.nodeId;
    made.alive.delete(lost);
    made.pass();
    made.serve();
    made.nowMs += defaultControllerSettings.graceMs - 1;
    expect(made.pass()).toEqual([]);
    made.nowMs += 1;
    made.converge();
    expect(made.shard().replicas).toHaveLength(2);
    expect(made.shard().replicas.every(({ nodeId }) => nodeId !== lost)).toBe(true);
    expect(made.shard().inSync).toHaveLength(2);
  });

  test.each([
    [1, 3],
    [3, 1],
  ])('follow a replication factor that goes from %i to %i', (before, after) => {
    const made = world(4, 2, before);
    const record = made.state.collections.get('c')!;
    const params = { ...record.config.params, replication_factor: after };
    made.run({ kind: 'update_collection', name: 'c', uuid: 'u c', config: { ...record.config, params } });
    made.converge();
    for (const { shard } of made.shards()) expect(shard.replicas).toHaveLength(after);
  });

  test('too many are kept while fewer than wanted are in sync', () => {
    const made = world(3, 1, 3);
    const record = made.state.collections.get('c')!;
    const { primary, term, cfgVersion: expectCfg } = made.shard();
    made.run({ kind: 'alter_in_sync', uuid: 'u c', shardId: 0, term, expectCfg, inSync: [primary!] });
    const params = { ...record.config.params, replication_factor: 2 };
    made.run({ kind: 'update_collection', name: 'c', uuid: 'u c', config: { ...record.config, params } });
    expect(planOrders(made.view())).toEqual([]);
    made.serve();
    expect(planOrders(made.view()).map(({ kind }) => kind)).toEqual(['remove_replica']);
  });

  test('that were lost are made anew', () => {
    const made = world(3, 1, 2);
    made.run({ kind: 'replica_lost', uuid: 'u c', shardId: 0, replica: made.shard().primary! });
    made.converge();
    expect(made.shard().inSync).toHaveLength(2);
    expect(made.shard().primary).not.toBeNull();
  });
});

describe('moves', () => {
  test('fill a node that joins, at most one in and one out of a node at a time', () => {
    const made = world(3, 8, 2);
    made.addNode(4);
    for (let i = 0; i < 200; i += 1) {
      const orders = made.pass();
      for (const { transfers } of made.state.collections.values())
        expect(transfers.length).toBeLessThanOrEqual(1);
      made.serve();
      if (orders.length === 0 && i > 8) break;
    }
    const on = (id: NodeId): number =>
      made.shards().filter(({ shard }) => shard.replicas.some(({ nodeId }) => nodeId === id)).length;
    expect([1, 2, 3, 4].map(on)).toEqual([4, 4, 4, 4]);
  });

  test('empty a node that is drained, its primaries too', () => {
    const made = world(3, 4, 2);
    made.run({ kind: 'drain_node', nodeId: 1, drain: true, atMs: made.nowMs });
    made.converge();
    for (const { shard } of made.shards()) {
      expect(shard.replicas.every(({ nodeId }) => nodeId !== 1)).toBe(true);
      expect(shard.inSync).toHaveLength(2);
      expect(shard.primary).not.toBeNull();
    }
  });

  test('end only on the word of the new copy, given in the present term', () => {
    const made = world(2, 1, 1);
    const [source] = made.shard().replicas;
    const toNode = source!.nodeId === 1 ? 2 : 1;
    const { cfgVersion: expectCfg } = made.shard();
    made.run({
      kind: 'move_replica',
      uuid: 'u c',
      shardId: 0,
      expectCfg,
      replica: source!.replica,
      toNode,
      atMs: 0,
    });
    made.serve();
    const kinds = (view: ControllerView): string[] => planOrders(view).map(({ kind }) => kind);
    const silent = (id: NodeId): NodeReport =>
      id === toNode ? { broken: [], replicas: [] } : made.report(id);
    expect(kinds(made.view({ reportOf: silent }))).toEqual([]);
    // Its session is alive for seconds after its end: what it said before it was promoted tells nothing about it since.
    const before = made.report(toNode);
    expect(made.pass().map(({ kind }) => kind)).toEqual(['promote']);
    expect(kinds(made.view({ reportOf: (id) => (id === toNode ? before : made.report(id)) }))).toEqual([]);
    expect(kinds(made.view())).toEqual(['finish_transfer']);
  });

  test('are off when the operator wants none', () => {
    const made = world(2, 4, 1);
    made.addNode(3);
    const settings = { ...defaultControllerSettings, rebalance: false };
    expect(planOrders(made.view({ settings }))).toEqual([]);
  });
});

describe('nodes', () => {
  test('that were wiped and came back under another id are removed when they hold nothing', () => {
    const made = world(3, 1, 2);
    made.alive.delete(1);
    made.alive.add(9);
    made.run({
      kind: 'register_node',
      node: { ...testNode, id: 9, addresses: { meta: null, shard: 'n1', rest: null } },
      atMs: made.nowMs,
    });
    made.converge();
    expect([...made.state.nodes.keys()].sort()).toEqual([2, 3, 9]);
  });

  test('raise the feature level together', () => {
    const made = world(2);
    made.run({ kind: 'register_node', node: { ...testNode, id: 1, featureLevel: 3 }, atMs: 0 });
    expect(planOrders(made.view())).toEqual([]);
    made.run({ kind: 'register_node', node: { ...testNode, id: 2, featureLevel: 2 }, atMs: 0 });
    expect(planOrders(made.view())).toEqual([{ kind: 'set_feature_level', level: 2 }]);
  });
});

const event = fc.oneof(
  fc.record({ kind: fc.constant('kill' as const), id: fc.integer({ min: 1, max: 7 }) }),
  fc.record({ kind: fc.constant('revive' as const), id: fc.integer({ min: 1, max: 7 }) }),
  fc.record({ kind: fc.constant('join' as const), id: fc.integer({ min: 5, max: 7 }) }),
  fc.record({
    kind: fc.constant('drain' as const),
    id: fc.integer({ min: 1, max: 4 }),
    drain: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('factor' as const), factor: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('time' as const), passes: fc.integer({ min: 1, max: 8 }) }),
);

test('whatever happens, every shard gets its copies in the end, and never loses the last in-sync one', () => {
  fc.assert(
    fc.property(
      fc.record({ shards: fc.integer({ min: 1, max: 4 }), factor: fc.integer({ min: 1, max: 3 }) }),
      fc.array(event, { maxLength: 25 }),
      ({ shards, factor }, events) => {
        const made = world(4, shards, factor);
        made.create('d', 2, 2);
        for (const one of events) happen(made, one);
        made.converge();
        const hosts = [...made.state.nodes.values()].filter(
          ({ id, state }) => state === 'up' && made.alive.has(id),
        );
        for (const { record, shard } of made.shards()) {
          const wanted = Math.min(record.config.params.replication_factor, hosts.length);
          const live = shard.replicas.filter(({ nodeId }) => made.alive.has(nodeId));
          expect(live.length).toBeGreaterThanOrEqual(wanted);
          expect(shard.inSync).toEqual(expect.arrayContaining(live.map(({ replica }) => replica)));
          expect(live.map(({ replica }) => replica)).toContain(shard.primary);
        }
        for (const { transfers } of made.state.collections.values()) expect(transfers).toEqual([]);
      },
    ),
    { numRuns: 150 },
  );
});

type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

function happen(made: World, one: Event): void {
  switch (one.kind) {
    case 'kill': {
      // What no protocol survives: the last in-sync copy of a shard.
      const isSafe = made
        .shards()
        .every(({ shard }) =>
          shard.replicas.some(
            ({ replica, nodeId }) =>
              nodeId !== one.id && made.alive.has(nodeId) && shard.inSync.includes(replica),
          ),
        );
      if (isSafe) made.alive.delete(one.id);
      return;
    }
    case 'revive':
      if (made.state.nodes.has(one.id)) made.alive.add(one.id);
      return;
    case 'join':
      if (!made.state.nodes.has(one.id)) made.addNode(one.id);
      return;
    case 'drain':
      if (made.state.nodes.has(one.id))
        made.run({ kind: 'drain_node', nodeId: one.id, drain: one.drain, atMs: made.nowMs });
      return;
    case 'factor': {
      const record = made.state.collections.get('c')!;
      const params = { ...record.config.params, replication_factor: one.factor };
      made.run({ kind: 'update_collection', name: 'c', uuid: 'u c', config: { ...record.config, params } });
      return;
    }
    case 'time':
      for (let i = 0; i < one.passes; i += 1) {
        made.pass();
        made.serve();
        made.nowMs += 15_000;
      }
  }
}
