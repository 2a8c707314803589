import { describe, expect, test } from 'vitest';
import type { ShardRecord } from '@quiver/model';
import type { StateMachine } from '../state-machine.ts';
import type { StateCommand } from '../state-command.ts';
import { config, testNode } from '../testing/records.ts';
import { cluster, record, refusedAs, runner, uuid } from '../testing/shard-cluster.ts';

const shard0 = { uuid, shardId: 0 };

const shard = (machine: StateMachine): ShardRecord => record(machine).shards[0]!;
const promote = (expectTerm: number, replica: number | null, ...suspects: number[]): StateCommand => ({
  kind: 'promote',
  ...shard0,
  expectTerm,
  replica,
  suspects,
});
describe('primaries and in-sync sets', () => {
  test('a promotion keeps the old primary in the set, suspected, and begins a new term; on an old term it is refused', () => {
    const { machine, run } = cluster();
    expect(run(promote(1, 2, 1))).toMatchObject({ ok: true, changed: true });
    expect(shard(machine)).toMatchObject({ primary: 2, inSync: [1, 2, 3], suspects: [1] });
    expect(shard(machine)).toMatchObject({ term: 2, cfgVersion: 2 });
    expect(run(promote(1, 3, 2))).toMatchObject(refusedAs('precondition_failed'));
  });

  test.each([
    ['takes it out', [2, 3]],
    ['has it back', [1, 2, 3]],
  ])('a suspect is one until the new primary %s', (_what, inSync) => {
    const { machine, run } = cluster(promote(1, 2, 1));
    const alter = (): unknown => run({ kind: 'alter_in_sync', ...shard0, term: 2, expectCfg: 2, inSync });
    expect(alter()).toMatchObject({ changed: true });
    expect(shard(machine)).toMatchObject({ primary: 2, inSync, cfgVersion: 3 });
    expect(shard(machine)).not.toHaveProperty('suspects');
  });

  test('a suspect that becomes primary, or is taken away, is none', () => {
    const { machine, run } = cluster(promote(1, 2, 1, 3));
    expect(shard(machine).suspects).toEqual([1, 3]);
    run({ kind: 'replica_lost', ...shard0, replica: 3 });
    expect(shard(machine)).toMatchObject({ inSync: [1, 2], suspects: [1] });
    run(promote(2, 1, 1));
    expect(shard(machine)).toMatchObject({ primary: 1, inSync: [1, 2] });
    expect(shard(machine)).not.toHaveProperty('suspects');
  });

  test('only a replica in sync is promoted', () => {
    const { machine, run } = cluster({
      kind: 'alter_in_sync',
      ...shard0,
      term: 1,
      expectCfg: 1,
      inSync: [1, 2],
    });
    expect(run(promote(1, 3))).toMatchObject(refusedAs('precondition_failed'));
    expect(run(promote(1, null))).toMatchObject({ changed: true });
    expect(shard(machine)).toMatchObject({ primary: null, inSync: [1, 2], term: 2 });
    expect(run(promote(2, null))).toMatchObject({ changed: false });
  });

  test.each([
    ['an older configuration', { term: 1, expectCfg: 0, inSync: [1] }],
    ['another term', { term: 2, expectCfg: 1, inSync: [1] }],
    ['a set without the primary', { term: 1, expectCfg: 1, inSync: [2, 3] }],
    ['a replica that is not placed', { term: 1, expectCfg: 1, inSync: [1, 9] }],
    ['a replica twice', { term: 1, expectCfg: 1, inSync: [1, 2, 2] }],
  ])('a change of the in-sync set with %s is refused', (_what, part) => {
    const { machine, run } = cluster();
    expect(run({ kind: 'alter_in_sync', ...shard0, ...part })).toMatchObject(
      refusedAs('precondition_failed'),
    );
    expect(shard(machine).inSync).toEqual([1, 2, 3]);
  });

  test('an older primary, and one whose session expired, changes the in-sync set no more', () => {
    const { machine, run } = cluster(promote(1, 2, 1));
    const { cfgVersion: expectCfg } = shard(machine);
    const alter = (part: { term: number; expectCfg: number; inSync: number[] }): unknown =>
      run({ kind: 'alter_in_sync', ...shard0, ...part });
    // Of the old term, whatever it knows of the configuration; and with the old one in the new term.
    for (const cfg of [1, expectCfg])
      expect(alter({ term: 1, expectCfg: cfg, inSync: [1] })).toMatchObject(refusedAs('precondition_failed'));
    expect(alter({ term: 2, expectCfg: 1, inSync: [2] })).toMatchObject(refusedAs('precondition_failed'));
    run({ kind: 'promote', ...shard0, expectTerm: 2, replica: null, suspects: [] });
    expect(alter({ term: 3, expectCfg: expectCfg + 1, inSync: [2, 3] })).toMatchObject(
      refusedAs('precondition_failed'),
    );
    expect(shard(machine).inSync).toEqual([1, 2, 3]);
  });

  test.each([
    ['write_consistency_factor', 2, 1],
    ['replication_factor', 2, 1],
    ['on_disk_payload', false, 0],
  ])(
    'a change of %s raises the configuration of every shard that its primary has to obey',
    (name, value, by) => {
      const { machine, run } = cluster();
      const before = shard(machine);
      const changedConfig = { ...config, params: { ...config.params, [name]: value } };
      expect(config.params).not.toHaveProperty(name, value);
      run({ kind: 'update_collection', name: 'c', uuid, config: changedConfig });
      expect(shard(machine)).toEqual({ ...before, cfgVersion: before.cfgVersion + by });
    },
  );

  test('a hand-over goes to a replica in sync, from the primary of that term', () => {
    const { machine, run } = cluster({
      kind: 'alter_in_sync',
      ...shard0,
      term: 1,
      expectCfg: 1,
      inSync: [1, 2],
    });
    const handOver = (from: number, to: number): StateCommand => ({
      kind: 'hand_over',
      ...shard0,
      expectTerm: 1,
      from,
      to,
    });
    expect(run(handOver(1, 3))).toMatchObject(refusedAs('precondition_failed'));
    expect(run(handOver(2, 1))).toMatchObject(refusedAs('precondition_failed'));
    expect(run(handOver(1, 2))).toMatchObject({ changed: true });
    expect(shard(machine)).toMatchObject({ primary: 2, inSync: [1, 2], term: 2 });
  });

  test('a promotion by force takes any replica, leaves it alone in sync, and is recorded', () => {
    const { machine } = cluster(promote(1, 2, 1), { kind: 'force_promote', ...shard0, replica: 1, atMs: 5 });
    expect(shard(machine)).toMatchObject({ primary: 1, inSync: [1], term: 3 });
    expect(machine.state.forcedPromotions).toEqual([
      { uuid, shardId: 0, replica: 1, inSyncBefore: [1, 2, 3], term: 3, atMs: 5 },
    ]);
  });
});

