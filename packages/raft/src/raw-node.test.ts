// etcd's rawnode_test.go and node_test.go: starting, proposing, restarting. What needs goroutines has no counterpart here
// (see PORTED.md); membership and limits are in raw-node-membership.test.ts and raw-node-limits.test.ts.
import { describe, expect, test } from 'vitest';
import { encodeConfChange } from './conf-change-codec.ts';
import { MemoryStorage } from './memory-storage.ts';
import { createMessage, isLocalMessage, messageTypes, type Entry } from './message.ts';
import { RawNode } from './raft-node.ts';
import type { Ready } from './ready.ts';
import { step } from './step.ts';
import { blankStorage, msg, normal, proposal, testConfig, testCore } from './testing/core.ts';
import { at, bytesOf, snapshotAt, textOf } from './testing/entries.ts';
import { Host, soleLeader } from './testing/host.ts';
import { Network } from './testing/network.ts';

const foo = bytesOf('foo');
const nothing: Ready = {
  softState: null,
  hardState: null,
  readStates: [],
  entries: [],
  snapshot: null,
  committedEntries: [],
  messages: [],
  mustSync: false,
};
const entry = (term: number, index: number, text = ''): Entry => ({ ...normal(text), term, index });

describe('TestRawNodeStep', () => {
  test.each(messageTypes.map((type) => ({ type })))('$type', ({ type }) => {
    const storage = new MemoryStorage();
    storage.setHardState({ term: 1, vote: 0, commit: 1 });
    storage.append(at(1, 1));
    storage.applySnapshot(snapshotAt(1, 1, [1]));
    const node = new RawNode(testConfig(1, storage));
    const result = node.step(createMessage(type));
    expect(result === 'local_message').toBe(isLocalMessage(type));
  });
});

test('a message that no node would send changes nothing', () => {
  const { node } = soleLeader();
  const before = node.status();
  expect(node.step(msg('MsgVoteResp', 7, 1, { term: 9 }))).toBe('peer_unknown');
  expect(node.step(msg('MsgApp', 1, 1, { term: 9, index: 1, logTerm: 1, entries: at(3, 9) }))).toBe(
    'malformed',
  );
  expect(node.step(msg('MsgApp', 1, 1, { term: 1, entries: at(1, 2) }))).toBe('malformed');
  expect(node.step(msg('MsgProp', 1, 1))).toBe('malformed');
  expect(() => node.step(msg('MsgHeartbeat', 1, 1, { term: 2 ** 53 }))).toThrow(/not an integer/);
  expect(node.status()).toEqual(before);
});

test('TestNodePropose', () => {
  const host = soleLeader();
  host.node.propose(bytesOf('somedata'));
  expect(host.node.ready().entries.map(({ data }) => textOf(data))).toEqual(['somedata']);
});

test('TestNodeProposeConfig', () => {
  const { node } = soleLeader();
  const change = { type: 'ConfChangeAddNode', nodeId: 1 } as const;
  node.proposeConfChange(change);
  expect(node.ready().entries).toMatchObject([encodeConfChange(change)]);
});

test('TestNodeProposeWaitDropped', () => {
  // No leader yet.
  const { node } = new Host(blankStorage([1]));
  expect(() => node.propose(foo)).toThrow(expect.objectContaining({ code: 'proposal_dropped' }));
  expect(node.hasReady()).toBe(false);
});

test('a batch is appended whole', () => {
  const host = soleLeader();
  host.node.proposeBatch([bytesOf('a'), bytesOf('b')]);
  host.node.proposeBatch([]);
  host.drain();
  expect(host.applied.map(({ data }) => textOf(data))).toEqual(['', 'a', 'b']);
});

test('TestDisableProposalForwarding', () => {
  const cores = [1, 2, 3].map((id) => testCore(id, [1, 2, 3], { disableProposalForwarding: id === 3 }));
  new Network(cores).send(msg('MsgHup', 1, 1));
  expect(step(cores[1]!, proposal(2, 'testdata'))).toBe('stepped');
  expect(cores[1]!.messages).toHaveLength(1);
  expect(step(cores[2]!, proposal(3, 'testdata'))).toBe('proposal_dropped');
  expect(cores[2]!.messages).toEqual([]);
});

