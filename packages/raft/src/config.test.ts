// Defaults are those of the metadata group; a configuration that contradicts itself is refused with what to change.
import { expect, test } from 'vitest';
import { completeConfig, silentLogger, type Config } from './config.ts';
import { applyThread } from './message.ts';
import { MemoryStorage } from './memory-storage.ts';
import { RawNode } from './raft-node.ts';
import { at } from './testing/entries.ts';

const least: Config = {
  id: 1,
  storage: new MemoryStorage(),
  randomBelow: () => 0,
  electionTicks: 10,
  heartbeatTicks: 1,
};

test('the defaults protect a cluster that has to be left alone', () => {
  expect(completeConfig(least)).toMatchObject({
    preVote: true,
    checkQuorum: true,
    readOnly: 'safe',
    disableProposalForwarding: true,
    stepDownOnRemoval: true,
    votesTellCommit: true,
    asyncStorageWrites: false,
    messageBytesMax: 1 << 20,
    applyingBytesMax: 1 << 20,
    inflightCountMax: 128,
    inflightBytesMax: 8 << 20,
    uncommittedBytesMax: 64 << 20,
    logger: silentLogger,
  });
});

test.each<[name: string, changed: Partial<Config>, text: RegExp]>([
  ['no id', { id: 0 }, /id 0 is not an integer above 0/],
  ['a fraction as id', { id: 1.5 }, /id 1.5/],
  ['a reserved id', { id: applyThread }, /reserved for a storage thread/],
  ['no heartbeat', { heartbeatTicks: 0 }, /heartbeatTicks is 0/],
  ['election within a heartbeat', { electionTicks: 1 }, /must be more than heartbeatTicks 1/],
  ['a negative message size', { messageBytesMax: -1 }, /messageBytesMax is -1/],
  ['no window', { inflightCountMax: 0 }, /inflightCountMax is 0/],
  ['a window below one message', { inflightBytesMax: 10 }, /must be at least messageBytesMax/],
  ['no uncommitted bytes', { uncommittedBytesMax: 0 }, /uncommittedBytesMax is 0/],
  ['a lease without quorum checks', { readOnly: 'lease_based', checkQuorum: false }, /needs checkQuorum/],
])('refused: %s', (_name, changed, text) => {
  const create = (): RawNode => new RawNode({ ...least, ...changed });
  expect(create).toThrow(expect.objectContaining({ code: 'invalid_config' }));
  expect(create).toThrow(text);
});

test('a random source out of its range stops the process', () => {
  for (const extra of [-1, 10, 0.5])
    expect(() => new RawNode({ ...least, randomBelow: () => extra })).toThrow(/random source gave/);
});

test('a hard state beyond the log stops the process: entries it speaks of are lost', () => {
  const storage = new MemoryStorage();
  storage.setHardState({ term: 1, vote: 0, commit: 5 });
  expect(() => new RawNode({ ...least, storage })).toThrow(/state.commit 5 is out of range/);
});

test('what was applied or compacted counts as committed, though the commit index was not stored', () => {
  const storage = new MemoryStorage();
  storage.append(at(1, 1, 1, 1));
  storage.setHardState({ term: 1, vote: 0, commit: 1 });
  expect(new RawNode({ ...least, storage, applied: 2 }).status()).toMatchObject({
    applied: 2,
    hardState: { commit: 2 },
  });
  storage.compact(3);
  expect(new RawNode({ ...least, storage }).status()).toMatchObject({ applied: 3, hardState: { commit: 3 } });
});

test('a hard state older than the entries stops the process: a vote may be lost with it', () => {
  const storage = new MemoryStorage();
  storage.append(at(1, 1, 2));
  storage.setHardState({ term: 1, vote: 0, commit: 1 });
  expect(() => new RawNode({ ...least, storage })).toThrow(/not the last one stored/);
});
