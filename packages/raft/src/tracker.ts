/**
 * The active membership and what is known of each member.
 * Always: every voter and learner has a progress, iterated in ascending order of id (scripts and simulations replay);
 * voters and learners do not intersect; outgoing voters, `learnersNext` and `autoLeave` exist only while joint.
 */
import { Inflights } from './inflights.ts';
import type { ConfState, NodeId } from './message.ts';
import { Progress } from './progress.ts';
import { committedByJoint, isVoter, votesOfJoint, votersOf, type JointQuorum } from './quorum-joint.ts';
import type { AckedIndexes, Majority, VoteResult } from './quorum-majority.ts';

export interface Membership {
  readonly voters: JointQuorum;
  readonly learners: Majority;
  readonly learnersNext: Majority;
  readonly autoLeave: boolean;
}

export const emptyMembership: Membership = {
  voters: { incoming: [], outgoing: [] },
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

export type ProgressMap = Map<NodeId, Progress>;

export interface Tally {
  readonly granted: number;
  readonly rejected: number;
  readonly result: VoteResult;
}

export class Tracker implements AckedIndexes {
  membership: Membership = emptyMembership;
  progress: ProgressMap = new Map();
  votes = new Map<NodeId, boolean>();
  readonly inflightCountMax: number;
  readonly inflightBytesMax: number;

  constructor(inflightCountMax: number, inflightBytesMax: number) {
    this.inflightCountMax = inflightCountMax;
    this.inflightBytesMax = inflightBytesMax;
  }

  createInflights(): Inflights {
    return new Inflights(this.inflightCountMax, this.inflightBytesMax);
  }

  switchTo(membership: Membership, progress: ProgressMap): void {
    this.membership = membership;
    this.progress = new Map([...progress].sort(([a], [b]) => a - b));
  }

  ackedIndex(id: NodeId): number | undefined {
    return this.progress.get(id)?.match;
  }

  /** The highest index that the quorum has in its logs. */
  committed(): number {
    return committedByJoint(this.membership.voters, this);
  }

  isVoter(id: NodeId): boolean {
    return isVoter(this.membership.voters, id);
  }

  isJoint(): boolean {
    return this.membership.voters.outgoing.length > 0;
  }

  /** The only voter there is. */
  isSingleton(): boolean {
    return this.membership.voters.incoming.length === 1 && !this.isJoint();
  }

  voterIds(): Majority {
    return votersOf(this.membership.voters);
  }

  confState(): ConfState {
    const { voters, learners, learnersNext, autoLeave } = this.membership;
    return { voters: voters.incoming, votersOutgoing: voters.outgoing, learners, learnersNext, autoLeave };
  }

  isQuorumActive(): boolean {
    const active = new Map<NodeId, boolean>();
    for (const [id, progress] of this.progress)
      if (!progress.isLearner) active.set(id, progress.recentActive);
    return votesOfJoint(this.membership.voters, active) === 'VoteWon';
  }

  resetVotes(): void {
    this.votes.clear();
  }

  /** The first vote of a member counts; a repeated message does not change it. */
  recordVote(id: NodeId, isGranted: boolean): void {
    if (!this.votes.has(id)) this.votes.set(id, isGranted);
  }

  tallyVotes(): Tally {
    let granted = 0;
    let rejected = 0;
    for (const [id, progress] of this.progress) {
      const vote = progress.isLearner ? undefined : this.votes.get(id);
      if (vote === true) granted += 1;
      else if (vote === false) rejected += 1;
    }
    return { granted, rejected, result: votesOfJoint(this.membership.voters, this.votes) };
  }
}
