import { createVirtualEnv } from '@quiver/env/testing';
import { createMessage, encodeMessage } from '@quiver/raft';
import { decodePlain, type PeerCaller } from '@quiver/rpc';
import { expect, test } from 'vitest';
import { createAddressBook } from './address-book.ts';
import { createMemberLinks } from './member-links.ts';
import type { MemberRecord } from './state-command.ts';

const memberAt = (memberId: number): MemberRecord => ({
  memberId,
  nodeId: memberId,
  name: `m${memberId}`,
  address: `m${memberId}:1`,
});

test('a member that is silent is told where this one is, until it is heard of', async () => {
  const env = createVirtualEnv({ seed: 1 });
  const told: { address: string; member: unknown }[] = [];
  const call: PeerCaller['call'] = (address, _path, bytes) => {
    told.push({ address, member: (decodePlain(bytes) as { member: unknown }).member });
    return Promise.reject(new Error('nobody is there'));
  };
  const links = createMemberLinks({
    env,
    caller: { call },
    member: memberAt(1),
    book: createAddressBook([memberAt(2)], () => new Map()),
    links: { send: () => true },
    snapshots: { announced: () => undefined, fetching: () => undefined, fetched: () => undefined },
    host: () => null,
  });
  const heartbeats = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) {
      links.send(createMessage('MsgHeartbeat', { from: 1, to: 2, term: 1 }));
      await env.advance(100);
    }
  };
  await heartbeats(50);
  expect(told).toEqual(Array.from({ length: 3 }, () => ({ address: 'm2:1', member: memberAt(1) })));

  // Who answers knows where this one is.
  for (let i = 0; i < 5; i += 1) {
    links.receive(encodeMessage(createMessage('MsgHeartbeatResp', { from: 2, to: 1, term: 1 })));
    await heartbeats(10);
  }
  expect(told).toHaveLength(3);

  // Nobody knows where member 3 is.
  links.send(createMessage('MsgHeartbeat', { from: 1, to: 3, term: 1 }));
  expect(told).toHaveLength(3);
});
