/** Random commands about nodes, shards, replicas, transfers and slots, over few ids so that they meet. */
import * as fc from 'fast-check';
import type { ControllerCommand, PlacedShard, StateCommand } from '../state-command.ts';

export const uuid = fc.constantFrom('u1', 'u2', 'u3');
const nodeId = fc.integer({ min: 1, max: 4 });
const shardId = fc.nat(2);
const replica = fc.integer({ min: 1, max: 12 });
const small = fc.integer({ min: 1, max: 4 });
const atMs = fc.nat(1_000);
const shardKey = fc.constantFrom<string | number>('tenant', 7);
const ofShard = { uuid, shardId };

/** 1 or 2 shards of 1 to 3 nodes each. */
export const placedShards: fc.Arbitrary<PlacedShard[]> = fc
  .array(fc.uniqueArray(nodeId, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 })
  .map((placements) =>
    placements.map((nodes, i) => ({
      shardId: i,
      shardKey: null,
      slots:
        placements.length === 1
          ? [[0, 16_384] as const]
          : [i === 0 ? ([0, 8_192] as const) : ([8_192, 16_384] as const)],
      nodes,
    })),
  );

const order: fc.Arbitrary<ControllerCommand> = fc.oneof(
  fc.record({
    kind: fc.constant('promote' as const),
    ...ofShard,
    expectTerm: small,
    replica: fc.option(replica, { nil: null }),
    suspects: fc.array(replica, { maxLength: 2 }),
  }),
  fc.record({ kind: fc.constant('add_replica' as const), ...ofShard, expectCfg: small, nodeId }),
  fc.record({ kind: fc.constant('remove_replica' as const), ...ofShard, expectCfg: small, replica }),
  fc.record({
    kind: fc.constant('move_replica' as const),
    ...ofShard,
    expectCfg: small,
    replica,
    toNode: nodeId,
    atMs,
  }),
  fc.record({ kind: fc.constant('finish_transfer' as const), ...ofShard, to: replica }),
  fc.record({
    kind: fc.constant('set_node_state' as const),
    nodeId,
    bootId: fc.constant('boot'),
    state: fc.constantFrom('up' as const, 'down' as const),
    atMs,
  }),
  fc.record({ kind: fc.constant('set_feature_level' as const), level: small }),
);

const slotRun = fc
  .tuple(fc.constantFrom(0, 4_096, 8_192), fc.constantFrom(4_096, 8_192, 16_384))
  .filter(([from, to]) => from < to);

export const clusterCommand: fc.Arbitrary<StateCommand> = fc.oneof(
  order,
  fc.record({ kind: fc.constant('reconcile' as const), orders: fc.array(order, { maxLength: 4 }) }),
  fc.record({
    kind: fc.constant('alter_in_sync' as const),
    ...ofShard,
    term: small,
    expectCfg: small,
    inSync: fc.array(replica, { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('hand_over' as const),
    ...ofShard,
    expectTerm: small,
    from: replica,
    to: replica,
  }),
  fc.record({ kind: fc.constant('force_promote' as const), ...ofShard, replica, atMs }),
  fc.record({ kind: fc.constant('replica_lost' as const), ...ofShard, replica }),
  fc.record({
    kind: fc.constant('drop_replica' as const),
    ...ofShard,
    nodeId,
    successor: fc.option(replica, { nil: null }),
  }),
  fc.record({
    kind: fc.constant('start_transfer' as const),
    ...ofShard,
    fromNode: nodeId,
    toNode: nodeId,
    keepSource: fc.boolean(),
    method: fc.constant('stream_records' as const),
    atMs,
  }),
  fc.record({ kind: fc.constant('abort_transfer' as const), ...ofShard, fromNode: nodeId, toNode: nodeId }),
  fc.record({
    kind: fc.constant('create_shard_key' as const),
    uuid,
    key: shardKey,
    shardNumber: fc.constant(null),
    replicationFactor: fc.constant(null),
    placement: fc.constant(null),
    shards: placedShards,
  }),
  fc.record({ kind: fc.constant('drop_shard_key' as const), uuid, key: shardKey }),
  fc.record({
    kind: fc.constant('start_resharding' as const),
    uuid,
    direction: fc.constantFrom('up' as const, 'down' as const),
    nodeId: fc.constant(null),
    shardKey: fc.constant(null),
    id: fc.constant('resharding'),
    shardId,
    nodes: fc.uniqueArray(nodeId, { maxLength: 2 }),
    atMs,
  }),
  fc.record({
    kind: fc.constant('move_slots' as const),
    ...ofShard,
    toShard: shardId,
    slots: fc.array(slotRun, { minLength: 1, maxLength: 2 }),
    expectCfg: small,
    expectToCfg: small,
  }),
  fc.record({ kind: fc.constant('finish_resharding' as const), uuid, id: fc.constant(null) }),
  fc.record({ kind: fc.constant('abort_resharding' as const), uuid, id: fc.constant(null) }),
  fc.record({ kind: fc.constant('slots_cleaned' as const), ...ofShard, expectCfg: small }),
  fc.record({ kind: fc.constant('remove_node' as const), nodeId, force: fc.boolean() }),
  fc.record({ kind: fc.constant('drain_node' as const), nodeId, drain: fc.boolean(), atMs }),
  fc.record({
    kind: fc.constant('put_member' as const),
    member: fc
      .integer({ min: 1, max: 3 })
      .map((id) => ({ memberId: id, nodeId: id, name: 'm', address: `h:${id}` })),
  }),
  fc.record({ kind: fc.constant('remove_member' as const), memberId: small }),
);