describe('replicas', () => {
  test('the last in-sync copy is not given up: neither as lost, nor dropped, nor with its node', () => {
    const { machine, run } = cluster({
      kind: 'alter_in_sync',
      ...shard0,
      term: 1,
      expectCfg: 1,
      inSync: [1],
    });
    expect(run({ kind: 'replica_lost', ...shard0, replica: 1 })).toMatchObject(
      refusedAs('precondition_failed'),
    );
    expect(run({ kind: 'drop_replica', ...shard0, nodeId: 1, successor: null })).toMatchObject(
      refusedAs('bad_request'),
    );
    expect(run({ kind: 'remove_node', nodeId: 1, force: false })).toMatchObject(refusedAs('bad_request'));
    expect(shard(machine).inSync).toEqual([1]);
    expect(run({ kind: 'remove_node', nodeId: 1, force: true })).toMatchObject({ changed: true });
    expect(shard(machine)).toMatchObject({ inSync: [], primary: null, term: 2 });
  });

  test('a lost primary leaves the set and ends its term', () => {
    const { machine } = cluster({ kind: 'replica_lost', ...shard0, replica: 1 });
    expect(shard(machine)).toMatchObject({ primary: null, inSync: [2, 3], term: 2 });
    expect(shard(machine).replicas).toHaveLength(2);
  });

  test('a dropped replica lowers the copies wanted, until the factor of the collection is set', () => {
    const { machine, run } = cluster({ kind: 'drop_replica', ...shard0, nodeId: 1, successor: 3 });
    expect(shard(machine)).toMatchObject({ primary: 3, term: 2, inSync: [2, 3], replicationFactor: 2 });
    const wider = { ...config, params: { ...config.params, replication_factor: 4 } };
    run({ kind: 'update_collection', name: 'c', uuid, config: wider });
    expect(shard(machine)).not.toHaveProperty('replicationFactor');
  });

  test('a node gets no second replica of a shard', () => {
    const { run } = cluster();
    expect(run({ kind: 'add_replica', ...shard0, expectCfg: 1, nodeId: 3 })).toMatchObject(
      refusedAs('bad_request'),
    );
    expect(run({ kind: 'add_replica', ...shard0, expectCfg: 1, nodeId: 9 })).toMatchObject(
      refusedAs('bad_request'),
    );
  });
});

