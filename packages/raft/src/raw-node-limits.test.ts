// etcd's rawnode_test.go and node_test.go: pages of entries, and limits while nothing commits.
import { expect, test } from 'vitest';
import { entriesBytes, entryBytes, payloadsBytes } from './entry-size.ts';
import { MemoryStorage } from './memory-storage.ts';
import { emptyConfState, noBytes, noLimit, type Entry, type Message, type MessageType } from './message.ts';
import { RawNode } from './raft-node.ts';
import type { Unreadable } from './storage.ts';
import { blankStorage, msg, normal, proposal, testConfig } from './testing/core.ts';
import { bytesOf } from './testing/entries.ts';
import { soleLeader } from './testing/host.ts';
import { Network } from './testing/network.ts';

test('TestAppendPagination', () => {
  const bytesMax = 2048;
  const network = new Network(['new', 'new', 'new'], { messageBytesMax: bytesMax });
  const sizes: number[] = [];
  network.hook = ({ type, entries }) => {
    if (type === 'MsgApp') sizes.push(payloadsBytes(entries));
    return true;
  };
  network.send(msg('MsgHup', 1, 1));
  network.isolate(1);
  for (let i = 0; i < 5; i += 1) network.send(proposal(1, 'a'.repeat(1000)));
  network.recover();
  network.send(msg('MsgBeat', 1, 1));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(bytesMax);
  expect(Math.max(...sizes)).toBeGreaterThan(bytesMax / 2);
});

test('TestCommitPagination', () => {
  const host = soleLeader({ applyingBytesMax: 2048 });
  for (let i = 0; i < 3; i += 1) host.node.propose(bytesOf('a'.repeat(1000)));
  expect(host.turn().entries).toHaveLength(3);
  expect(host.turn().committedEntries).toHaveLength(2);
  expect(host.turn().committedEntries).toHaveLength(1);
});

test('TestCommitPaginationWithAsyncStorageWrites', () => {
  const storage = blankStorage([1]);
  const node = new RawNode(testConfig(1, storage, { applyingBytesMax: 2048, asyncStorageWrites: true }));
  /** Acknowledgements of application, held back. */
  const held: Message[] = [];
  const respond = (message: Message): void => {
    for (const response of message.responses) expect(node.step(response)).toBe('stepped');
  };
  /** Writes at once; applies only when the test says so. */
  const turn = (): [MessageType, number][] =>
    node.ready().messages.map((message) => {
      if (message.type === 'MsgStorageAppend') {
        storage.append(message.entries);
        respond(message);
      } else {
        held.push(message);
      }
      return [message.type, message.entries.length];
    });
  node.campaign();
  expect(turn()).toEqual([['MsgStorageAppend', 0]]);
  expect(turn()).toEqual([['MsgStorageAppend', 1]]);
  expect(turn()).toEqual([
    ['MsgStorageAppend', 0],
    ['MsgStorageApply', 1],
  ]);
  respond(held.shift()!);

  const blob = bytesOf('a'.repeat(1024));
  node.propose(blob);
  expect(turn()).toEqual([['MsgStorageAppend', 1]]);
  for (let i = 0; i < 2; i += 1) {
    node.propose(blob);
    expect(turn()).toEqual([
      ['MsgStorageAppend', 1],
      ['MsgStorageApply', 1],
    ]);
  }
  // The third waits until the first is applied.
  while (node.hasReady()) expect(turn().map(([type]) => type)).toEqual(['MsgStorageAppend']);
  respond(held.shift()!);
  expect(turn()).toEqual([['MsgStorageApply', 1]]);
  for (const message of held) respond(message);
  expect(node.status().applied).toBe(4);
  expect(() => node.advance()).toThrow(/AsyncStorageWrites/);
});

/** Gives more than it was asked for, as a storage with its own idea of sizes might. */
class GenerousStorage extends MemoryStorage {
  override entries(lo: number, hi: number): Entry[] | Unreadable {
    return super.entries(lo, hi, noLimit);
  }
}

function restartedNode(extra: readonly Entry[]): RawNode {
  const storage = new GenerousStorage();
  const confState = { ...emptyConfState, voters: [1] };
  storage.applySnapshot({ meta: { index: 0, term: 0, confState }, data: noBytes });
  const entries = Array.from({ length: 10 }, (_, i): Entry => ({ ...normal('a'), term: 1, index: i + 1 }));
  storage.append([...entries, ...extra]);
  storage.setHardState({ term: 1, vote: 1, commit: 10 });
  // By the limit alone the last committed entry would not be in the first page.
  const messageBytesMax = entriesBytes(entries) - entryBytes(entries.at(-1)!) - 1;
  return new RawNode(testConfig(1, storage, { messageBytesMax }));
}

test('TestNodeCommitPaginationAfterRestart', () => {
  const ready = restartedNode([]).ready();
  expect(ready.hardState).toBeNull();
  expect(ready.committedEntries).toHaveLength(10);
});

test('TestRawNodeCommitPaginationAfterRestart', () => {
  const node = restartedNode([{ ...normal('boom'), term: 1, index: 11 }]);
  const applied: number[] = [];
  while (applied.at(-1) !== 11) {
    const { committedEntries } = node.ready();
    expect(committedEntries).not.toEqual([]);
    applied.push(...committedEntries.map(({ index }) => index));
    node.advance();
    node.step(msg('MsgHeartbeat', 2, 1, { term: 1, commit: 11 }));
  }
  expect(applied).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test('TestRawNodeBoundedLogGrowthWithPartition', () => {
  const count = 16;
  const data = bytesOf('testdata');
  const host = soleLeader({ uncommittedBytesMax: count * data.length });
  let dropped = 0;
  for (let i = 0; i < 1024; i += 1)
    try {
      host.node.propose(data);
    } catch (error) {
      expect(error).toMatchObject({ code: 'proposal_dropped' });
      dropped += 1;
    }
  expect(dropped).toBe(1024 - count);
  const { core } = host.node;
  expect(core.uncommittedBytes).toBe(count * data.length);
  // Appended, not applied.
  expect(host.turn().entries).toHaveLength(count);
  expect(core.uncommittedBytes).toBe(count * data.length);
  expect(host.turn().committedEntries).toHaveLength(count);
  expect(core.uncommittedBytes).toBe(0);
});
