/** Random metadata commands over few names, so that they meet: fast-check arbitraries for the tests of this package. */
import * as fc from 'fast-check';
import type { CollectionConfig, NodeRecord } from '@quiver/model';
import type { AliasAction } from '@quiver/rpc';
import type { StateEnvelope } from '../command-codec.ts';
import type { PlacedShard, StateCommand } from '../state-command.ts';
import { clusterCommand, placedShards, uuid } from './cluster-commands.ts';

const name = fc.constantFrom('a', 'b', 'c', '__proto__', 'd');
const field = fc.constantFrom('f', 'g.h', '__proto__', 'constructor');

/** A node that registers. */
export const testNode: Omit<NodeRecord, 'state' | 'stateSinceMs'> = {
  id: 7,
  memberId: 7,
  name: 'seven',
  roles: ['meta', 'shard', 'router'],
  addresses: { meta: null, shard: null, rest: null },
  zone: '',
  bootId: 'boot',
  version: '0',
  featureLevel: 1,
};
export const oneShard: readonly PlacedShard[] = [
  { shardId: 0, shardKey: null, slots: [[0, 16_384]], nodes: [7] },
];

export const config: CollectionConfig = {
  params: {
    vectors: { size: 4, distance: 'Cosine' },
    shard_number: 1,
    replication_factor: 1,
    write_consistency_factor: 1,
    on_disk_payload: true,
  },
  hnsw_config: { m: 16, ef_construct: 100, full_scan_threshold: 10_000 },
  optimizer_config: {
    deleted_threshold: 0.2,
    vacuum_min_vector_number: 1_000,
    default_segment_number: 0,
    flush_interval_sec: 5,
  },
  wal_config: { wal_capacity_mb: 32, wal_segments_ahead: 0, wal_retain_closed: 1 },
  quantization_config: null,
};
const configs = fc.integer({ min: 1, max: 64 }).map((size): CollectionConfig => ({
  ...config,
  params: {
    ...config.params,
    vectors: { size, distance: 'Dot' },
    replication_factor: 1 + (size % 3),
    sharding_method: size % 4 === 0 ? 'custom' : 'auto',
  },
  metadata: { big: 2n ** 63n + BigInt(size) },
}));

const action: fc.Arbitrary<AliasAction> = fc.oneof(
  fc.record({ kind: fc.constant('create' as const), collection: name, alias: name }),
  fc.record({ kind: fc.constant('delete' as const), alias: name }),
  fc.record({ kind: fc.constant('rename' as const), from: name, to: name }),
);

const creation = fc.record({
  kind: fc.constant('create_collection' as const),
  name,
  uuid,
  config: configs,
  shards: placedShards,
});

const command: fc.Arbitrary<StateCommand> = fc.oneof(
  { arbitrary: creation, weight: 3 },
  { arbitrary: clusterCommand, weight: 20 },
  fc.record({ kind: fc.constant('update_collection' as const), name, uuid, config: configs }),
  fc.record({ kind: fc.constant('delete_collection' as const), name }),
  fc.record({ kind: fc.constant('change_aliases' as const), actions: fc.array(action, { maxLength: 4 }) }),
  fc.record({
    kind: fc.constant('create_payload_index' as const),
    name,
    uuid,
    field,
    schema: fc.record({
      data_type: fc.constantFrom('keyword' as const, 'integer' as const),
      params: fc.constant(null),
    }),
  }),
  fc.record({ kind: fc.constant('delete_payload_index' as const), name, uuid, field }),
  fc.record({
    kind: fc.constant('set_cluster_metadata' as const),
    key: name,
    value: fc.option(fc.constant({ x: 1 }), { nil: null }),
  }),
  fc.record({
    kind: fc.constant('register_node' as const),
    node: fc.integer({ min: 1, max: 3 }).map((id) => ({ ...testNode, id })),
    atMs: fc.nat(),
  }),
  fc.record({
    kind: fc.constant('bump_term' as const),
    uuid,
    shardId: fc.nat(1),
    expectTerm: fc.integer({ min: 1, max: 3 }),
    replica: fc.integer({ min: 1, max: 9 }),
  }),
  fc.constant({ kind: 'init_cluster' as const, clusterId: 'cluster' }),
);

/** Commands of three clients, some sent twice. */
export const envelopes: fc.Arbitrary<StateEnvelope[]> = fc
  .array(fc.record({ client: fc.integer({ min: 0, max: 2 }), command, repeat: fc.boolean() }), {
    maxLength: 60,
  })
  .map((items) => {
    const seqs = [0, 0, 0];
    return items.flatMap(({ client, command: one, repeat }) => {
      seqs[client]! += 1;
      const envelope = { clientId: `client-${client}`, seq: seqs[client]!, command: one };
      return repeat ? [envelope, envelope] : [envelope];
    });
  });