describe('transfers', () => {
  const start = (keepSource: boolean): StateCommand => ({
    kind: 'start_transfer',
    ...shard0,
    fromNode: 1,
    toNode: 4,
    keepSource,
    method: 'stream_records',
    atMs: 9,
  });

  test('a move ends when the target is in sync and the source is not the primary', () => {
    const { machine, run } = cluster(start(false));
    expect(record(machine).transfers).toEqual([
      { shardId: 0, from: 1, to: 4, method: 'stream_records', startedAtMs: 9 },
    ]);
    const finish: StateCommand = { kind: 'finish_transfer', ...shard0, to: 4 };
    expect(run(finish)).toMatchObject(refusedAs('precondition_failed'));
    run({ kind: 'alter_in_sync', ...shard0, term: 1, expectCfg: 2, inSync: [1, 2, 3, 4] });
    expect(run(finish)).toMatchObject(refusedAs('precondition_failed'));
    run(promote(1, 4));
    expect(run(finish)).toMatchObject({ changed: true });
    expect(shard(machine)).toMatchObject({ primary: 4, inSync: [2, 3, 4] });
    expect(record(machine).transfers).toEqual([]);
  });

  test('a move on of a copy that is itself on its way ends the first move with it', () => {
    const { machine, run } = cluster(start(false));
    run({ kind: 'alter_in_sync', ...shard0, term: 1, expectCfg: 2, inSync: [1, 2, 3, 4] });
    run({ kind: 'register_node', node: { ...testNode, id: 5 }, atMs: 1 });
    run({ ...start(false), fromNode: 4, toNode: 5 } as StateCommand);
    const { cfgVersion: expectCfg } = shard(machine);
    run({ kind: 'alter_in_sync', ...shard0, term: 1, expectCfg, inSync: [1, 2, 3, 4, 5] });
    expect(run({ kind: 'finish_transfer', ...shard0, to: 5 })).toMatchObject({ changed: true });
    expect(shard(machine)).toMatchObject({ inSync: [1, 2, 3, 5] });
    // Else its source counts as one that leaves, for ever.
    expect(record(machine).transfers).toEqual([]);
  });

  test('a copy that leaves to two nodes leaves once: the other target is one more', () => {
    const { machine, run } = cluster(start(false));
    run({ kind: 'register_node', node: { ...testNode, id: 5 }, atMs: 1 });
    run({ ...start(false), toNode: 5 } as StateCommand);
    const { cfgVersion: expectCfg } = shard(machine);
    run({ kind: 'alter_in_sync', ...shard0, term: 1, expectCfg, inSync: [1, 2, 3, 4, 5] });
    run(promote(1, 2));
    expect(run({ kind: 'finish_transfer', ...shard0, to: 5 })).toMatchObject({ changed: true });
    expect(record(machine).transfers).toMatchObject([{ from: null, to: 4 }]);
  });

  test('an aborted one takes its target away, and the wish for a further copy', () => {
    const { machine } = cluster(start(true), { kind: 'abort_transfer', ...shard0, fromNode: 1, toNode: 4 });
    expect(shard(machine)).toMatchObject({ replicationFactor: 3 });
    expect(shard(machine).replicas.map(({ nodeId }) => nodeId)).toEqual([1, 2, 3]);
    expect(record(machine).transfers).toEqual([]);
  });
});

describe('nodes', () => {
  test('a wish to drain outlives a crash of the node', () => {
    const { machine } = cluster(
      { kind: 'drain_node', nodeId: 2, drain: true, atMs: 1 },
      { kind: 'set_node_state', nodeId: 2, bootId: testNode.bootId, state: 'down', atMs: 2 },
    );
    const run = runner(machine);
    expect(machine.state.nodes.get(2)).toMatchObject({ state: 'down', stateSinceMs: 2 });
    machine.apply({
      clientId: 'other',
      seq: 1,
      command: { kind: 'register_node', node: { ...testNode, id: 2, bootId: 'next' }, atMs: 3 },
    });
    expect(machine.state.nodes.get(2)).toMatchObject({ state: 'draining', stateSinceMs: 3 });
    expect(run).toBeTypeOf('function');
  });

  test('a verdict on an earlier incarnation is refused', () => {
    const { run } = cluster();
    expect(
      run({ kind: 'set_node_state', nodeId: 2, bootId: 'earlier', state: 'down', atMs: 2 }),
    ).toMatchObject(refusedAs('precondition_failed'));
  });

  test('orders of one pass make one revision; those that no longer fit are left out', () => {
    const { machine, run } = cluster();
    const { revision } = machine.state;
    const reply = run({
      kind: 'reconcile',
      orders: [
        { kind: 'set_node_state', nodeId: 1, bootId: testNode.bootId, state: 'down', atMs: 4 },
        { kind: 'promote', ...shard0, expectTerm: 1, replica: 2, suspects: [1] },
        { kind: 'promote', ...shard0, expectTerm: 1, replica: 3, suspects: [] },
      ],
    });
    expect(reply).toEqual({ ok: true, changed: true, revision: revision + 1 });
    expect(shard(machine)).toMatchObject({ primary: 2, term: 2 });
  });
});
