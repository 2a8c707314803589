// etcd's raft_test.go: linearizable reads.
import { expect, test } from 'vitest';
import type { RaftCore } from './core.ts';
import { step, tick } from './step.ts';
import type { Message } from './message.ts';
import { startCore } from './start.ts';
import {
  blankStorage,
  deliver,
  msg,
  nextEntries,
  normal,
  proposal,
  readMessages,
  takeAfterAppend,
  testConfig,
  testCore,
  testLeader,
  tickTimes,
  type CoreOptions,
} from './testing/core.ts';
import { at, textOf } from './testing/entries.ts';
import { Network } from './testing/network.ts';

const three = [1, 2, 3];

function readIndex(from: number, to: number, context: string): Message {
  return msg('MsgReadIndex', from, to, { entries: [normal(context)] });
}

function answersOf(core: RaftCore): [index: number, context: string][] {
  const answers = core.readStates.map(({ index, context }): [number, string] => [index, textOf(context)]);
  core.readStates = [];
  return answers;
}

/** Node 1 leads; node 2 would not have voted otherwise before its election timeout. */
function ledByFirst(options: CoreOptions): Network {
  const network = new Network(three.map((id) => testCore(id, three, options)));
  const second = network.get(2);
  second.randomizedElectionTicks = 11;
  tickTimes(second, 10);
  network.send(msg('MsgHup', 1, 1));
  expect(network.get(1).role).toBe('StateLeader');
  return network;
}

test.each<[name: string, options: CoreOptions]>([
  ['TestReadOnlyOptionSafe', {}],
  ['TestReadOnlyOptionLease', { readOnly: 'lease_based', checkQuorum: true }],
])('%s', (_name, options) => {
  const network = ledByFirst(options);
  for (const [i, id] of [1, 2, 3, 1, 2, 3].entries()) {
    for (let j = 0; j < 10; j += 1) network.send(proposal(1, ''));
    network.send(readIndex(id, id, `ctx${i}`));
    expect(answersOf(network.get(id))).toEqual([[11 + 10 * i, `ctx${i}`]]);
  }
});

test('TestReadOnlyWithLearner', () => {
  const network = new Network([testCore(1, [1], { learners: [2] }), testCore(2, [1], { learners: [2] })]);
  network.send(msg('MsgHup', 1, 1));
  expect(network.get(1).role).toBe('StateLeader');
  for (const [i, id] of [1, 2, 1, 2].entries()) {
    for (let j = 0; j < 10; j += 1) {
      network.send(proposal(1, ''));
      nextEntries(network.get(1));
    }
    network.send(readIndex(id, id, `ctx${i}`));
    expect(answersOf(network.get(id))).toEqual([[11 + 10 * i, `ctx${i}`]]);
  }
});

test('TestReadOnlyForNewLeader', () => {
  const peers = [
    { id: 1, committed: 1, compacted: 0 },
    { id: 2, committed: 2, compacted: 2 },
    { id: 3, committed: 2, compacted: 2 },
  ].map(({ id, committed, compacted }) => {
    const storage = blankStorage(three);
    storage.append(at(1, 1, 1));
    storage.setHardState({ term: 1, vote: 0, commit: committed });
    if (compacted > 0) storage.compact(compacted);
    return startCore(testConfig(id, storage, { applied: committed }));
  });
  const network = new Network(peers);
  const lead = network.get(1);
  // It leads, but has not committed in its term.
  network.ignore('MsgApp');
  network.send(msg('MsgHup', 1, 1));
  expect(lead.role).toBe('StateLeader');
  network.send(readIndex(1, 1, 'ctx'));
  expect(lead.readStates).toEqual([]);
  network.recover();
  tick(lead);
  network.send(proposal(1, ''));
  expect(lead.log.committed).toBe(4);
  expect(lead.log.term(4)).toBe(lead.term);
  // The read that waited is answered, and so is a new one.
  expect(answersOf(lead)).toEqual([[4, 'ctx']]);
  network.send(readIndex(1, 1, 'ctx'));
  expect(answersOf(lead)).toEqual([[4, 'ctx']]);
});

