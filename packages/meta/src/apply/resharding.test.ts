import { nextSlotMove } from '@quiver/model';
import { describe, expect, test } from 'vitest';
import { defaultControllerSettings } from '../controller-view.ts';
import { planOrders } from '../controller.ts';
import type { StateCommand } from '../state-command.ts';
import { config, testNode } from '../testing/records.ts';
import { cluster, record, refusedAs, uuid } from '../testing/shard-cluster.ts';

describe('resharding', () => {
  const start = (direction: 'up' | 'down', shardId: number): StateCommand => ({
    kind: 'start_resharding',
    uuid,
    direction,
    nodeId: null,
    shardKey: null,
    id: 'r',
    shardId,
    nodes: direction === 'up' ? [4] : [],
    atMs: 1,
  });
  const move = (from: number, to: number, slots: [number, number], cfgs: [number, number]): StateCommand => ({
    kind: 'move_slots',
    uuid,
    shardId: from,
    toShard: to,
    slots: [slots],
    expectCfg: cfgs[0],
    expectToCfg: cfgs[1],
  });

  const finish: StateCommand = { kind: 'finish_resharding', uuid, id: null };
  const abort: StateCommand = { kind: 'abort_resharding', uuid, id: null };

  /** Moves slots in the order that the record asks for. @returns how often */
  const moveAll = ({ machine, run }: ReturnType<typeof cluster>, movesMax = Infinity): number => {
    let moves = 0;
    for (let next = nextSlotMove(record(machine)); next !== null && moves < movesMax; moves += 1) {
      const { fromShard, toShard, slots } = next;
      const cfgOf = (id: number): number =>
        record(machine).shards.find(({ shardId }) => shardId === id)!.cfgVersion;
      const reply = run(move(fromShard, toShard, [...slots], [cfgOf(fromShard), cfgOf(toShard)]));
      expect(reply).toMatchObject({ changed: true });
      next = nextSlotMove(record(machine));
    }
    return moves;
  };
  const cfgs = ({ machine }: ReturnType<typeof cluster>): number[] =>
    record(machine).shards.map(({ cfgVersion }) => cfgVersion);

  test('slots move only as the configurations stand, only what is owned, only while resharding', () => {
    const one = cluster();
    const { run } = one;
    expect(run(move(0, 1, [0, 10], [1, 1]))).toMatchObject(refusedAs('precondition_failed'));
    run(start('up', 1));
    const [own, other] = cfgs(one) as [number, number];
    expect(run(move(0, 1, [0, 10], [own + 1, other]))).toMatchObject(refusedAs('precondition_failed'));
    expect(run(move(0, 1, [0, 10], [own, other + 1]))).toMatchObject(refusedAs('precondition_failed'));
    expect(run(move(1, 0, [0, 10], [other, own]))).toMatchObject(refusedAs('precondition_failed'));
    expect(run(move(0, 1, [0, 10], [own, other]))).toMatchObject({ changed: true });
    expect(run(move(0, 1, [0, 10], [own + 1, other + 1]))).toMatchObject(refusedAs('precondition_failed'));
  });

  test('the slots that are to move next lead up and down again, to even shares', () => {
    const one = cluster(start('up', 1));
    const { machine, run } = one;
    expect(run(finish)).toMatchObject(refusedAs('bad_request'));
    expect(moveAll(one)).toBe(32);
    run(finish);
    expect(record(machine).shards.map(({ slots }) => slots)).toEqual([[[0, 8_192]], [[8_192, 16_384]]]);
    expect(record(machine)).toMatchObject({ resharding: null, config: { params: { shard_number: 2 } } });
    run(start('down', 1));
    expect(run(finish)).toMatchObject(refusedAs('bad_request'));
    expect(moveAll(one)).toBe(32);
    run(finish);
    expect(record(machine).shards.map(({ slots }) => slots)).toEqual([[[0, 16_384]]]);
    expect(record(machine).config.params.shard_number).toBe(1);
    expect(nextSlotMove(record(machine))).toBeNull();
  });

  test('a shard that comes under the number of one that went is newer than all that was said of that one', () => {
    const one = cluster(start('up', 1));
    const { machine, run } = one;
    moveAll(one);
    run(finish);
    const shard1 = () => record(machine).shards[1]!;
    for (let times = 0; times < 3; times += 1) {
      const { term, primary } = shard1();
      run({ kind: 'bump_term', uuid, shardId: 1, expectTerm: term, replica: primary! });
    }
    run(start('down', 1));
    moveAll(one);
    const { term, cfgVersion } = shard1();
    run(finish);
    run(start('up', 1));
    expect(shard1().term).toBeGreaterThan(term);
    expect(shard1().cfgVersion).toBeGreaterThan(cfgVersion);
  });

  test('so is a shard of a new key', () => {
    const custom = { ...config, params: { ...config.params, sharding_method: 'custom' as const } };
    const { machine, run } = cluster();
    const key = (name: string): StateCommand => ({
      kind: 'create_shard_key',
      shardNumber: null,
      replicationFactor: null,
      placement: null,
      uuid: 'keyed',
      key: name,
      shards: [{ shardId: 0, shardKey: name, slots: [[0, 16_384]], nodes: [1] }],
    });
    run({ kind: 'create_collection', name: 'keyed', uuid: 'keyed', config: custom, shards: [] });
    const shardOfKey = () => machine.state.collections.get('keyed')!.shards[0]!;
    run(key('first'));
    const { shardId, term, cfgVersion, primary } = shardOfKey();
    run({ kind: 'bump_term', uuid: 'keyed', shardId, expectTerm: term, replica: primary! });
    run({ kind: 'drop_shard_key', uuid: 'keyed', key: 'first' });
    run(key('second'));
    expect(shardOfKey().shardId).toBe(shardId);
    expect(shardOfKey().term).toBeGreaterThan(term + 1);
    expect(shardOfKey().cfgVersion).toBeGreaterThan(cfgVersion + 1);
  });

  test('one that was given up takes back what it had moved, and ends at once where nothing had', () => {
    const early = cluster(start('up', 1), abort);
    expect(record(early.machine)).toMatchObject({ resharding: null, shards: [{ slots: [[0, 16_384]] }] });

    const up = cluster(start('up', 1));
    moveAll(up, 3);
    up.run(abort);
    expect(up.run(abort)).toMatchObject({ changed: false });
    expect(moveAll(up)).toBe(3);
    up.run(finish);
    expect(record(up.machine)).toMatchObject({ resharding: null, shards: [{ slots: [[0, 16_384]] }] });

    up.run(start('up', 1));
    moveAll(up);
    up.run(finish);
    up.run(start('down', 1));
    expect(up.run(abort)).toMatchObject({ changed: true });
    expect(record(up.machine).resharding).toBeNull();
    up.run(start('down', 1));
    moveAll(up, 5);
    up.run(abort);
    expect(moveAll(up)).toBe(5);
    up.run(finish);
    expect(record(up.machine)).toMatchObject({ resharding: null, config: { params: { shard_number: 2 } } });
    expect(record(up.machine).shards.map(({ slots }) => slots)).toEqual([[[0, 8_192]], [[8_192, 16_384]]]);
  });

  test('shards say that they may hold more until their primaries found nothing, after the end', () => {
    const one = cluster(start('up', 1));
    const { machine, run } = one;
    const mixed = (): unknown[] => record(machine).shards.map(({ holdsMore }) => holdsMore ?? false);
    const cleaned = (shardId: number): StateCommand => ({
      kind: 'slots_cleaned',
      uuid,
      shardId,
      expectCfg: cfgs(one)[shardId]!,
    });
    expect(mixed()).toEqual([true, true]);
    expect(run(cleaned(0))).toMatchObject(refusedAs('precondition_failed'));
    moveAll(one);
    run(finish);
    expect(mixed()).toEqual([true, true]);
    run(cleaned(0));
    expect(mixed()).toEqual([false, true]);
    expect(run({ ...cleaned(1), expectCfg: 0 } as StateCommand)).toMatchObject(
      refusedAs('precondition_failed'),
    );
  });

  test('a shard that comes again under an old id has a newer configuration than the old one ever had', () => {
    const one = cluster(start('up', 1));
    moveAll(one);
    const before = cfgs(one)[1]!;
    one.run(finish);
    one.run(start('down', 1));
    moveAll(one);
    one.run(finish);
    one.run(start('up', 1));
    expect(cfgs(one)[1]).toBeGreaterThan(before);
  });

  test('the controller orders the end as soon as no slots are left to move', () => {
    const one = cluster(start('up', 1));
    const orders = (): unknown[] =>
      planOrders({
        state: one.machine.state,
        nowMs: 0,
        isAlive: () => true,
        bootIdOf: () => testNode.bootId,
        reportOf: () => null,
        settings: { ...defaultControllerSettings, rebalance: false },
      }).filter(({ kind }) => kind === 'finish_resharding');
    expect(orders()).toEqual([]);
    moveAll(one);
    expect(orders()).toEqual([{ ...finish, id: 'r' }]);
    one.run(finish);
    expect(orders()).toEqual([]);
  });

  test('the end that is meant is that of one resharding', () => {
    const one = cluster(start('up', 1));
    moveAll(one);
    expect(one.run({ ...finish, id: 'another' })).toMatchObject(refusedAs('bad_request'));
    expect(one.run({ ...finish, id: 'r' })).toMatchObject({ changed: true });
  });
});
