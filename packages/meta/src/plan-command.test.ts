// What the leader refuses before anything is logged.
import { parseJson, type JsonValue, type NodeRecord } from '@quiver/model';
import type { MetaCommand } from '@quiver/rpc';
import { describe, expect, test } from 'vitest';
import {
  checkMetadata,
  metadataBytesMax,
  metadataKeysMax,
  metadataValueBytesMax,
} from './metadata-limits.ts';
import { planCommand } from './plan-command.ts';
import type { MetaState } from './state.ts';
import { testNode } from './testing/records.ts';
import { world } from './testing/controller-world.ts';

/** Nodes 1 and 2 hold shards; 3 does not, 4 is draining, 5 is down. */
function state(): MetaState {
  const made = world(2, 2, 1);
  const node = (id: number, part: Partial<NodeRecord>): [number, NodeRecord] => [
    id,
    { ...testNode, id, state: 'up', stateSinceMs: 0, ...part },
  ];
  const record = made.state.collections.get('c')!;
  const params = { ...record.config.params, sharding_method: 'custom' as const };
  return {
    ...made.state,
    collections: new Map([['c', { ...record, config: { ...record.config, params } }]]),
    nodes: new Map([
      ...made.state.nodes,
      node(3, { roles: ['meta'] }),
      node(4, { state: 'draining' }),
      node(5, { state: 'down' }),
    ]),
  };
}

const context = { nowMs: 0, newId: () => 'id', isReachable: () => true, isFull: () => false };
const uuid = 'u c';
const isTaken = (command: MetaCommand): boolean =>
  planCommand(state(), command, context).kind === command.kind;

describe('a node that is named for a shard holds shards and is there to take it', () => {
  const named: readonly (readonly [string, (nodeId: number) => MetaCommand])[] = [
    [
      'placement of a shard key',
      (nodeId) => ({
        kind: 'create_shard_key',
        uuid,
        key: 'k',
        shardNumber: 1,
        replicationFactor: 1,
        placement: [nodeId],
      }),
    ],
    [
      'resharding up',
      (nodeId) => ({ kind: 'start_resharding', uuid, direction: 'up', nodeId, shardKey: null }),
    ],
    [
      'a transfer',
      (nodeId) => ({
        kind: 'start_transfer',
        uuid,
        shardId: 0,
        fromNode: 1,
        toNode: nodeId,
        keepSource: true,
        method: 'stream_records',
      }),
    ],
  ];
  test.each(named)('%s', (_, on) => {
    expect(isTaken(on(2))).toBe(true);
    expect(() => isTaken(on(3))).toThrow('Peer 3 holds no shards');
    expect(() => isTaken(on(4))).toThrow('Peer 4 is draining and takes no new shards');
    expect(() => isTaken(on(5))).toThrow('Peer 5 is down and takes no new shards');
    expect(() => isTaken(on(6))).toThrow('Peer 6 does not exist');
  });
});

test('a node that holds no shards is not drained; what was drained before is taken back', () => {
  const drain = (nodeId: number, isWanted = true): MetaCommand => ({
    kind: 'drain_node',
    nodeId,
    drain: isWanted,
  });
  expect(isTaken(drain(1))).toBe(true);
  expect(() => isTaken(drain(3))).toThrow('Peer 3 holds no shards, so there is nothing to drain');
  expect(isTaken(drain(3, false))).toBe(true);
});

describe('cluster metadata', () => {
  const put = (metadata: ReadonlyMap<string, JsonValue>, key: string, value: JsonValue | null) => (): void =>
    checkMetadata(metadata, key, value);
  const none = new Map<string, JsonValue>();

  test('is limited in the length of a key and of a value', () => {
    expect(put(none, 'k'.repeat(256), 1)).not.toThrow();
    expect(put(none, 'ä'.repeat(129), 1)).toThrow('a key has 256 bytes at most, this one 258');
    expect(put(none, 'k', 'x'.repeat(metadataValueBytesMax - 2))).not.toThrow();
    expect(put(none, 'k', 'x'.repeat(metadataValueBytesMax))).toThrow(
      'a value has 65536 bytes of JSON at most',
    );
    expect(put(none, 'k', parseJson('[18446744073709551615]'))).not.toThrow();
  });

  test('is limited in its number of keys; those that are there can be written and taken away', () => {
    const full = new Map(Array.from({ length: metadataKeysMax }, (_, i) => [`k${i}`, i] as const));
    expect(put(full, 'new', 1)).toThrow('there are 1024 keys of 1024 already');
    expect(put(full, 'k7', 'another')).not.toThrow();
    expect(put(full, 'k7', null)).not.toThrow();
  });

  test('is limited in all; what is above the limit from before may shrink', () => {
    const part = 'x'.repeat(60_000);
    const much = new Map(Array.from({ length: 18 }, (_, i) => [`k${i}`, part] as const));
    expect(18 * part.length).toBeGreaterThan(metadataBytesMax);
    expect(put(much, 'new', 1)).toThrow(`all keys and values have ${metadataBytesMax} bytes at most`);
    expect(put(much, 'k7', `${part}${part.slice(0, 10)}`)).toThrow('at most');
    expect(put(much, 'k7', part.slice(1))).not.toThrow();
    expect(put(much, 'k7', null)).not.toThrow();
  });
});
