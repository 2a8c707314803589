// What is committed is told with a vote that is refused: a change of membership may have been heard by nobody else.
import { describe, expect, test } from 'vitest';
import { leaveJointChange, type ConfChange } from './conf-change.ts';
import { emptyConfState, type Entry, type Message } from './message.ts';
import { blankStorage, msg, testCore } from './testing/core.ts';
import { bytesOf } from './testing/entries.ts';
import { Host } from './testing/host.ts';
import { step } from './step.ts';
import { becomeCandidate, becomeFollower } from './roles.ts';

/** Turns and deliveries until nothing is under way. */
function exchange(hosts: readonly Host[], passes: (message: Message) => boolean = () => true): void {
  for (let isBusy = true; isBusy;) {
    isBusy = false;
    for (const host of hosts)
      while (host.node.hasReady()) {
        isBusy = true;
        for (const message of host.turn().messages) {
          const target = hosts.find(({ node }) => node.core.id === message.to);
          if (passes(message)) target?.node.step(message);
        }
      }
  }
}

describe('a leader of two voters that a change takes out, and whose word of it is lost', () => {
  const demotion: ConfChange = {
    ...leaveJointChange,
    changes: [{ type: 'ConfChangeAddLearnerNode', nodeId: 1 }],
  };
  const removal: ConfChange = {
    ...leaveJointChange,
    changes: [{ type: 'ConfChangeRemoveNode', nodeId: 1 }],
  };

  test.each([
    ['a learner by now', demotion, [1]],
    ['no member by now', removal, []],
  ])('is no obstacle to the other one, though its log is longer: %s', (_name, change, learners) => {
    const options = { preVote: true, checkQuorum: true, stepDownOnRemoval: true, votesTellCommit: true };
    const hosts = [1, 2].map((id) => new Host(blankStorage([1, 2]), { ...options, id }));
    const [first, second] = hosts as [Host, Host];
    first.node.campaign();
    exchange(hosts);
    first.node.proposeConfChange(change);
    const changeIndex = first.node.core.log.lastIndex();
    let isMore = false;
    exchange(hosts, ({ type, commit, index }) => {
      if (type === 'MsgAppResp' && index === changeIndex && !isMore) {
        isMore = true;
        first.node.propose(bytesOf('nobody else has it'));
      }
      return type !== 'MsgApp' || (commit < changeIndex && !isMore);
    });
    expect(first.confStates).toEqual([{ ...emptyConfState, voters: [2], learners }]);
    expect(first.node.core.role).toBe('StateFollower');
    expect(second.confStates).toEqual([]);
    expect(second.node.core.log.lastIndex()).toBeLessThan(first.node.core.log.lastIndex());

    for (let ticks = 0; ticks < 60; ticks += 1) {
      for (const { node } of hosts) node.tick();
      exchange(hosts);
    }
    expect(second.confStates).toEqual([{ ...emptyConfState, voters: [2], learners }]);
    expect(second.node.core.role).toBe('StateLeader');
  });
});

describe('a commit that comes with a refused vote', () => {
  const entries: Entry[] = [1, 1, 2].map((term, i) => ({
    term,
    index: i + 1,
    type: 'EntryNormal',
    data: new Uint8Array(0),
  }));
  const candidate = () => {
    const core = testCore(1, [1, 2, 3], { entries });
    becomeFollower(core, 2, 0);
    becomeCandidate(core);
    return core;
  };
  const refusal = (commit: number, logTerm: number): Message =>
    msg('MsgVoteResp', 2, 1, { term: 3, reject: true, commit, logTerm });

  test('counts where the log has the same entry there', () => {
    const core = candidate();
    step(core, refusal(2, 1));
    expect(core.log.committed).toBe(2);
    // No membership changed: the campaign goes on.
    expect(core.role).toBe('StateCandidate');
  });

  test('counts when it comes from an earlier term too: a pre-vote is refused in the term of who refuses', () => {
    const core = candidate();
    step(core, { ...refusal(2, 1), type: 'MsgPreVoteResp', term: 2 });
    expect(core.log.committed).toBe(2);
    expect(core.term).toBe(3);
  });

  test.each([
    ['has another entry there', 3, 1],
    ['ends before', 4, 2],
    ['is told nothing', 0, 0],
  ])('changes nothing where the log %s', (_name, commit, logTerm) => {
    const core = candidate();
    step(core, refusal(commit, logTerm));
    expect(core.log.committed).toBe(0);
  });

  test('ends the campaign when it brings another membership', () => {
    const core = testCore(1, [1, 2, 3], {
      entries: entries.map((entry) => ({ ...entry, type: 'EntryConfChangeV2' as const })),
    });
    becomeFollower(core, 2, 0);
    becomeCandidate(core);
    step(core, refusal(3, 2));
    expect(core.log.committed).toBe(3);
    expect(core.role).toBe('StateFollower');
  });

  test('is not told unless it is asked for, as in etcd', () => {
    for (const votesTellCommit of [true, false]) {
      const core = testCore(1, [1, 2, 3], { entries, votesTellCommit });
      becomeFollower(core, 2, 0);
      core.log.commitTo(2);
      step(core, msg('MsgVote', 2, 1, { term: 3, index: 1, logTerm: 1 }));
      const [answer] = core.messagesAfterAppend;
      const told = votesTellCommit ? { commit: 2, logTerm: 1 } : { commit: 0, logTerm: 0 };
      expect(answer).toMatchObject({ type: 'MsgVoteResp', reject: true, ...told });
    }
  });
});