test('TestNodeReadIndexToOldLeader', () => {
  const network = new Network(['new', 'new', 'new']);
  network.send(msg('MsgHup', 1, 1));
  const entries = [normal('testdata')];
  const forwarded = [2, 3].map((id) => {
    const core = network.get(id);
    step(core, msg('MsgReadIndex', id, id, { entries }));
    const messages = core.messages;
    core.messages = [];
    // Without a term: it may meet a later leader.
    expect(messages).toEqual([msg('MsgReadIndex', id, 1, { entries })]);
    return messages[0]!;
  });
  network.send(msg('MsgHup', 3, 3));
  const old = network.get(1);
  for (const message of forwarded) step(old, message);
  expect(old.messages).toEqual([2, 3].map((id) => msg('MsgReadIndex', id, 3, { entries })));
});

test('TestNodeTick', () => {
  const { node } = new Host(blankStorage([1]));
  const before = node.core.electionElapsed;
  node.tick();
  expect(node.core.electionElapsed).toBe(before + 1);
});

test('TestNodeStart', () => {
  const host = new Host(new MemoryStorage());
  host.node.bootstrap([{ id: 1 }]);
  const added: Entry = { term: 1, index: 1, ...encodeConfChange({ type: 'ConfChangeAddNode', nodeId: 1 }) };
  expect(host.turn()).toEqual({
    ...nothing,
    hardState: { term: 1, vote: 0, commit: 1 },
    entries: [added],
    committedEntries: [added],
    mustSync: true,
  });
  host.node.campaign();
  // The vote, then the empty entry.
  host.turn();
  host.turn();
  host.node.propose(foo);
  expect(host.turn()).toEqual({
    ...nothing,
    hardState: { term: 2, vote: 1, commit: 2 },
    entries: [entry(2, 3, 'foo')],
    committedEntries: [entry(2, 2)],
    mustSync: true,
  });
  expect(host.turn()).toEqual({
    ...nothing,
    hardState: { term: 2, vote: 1, commit: 3 },
    committedEntries: [entry(2, 3, 'foo')],
  });
  expect(host.node.hasReady()).toBe(false);
});

test('founding needs founders and a blank disk', () => {
  const blank = new Host(new MemoryStorage());
  expect(() => blank.node.bootstrap([])).toThrow(expect.objectContaining({ code: 'invalid_config' }));
  const used = new MemoryStorage();
  used.append(at(1, 1));
  expect(() => new Host(used).node.bootstrap([{ id: 1 }])).toThrow(
    expect.objectContaining({ code: 'invalid_config' }),
  );
});

test('TestRawNodeStart', () => {
  // The membership stands in a snapshot that no log position reaches: a blank node must fetch it.
  const storage = new MemoryStorage();
  storage.applySnapshot(snapshotAt(1, 0, [1]));
  const host = new Host(storage);
  expect(host.node.hasReady()).toBe(false);
  host.node.campaign();
  host.turn();
  host.node.propose(foo);
  expect(host.node.hasReady()).toBe(true);
  const entries = [entry(1, 2), entry(1, 3, 'foo')];
  expect(host.turn().entries).toEqual(entries);
  expect(host.node.hasReady()).toBe(true);
  expect({ ...host.turn(), softState: null }).toEqual({
    ...nothing,
    hardState: { term: 1, vote: 1, commit: 3 },
    committedEntries: entries,
  });
  expect(host.node.hasReady()).toBe(false);
});

test.each(['TestRawNodeRestart', 'TestNodeRestart'])('%s', () => {
  const storage = blankStorage([1]);
  storage.setHardState({ term: 1, vote: 0, commit: 1 });
  storage.append([entry(1, 1), entry(1, 2, 'foo')]);
  const host = new Host(storage);
  expect(host.turn()).toEqual({ ...nothing, committedEntries: [entry(1, 1)] });
  expect(host.node.hasReady()).toBe(false);
});

