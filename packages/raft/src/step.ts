/**
 * The entry of every message: what its term means for this node, then what any role does with it, then the role.
 * Always: a message of a later term moves the node to that term first, but for votes asked while a leader is heard and
 * for pre-votes; a message of an earlier term changes nothing but what was durable anyway.
 */
import { stepCandidate } from './candidate.ts';
import type { RaftCore } from './core.ts';
import { describeMembership } from './describe.ts';
import {
  describeVote,
  handleVoteRequest,
  hup,
  isTransferContext,
  learnCommit,
  refuseVote,
} from './election.ts';
import { entriesBytes } from './entry-size.ts';
import type { StepResult } from './error.ts';
import { stepFollower } from './follower.ts';
import { stepLeader } from './leader.ts';
import { createMessage, noBytes, noNode, type Message, type Snapshot } from './message.ts';
import { propose } from './proposal.ts';
import { releaseUncommitted } from './replication.ts';
import { becomeFollower } from './roles.ts';

export function step(core: RaftCore, message: Message): StepResult {
  if (message.term > core.term) {
    if (!enterLaterTerm(core, message)) return 'stepped';
  } else if (message.term !== 0 && message.term < core.term) {
    answerEarlierTerm(core, message);
    return 'stepped';
  }
  switch (message.type) {
    case 'MsgHup':
      hup(core, core.config.preVote ? 'pre_election' : 'election');
      return 'stepped';
    case 'MsgStorageAppendResp':
      if (message.index !== 0) core.log.unstable.stableTo({ term: message.logTerm, index: message.index });
      if (message.snapshot !== null) appliedSnapshot(core, message.snapshot);
      return 'stepped';
    case 'MsgStorageApplyResp':
      if (message.entries.length > 0) {
        appliedTo(core, message.entries.at(-1)!.index, entriesBytes(message.entries));
        releaseUncommitted(core, message.entries);
      }
      return 'stepped';
    case 'MsgVote':
    case 'MsgPreVote':
      handleVoteRequest(core, message, message.type);
      return 'stepped';
    case 'MsgVoteResp':
    case 'MsgPreVoteResp':
      if (message.reject) learnCommit(core, message);
      return stepRole(core, message);
    default:
      return stepRole(core, message);
  }
}

function stepRole(core: RaftCore, message: Message): StepResult {
  if (core.role === 'StateLeader') return stepLeader(core, message);
  return core.role === 'StateFollower' ? stepFollower(core, message) : stepCandidate(core, message);
}

/** @returns false when the message is to be ignored */
function enterLaterTerm(core: RaftCore, message: Message): boolean {
  const { type, from, term } = message;
  if (type === 'MsgVote' || type === 'MsgPreVote') {
    const { checkQuorum, electionTicks } = core.config;
    const inLease = checkQuorum && core.lead !== noNode && core.electionElapsed < electionTicks;
    if (inLease && !isTransferContext(message.context)) {
      // A leader was heard within the minimum election timeout: neither term nor vote move (Raft thesis, 4.2.3).
      const remaining = electionTicks - core.electionElapsed;
      const reason = `: lease is not expired (remaining ticks: ${remaining})`;
      describeVote(core, message, `ignored ${type} from`, reason);
      return false;
    }
  }
  // A granted pre-vote comes back with the term that was asked about, which nobody has entered.
  if (type === 'MsgPreVote' || (type === 'MsgPreVoteResp' && !message.reject)) return true;
  core.logger.info(
    `${core.id.toString(16)} [term: ${core.term}] received a ${type} message with higher term from ${from.toString(16)} [term: ${term}]`,
  );
  const isFromLeader = type === 'MsgApp' || type === 'MsgHeartbeat' || type === 'MsgSnap';
  becomeFollower(core, term, isFromLeader ? from : noNode);
  return true;
}

function answerEarlierTerm(core: RaftCore, message: Message): void {
  const { type, from, term } = message;
  const { checkQuorum, preVote } = core.config;
  if ((checkQuorum || preVote) && (type === 'MsgHeartbeat' || type === 'MsgApp')) {
    // A leader whose votes nobody heeds any more learns of our term from this answer; without it the node that went
    // ahead during a partition could neither follow nor win.
    core.send('MsgAppResp', { to: from });
  } else if (type === 'MsgPreVote') {
    // Answered, not dropped: the asker may have the shorter log at a lower term and must learn the term to catch up.
    describeVote(core, message, `rejected ${type} from`);
    refuseVote(core, from, type);
  } else if (type === 'MsgStorageAppendResp') {
    if (message.index !== 0)
      // The entries may have been replaced in the log since, and the write of the replacement not be done: see ready.ts.
      core.logger.info(
        `${core.id.toString(16)} [term: ${core.term}] ignored entry appends from a ${type} message with lower term [term: ${term}]`,
      );
    // A snapshot holds committed state, whatever the term.
    if (message.snapshot !== null) appliedSnapshot(core, message.snapshot);
  } else {
    // What is committed is so whatever the term: who asked may have gone ahead of all others alone.
    if ((type === 'MsgPreVoteResp' || type === 'MsgVoteResp') && message.reject) learnCommit(core, message);
    core.logger.info(
      `${core.id.toString(16)} [term: ${core.term}] ignored a ${type} message with lower term from ${from.toString(16)} [term: ${term}]`,
    );
  }
}

/** The host has stored a snapshot, and what it stands for is its state. */
export function appliedSnapshot(core: RaftCore, snapshot: Snapshot): void {
  const { index } = snapshot.meta;
  core.log.unstable.stableSnapshotTo(index);
  appliedTo(core, index, 0);
}

/**
 * Entries up to `index` are applied. A leader in a joint configuration that leaves by itself then proposes to: on every
 * application until it succeeds, so also a new leader does, and one whose transfer failed.
 */
export function appliedTo(core: RaftCore, index: number, bytes: number): void {
  const applied = Math.max(index, core.log.applied);
  core.log.appliedTo(applied, bytes);
  const { membership } = core.tracker;
  if (!membership.autoLeave || applied < core.pendingConfIndex || core.role !== 'StateLeader') return;
  // No data: decodes as "leave", and weighs nothing, so that no limit refuses it.
  const result = propose(core, [{ type: 'EntryConfChangeV2', data: noBytes }]);
  const text = describeMembership(membership);
  if (result === 'stepped')
    core.logger.info(`initiating automatic transition out of joint configuration ${text}`);
  else
    core.logger.debug(
      `not initiating automatic transition out of joint configuration ${text}: raft proposal dropped`,
    );
}

const checkQuorumMessage = createMessage('MsgCheckQuorum');
const beatMessage = createMessage('MsgBeat');

/** One tick of the host's clock. */
export function tick(core: RaftCore): void {
  if (core.role === 'StateLeader') {
    tickLeader(core);
    return;
  }
  core.electionElapsed += 1;
  if (!core.isPromotable() || !core.isPastElectionTimeout()) return;
  core.electionElapsed = 0;
  hup(core, core.config.preVote ? 'pre_election' : 'election');
}

function tickLeader(core: RaftCore): void {
  core.heartbeatElapsed += 1;
  core.electionElapsed += 1;
  if (core.electionElapsed >= core.config.electionTicks) {
    core.electionElapsed = 0;
    if (core.config.checkQuorum) stepLeader(core, checkQuorumMessage);
    // A transfer that took longer has failed: proposals are taken again.
    core.leadTransferee = noNode;
  }
  if (core.role !== 'StateLeader') return;
  if (core.heartbeatElapsed < core.config.heartbeatTicks) return;
  core.heartbeatElapsed = 0;
  stepLeader(core, beatMessage);
}