test('TestReadOnlyDuplicateRequest', () => {
  const network = new Network(['new', 'new', 'new']);
  network.send(msg('MsgHup', 1, 1));
  const [first, second, third] = [network.get(1), network.get(2), network.get(3)];
  const readA = readIndex(2, 1, 'A');
  const leastA = first.log.committed;
  // The request goes twice: now, and once more at the end, when the heartbeat responses arrive too.
  const delayed: Message[] = [readA];
  network.hook = (message) => {
    if (message.type !== 'MsgHeartbeatResp') return true;
    delayed.push(message);
    return false;
  };
  network.send(readA);
  network.hook = null;
  tick(first);
  network.send(...readMessages(first));

  network.isolate(1);
  network.send(msg('MsgHup', 2, 2));
  network.send(proposal(2, 'someOp'));
  // 1 believes that it leads.
  const leastB = second.log.committed;
  network.send(readIndex(1, 1, 'B'));
  network.recover();
  network.send(...delayed);

  const least = new Map([
    ['A', leastA],
    ['B', leastB],
  ]);
  const answers = [first, second, third].flatMap(answersOf);
  expect(answers.map(([, context]) => context)).toContain('A');
  for (const [index, context] of answers) expect(index).toBeGreaterThanOrEqual(least.get(context)!);
});

test('TestRaftFreesReadOnlyMem', () => {
  const core = testLeader([1, 2], { electionTicks: 5 });
  core.log.commitTo(core.log.lastIndex());
  step(core, readIndex(2, 0, 'ctx'));
  const [heartbeat, ...more] = readMessages(core);
  expect([heartbeat!.type, more]).toEqual(['MsgHeartbeat', []]);
  expect(core.readOnly).toHaveLength(1);
  step(core, msg('MsgHeartbeatResp', 2, 0, { context: heartbeat!.context }));
  expect(core.readOnly).toHaveLength(0);
});

test('a context that is not ours confirms nothing', () => {
  const core = testLeader(three);
  core.log.commitTo(core.log.lastIndex());
  step(core, readIndex(1, 1, 'ctx'));
  for (const context of [Uint8Array.of(1), new Uint8Array(9).fill(255)])
    step(core, msg('MsgHeartbeatResp', 2, 1, { context }));
  expect(core.readStates).toEqual([]);
  // Beyond the last read it confirms no later one.
  step(core, msg('MsgHeartbeatResp', 2, 1, { context: new Uint8Array(8).fill(1) }));
  expect(answersOf(core)).toEqual([[1, 'ctx']]);
  step(core, readIndex(1, 1, 'later'));
  expect(answersOf(core)).toEqual([]);
});

test('reads beyond the limit are dropped', () => {
  const core = testLeader(three, { pendingReadsMax: 2 });
  for (const context of ['a', 'b', 'c']) step(core, readIndex(1, 1, context));
  expect(core.pendingReads).toHaveLength(2);
  step(core, msg('MsgAppResp', 2, 1, { index: 1 }));
  readMessages(core);
  expect([core.pendingReads.length, core.readOnly.length]).toEqual([0, 2]);
  step(core, readIndex(1, 1, 'd'));
  expect(core.readOnly).toHaveLength(2);
});

test('a lone voter answers no read before it has committed in its term: its stored commit index may be old', () => {
  const core = testCore(1, [1], { entries: at(1, 1, 1) });
  core.loadHardState({ term: 1, vote: 1, commit: 1 });
  step(core, msg('MsgHup', 1, 1));
  deliver(core, takeAfterAppend(core));
  expect(core.role).toBe('StateLeader');
  step(core, readIndex(1, 1, 'ctx'));
  expect(core.readStates).toEqual([]);
  nextEntries(core);
  expect(answersOf(core)).toEqual([[3, 'ctx']]);
});