test.each(['TestRawNodeRestartFromSnapshot', 'TestNodeRestartFromSnapshot'])('%s', () => {
  const storage = new MemoryStorage();
  storage.setHardState({ term: 1, vote: 0, commit: 3 });
  storage.applySnapshot(snapshotAt(2, 1, [1, 2]));
  storage.append([entry(1, 3, 'foo')]);
  const host = new Host(storage);
  expect(host.turn()).toEqual({ ...nothing, committedEntries: [entry(1, 3, 'foo')] });
  expect(host.node.hasReady()).toBe(false);
});

test('TestNodeAdvance', () => {
  const host = soleLeader();
  host.node.propose(foo);
  host.turn();
  expect(host.node.hasReady()).toBe(true);
});

test('two open Ready stop the process', () => {
  const { node } = new Host(blankStorage([1]));
  node.campaign();
  node.ready();
  expect(() => node.ready()).toThrow(/two accepted Ready/);
});

test('TestRawNodeReadIndex', () => {
  const host = soleLeader();
  const { node } = host;
  const answers = [{ index: 1, context: bytesOf('somedata') }];
  node.core.readStates = [...answers];
  expect(node.hasReady()).toBe(true);
  expect(host.turn().readStates).toEqual(answers);
  expect(node.core.readStates).toEqual([]);
  node.readIndex(bytesOf('somedata2'));
  expect(host.turn().readStates).toEqual([{ index: 1, context: bytesOf('somedata2') }]);
});

test('TestRawNodeStatus', () => {
  const host = new Host(blankStorage([1]));
  expect(host.node.status().progress.size).toBe(0);
  host.node.campaign();
  host.turn();
  const status = host.node.status();
  expect(status.softState).toEqual({ lead: 1, role: 'StateLeader' });
  const own = host.node.core.tracker.progress.get(1)!;
  expect(status.progress.get(1)).toEqual(own);
  expect(status.progress.get(1)).not.toBe(own);
  expect(status.membership).toEqual({
    voters: { incoming: [1], outgoing: [] },
    learners: [],
    learnersNext: [],
    autoLeave: false,
  });
});

test('TestRawNodeConsumeReady', () => {
  const { node } = new Host(blankStorage([1]));
  const [one, other] = ['foo', 'bar'].map((text) =>
    createMessage('MsgHeartbeat', { context: bytesOf(text) }),
  );
  node.core.messages.push(one!);
  expect(node.peekReady().messages).toEqual([one]);
  expect(node.core.messages).toEqual([one]);
  expect(node.ready().messages).toEqual([one]);
  expect(node.core.messages).toEqual([]);
  node.core.messages.push(other!);
  node.advance();
  expect(node.core.messages).toEqual([other]);
});

test.each([
  { lead: 0, role: 'StateFollower', isChanged: false },
  { lead: 1, role: 'StateFollower', isChanged: true },
  { lead: 0, role: 'StateLeader', isChanged: true },
] as const)('TestSoftStateEqual: leader $lead, $role', ({ isChanged, ...state }) => {
  const { node } = new Host(blankStorage([1]));
  Object.assign(node.core, state);
  expect(node.hasReady()).toBe(isChanged);
  expect(node.ready().softState).toEqual(isChanged ? state : null);
});

test.each([
  { term: 0, vote: 0, commit: 0, isChanged: false },
  { term: 0, vote: 1, commit: 0, isChanged: true },
  { term: 0, vote: 0, commit: 1, isChanged: true },
  { term: 1, vote: 0, commit: 0, isChanged: true },
])('TestIsHardStateEqual: term $term, vote $vote, commit $commit', ({ isChanged, ...state }) => {
  const storage = blankStorage([1]);
  storage.append(at(1, 1));
  const { node } = new Host(storage);
  node.core.loadHardState(state);
  expect(node.peekReady().hardState).toEqual(isChanged ? state : null);
});
