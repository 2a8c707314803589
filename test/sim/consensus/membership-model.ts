/**
 * Memberships as sets, by the rules of the Raft thesis (4.3): an account of its own, against which the members are held.
 * Always: two memberships that follow each other have no two disjoint quorums.
 */
import type { ConfChangeV2, ConfState } from '@quiver/raft';

export interface MembershipModel {
  readonly voters: ReadonlySet<number>;
  /** Empty unless joint. */
  readonly outgoing: ReadonlySet<number>;
  readonly learners: ReadonlySet<number>;
  /** Outgoing voters that become learners. */
  readonly learnersNext: ReadonlySet<number>;
  /** The leader leaves the joint membership by itself. */
  readonly isLeftByLeader: boolean;
}

export function membershipOf(state: ConfState): MembershipModel {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = state;
  return {
    voters: new Set(voters),
    outgoing: new Set(votersOutgoing),
    learners: new Set(learners),
    learnersNext: new Set(learnersNext),
    isLeftByLeader: autoLeave,
  };
}

export function isQuorum({ voters, outgoing }: MembershipModel, has: (id: number) => boolean): boolean {
  const isMajority = (half: ReadonlySet<number>): boolean =>
    half.size === 0 || [...half].filter(has).length * 2 > half.size;
  return isMajority(voters) && isMajority(outgoing);
}

export function isIn({ voters, outgoing, learners }: MembershipModel, id: number): boolean {
  return voters.has(id) || outgoing.has(id) || learners.has(id);
}

/** @returns the next membership, or null when every member refuses the change */
export function changed(before: MembershipModel, change: ConfChangeV2): MembershipModel | null {
  const { transition, changes } = change;
  const isJoint = before.outgoing.size > 0;
  if (transition === 'ConfChangeTransitionAuto' && changes.length === 0) return isJoint ? left(before) : null;
  if (isJoint) return null;
  const entersJoint = transition !== 'ConfChangeTransitionAuto' || changes.length > 1;
  const voters = new Set(before.voters);
  const learners = new Set(before.learners);
  const learnersNext = new Set<number>();
  const outgoing = new Set(entersJoint ? before.voters : []);
  for (const { type, nodeId } of changes) {
    if (nodeId === 0 || type === 'ConfChangeUpdateNode') continue;
    voters.delete(nodeId);
    learners.delete(nodeId);
    learnersNext.delete(nodeId);
    if (type === 'ConfChangeAddNode') voters.add(nodeId);
    // A learner is no voter in either half: it waits for the end of the joint membership.
    if (type === 'ConfChangeAddLearnerNode') (outgoing.has(nodeId) ? learnersNext : learners).add(nodeId);
  }
  if (voters.size === 0) return null;
  if (!entersJoint && before.voters.symmetricDifference(voters).size > 1) return null;
  const isLeftByLeader = entersJoint && transition !== 'ConfChangeTransitionJointExplicit';
  return { voters, outgoing, learners, learnersNext, isLeftByLeader };
}

function left({ voters, learners, learnersNext }: MembershipModel): MembershipModel {
  return {
    voters,
    outgoing: new Set(),
    learners: learners.union(learnersNext),
    learnersNext: new Set(),
    isLeftByLeader: false,
  };
}

export function isSame(a: MembershipModel, b: MembershipModel): boolean {
  const parts = ['voters', 'outgoing', 'learners', 'learnersNext'] as const;
  return parts.every((part) => a[part].symmetricDifference(b[part]).size === 0);
}
