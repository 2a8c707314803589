/**
 * Decisions while two configurations hold at once: both majorities must agree (Raft thesis, 4.3).
 * Always: with an empty outgoing half a joint quorum decides exactly as its incoming half.
 */
import {
  committedByMajority,
  createMajority,
  votesOfMajority,
  type AckedIndexes,
  type Majority,
  type VoteResult,
} from './quorum-majority.ts';
import type { NodeId } from './message.ts';

export interface JointQuorum {
  readonly incoming: Majority;
  /** Empty unless joint. */
  readonly outgoing: Majority;
}

export function votersOf(quorum: JointQuorum): Majority {
  return quorum.outgoing.length === 0
    ? quorum.incoming
    : createMajority([...quorum.incoming, ...quorum.outgoing]);
}

export function isVoter(quorum: JointQuorum, id: NodeId): boolean {
  return quorum.incoming.includes(id) || quorum.outgoing.includes(id);
}

export function committedByJoint(quorum: JointQuorum, acked: AckedIndexes): number {
  return Math.min(committedByMajority(quorum.incoming, acked), committedByMajority(quorum.outgoing, acked));
}

export function votesOfJoint(quorum: JointQuorum, votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  const incoming = votesOfMajority(quorum.incoming, votes);
  const outgoing = votesOfMajority(quorum.outgoing, votes);
  if (incoming === outgoing) return incoming;
  return incoming === 'VoteLost' || outgoing === 'VoteLost' ? 'VoteLost' : 'VotePending';
}
