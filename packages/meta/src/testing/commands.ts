/** Random metadata commands over few names, so that they meet: fast-check arbitraries for the tests of this package. */
import * as fc from 'fast-check';
import type { CollectionConfig } from '@quiver/model';
import type { AliasAction } from '@quiver/rpc';
import type { StateEnvelope } from '../command-codec.ts';
import type { StateCommand } from '../state-command.ts';
import { clusterCommand, placedShards, uuid } from './cluster-commands.ts';
import { config, testNode } from './records.ts';

const name = fc.constantFrom('a', 'b', 'c', '__proto__', 'd');
const field = fc.constantFrom('f', 'g.h', '__proto__', 'constructor');

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
