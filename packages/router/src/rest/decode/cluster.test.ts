import { parseJson } from '@quiver/model';
import { describe, expect, test } from 'vitest';
import { decodeClusterOperation, decodeCreateShardKey } from './cluster.ts';

describe('a peer', () => {
  const bodies: readonly (readonly [string, (peer: string) => string])[] = [
    ['the source', (peer) => `{"move_shard":{"shard_id":0,"from_peer_id":${peer},"to_peer_id":1}}`],
    ['the target', (peer) => `{"replicate_shard":{"shard_id":0,"from_peer_id":1,"to_peer_id":${peer}}}`],
    ['the holder', (peer) => `{"drop_replica":{"shard_id":0,"peer_id":${peer}}}`],
    ['the host', (peer) => `{"start_resharding":{"direction":"up","peer_id":${peer}}}`],
    ['the place', (peer) => `{"create_sharding_key":{"shard_key":"k","placement":[1,${peer}]}}`],
  ];

  test.each(bodies)('with a number that none has is named as it was given: %s', (_, body) => {
    const decode = (peer: string): unknown => decodeClusterOperation(parseJson(body(peer)));
    for (const peer of ['9007199254740992', '9007199254740993', '18446744073709551615'])
      expect(() => decode(peer)).toThrow(`Peer ${peer} does not exist`);
    for (const peer of ['18446744073709551616', '-1', '1.5', '"7"', '1e30'])
      expect(() => decode(peer)).toThrow('did not match any variant');
    expect(JSON.stringify(decode('9007199254740991'))).toContain('9007199254740991');
  });

  test('may be left to be chosen', () => {
    expect(decodeClusterOperation({ start_resharding: { direction: 'up', peer_id: null } })).toMatchObject({
      nodeId: null,
    });
    expect(decodeCreateShardKey({ shard_key: 'k' }).placement).toBeNull();
  });
});
