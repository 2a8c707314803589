/**
 * Changes of role. Always: a leader is leader for one whole term; only a candidate becomes leader, and nobody leads
 * straight from following (Raft paper, figure 4).
 */
import type { RaftCore } from './core.ts';
import { assert } from './invariants.ts';
import { noBytes, noNode, type NodeId } from './message.ts';
import { appendEntries } from './replication.ts';

export function becomeFollower(core: RaftCore, term: number, lead: NodeId): void {
  core.reset(term);
  core.lead = lead;
  core.role = 'StateFollower';
  core.logger.info(`${core.id.toString(16)} became follower at term ${core.term}`);
}

export function becomeCandidate(core: RaftCore): void {
  assert(core.role !== 'StateLeader', 'invalid transition [leader -> candidate]');
  core.reset(core.term + 1);
  core.vote = core.id;
  core.role = 'StateCandidate';
  core.logger.info(`${core.id.toString(16)} became candidate at term ${core.term}`);
}

/** Asks first: neither term nor vote change until the answers say that an election can be won. */
export function becomePreCandidate(core: RaftCore): void {
  assert(core.role !== 'StateLeader', 'invalid transition [leader -> pre-candidate]');
  core.tracker.resetVotes();
  core.lead = noNode;
  core.role = 'StatePreCandidate';
  core.logger.info(`${core.id.toString(16)} became pre-candidate at term ${core.term}`);
}

export function becomeLeader(core: RaftCore): void {
  assert(core.role !== 'StateFollower', 'invalid transition [follower -> leader]');
  core.reset(core.term);
  core.lead = core.id;
  core.role = 'StateLeader';
  const own = core.tracker.progress.get(core.id);
  assert(own !== undefined, `${core.id} leads without being a member`);
  own.becomeReplicate();
  own.recentActive = true;
  // A membership change may be anywhere in the tail: wait for all of it rather than search it.
  core.pendingConfIndex = core.log.lastIndex();
  // Entries of earlier terms are committed only through one of this term (Raft paper, figure 8).
  const isAppended = appendEntries(core, [{ type: 'EntryNormal', data: noBytes }]);
  assert(isAppended, 'empty entry was dropped');
  core.logger.info(`${core.id.toString(16)} became leader at term ${core.term}`);
}
