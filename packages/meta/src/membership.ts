/**
 * Who votes. Pure: from what the leader sees to the next change of membership.
 *
 * Voters are the largest odd number of members up to 5, the rest are learners. A voter that is lost for a while gives its
 * vote to a learner that has caught up, in one joint change; it stays a learner, should it come back. A member that is
 * not in the state any more (removed, or its disk was wiped and it joined anew) leaves the membership.
 * A leader that is not in the state any more does not take itself out: that would leave the cluster without a leader in
 * the middle of a change. It hands over to another voter, which then takes it out.
 * Always: the leader keeps its vote; the voters after a change that are active are a majority of them.
 */
import type { ConfChangeSingle, ConfState } from '@quiver/raft';

export const votersMax = 5;

export interface MemberView {
  readonly memberId: number;
  /** In the state: not removed. */
  readonly isWanted: boolean;
  /** Answered within the last election timeout. */
  readonly isActive: boolean;
  /** Its log is near the leader's end. */
  readonly isCaughtUp: boolean;
  /** It has not answered for so long that its vote is given away. */
  readonly isLost: boolean;
}

/** @returns changes to propose together; [] when all is well or one is under way */
export function planMembership(
  leader: number,
  confState: ConfState,
  members: readonly MemberView[],
): ConfChangeSingle[] {
  if (confState.votersOutgoing.length > 0) return [];
  const view = new Map(members.map((member) => [member.memberId, member]));
  const { voters, learners } = confState;
  if (view.get(leader)?.isWanted === false) return planSuccessor(leader, confState, view);
  const wanted = [...voters, ...learners].filter((id) => view.get(id)?.isWanted ?? false);
  const target = Math.min(votersMax, wanted.length % 2 === 1 ? wanted.length : wanted.length - 1);
  const rank = (id: number): number => {
    const member = view.get(id);
    return id === leader ? 0 : member?.isActive ? 1 : member?.isLost ? 3 : 2;
  };
  // A voter that is not wanted keeps its place until somebody takes it, or until it must go anyway.
  const keep = voters
    .filter((id) => view.get(id)?.isWanted ?? false)
    .sort((a, b) => rank(a) - rank(b) || a - b);
  const candidates = learners.filter((id) => isFit(view.get(id)));
  const next = keep.slice(0, Math.max(1, target));
  for (const id of candidates) {
    const lost = next.findIndex((one) => rank(one) === 3);
    if (next.length < target) next.push(id);
    else if (lost >= 0) next[lost] = id;
  }
  // An even number of voters bears no more failures than one less: it is only a step on the way.
  const changes: ConfChangeSingle[] = [];
  for (const id of next) if (!voters.includes(id)) changes.push({ type: 'ConfChangeAddNode', nodeId: id });
  for (const id of [...voters, ...learners]) {
    if (!wanted.includes(id)) changes.push({ type: 'ConfChangeRemoveNode', nodeId: id });
    else if (voters.includes(id) && !next.includes(id))
      changes.push({ type: 'ConfChangeAddLearnerNode', nodeId: id });
  }
  if (changes.length === 0) return [];
  const active = next.filter((id) => id === leader || (view.get(id)?.isActive ?? false));
  return active.length * 2 > next.length ? changes : [];
}

/** A leader that must go and is the only voter that can lead: a learner gets a vote first. */
function planSuccessor(
  leader: number,
  { voters, learners }: ConfState,
  view: ReadonlyMap<number, MemberView>,
): ConfChangeSingle[] {
  const canLead = (id: number): boolean => id !== leader && isFit(view.get(id));
  if (voters.some(canLead)) return [];
  const heir = learners.find(canLead);
  const active = voters.filter((id) => id === leader || (view.get(id)?.isActive ?? false));
  const isMajority = (active.length + 1) * 2 > voters.length + 1;
  return heir === undefined || !isMajority ? [] : [{ type: 'ConfChangeAddNode', nodeId: heir }];
}

/** @returns the voter to hand the lead over to, when the leader is not in the state any more; null: it stays for now */
export function successorOf(
  leader: number,
  { voters, votersOutgoing }: ConfState,
  members: readonly MemberView[],
): number | null {
  if (votersOutgoing.length > 0) return null;
  if (members.find(({ memberId }) => memberId === leader)?.isWanted !== false) return null;
  const heir = members.find((one) => one.memberId !== leader && voters.includes(one.memberId) && isFit(one));
  return heir?.memberId ?? null;
}

/** It may get a vote, or lead. */
function isFit(member: MemberView | undefined): boolean {
  return member !== undefined && member.isWanted && member.isActive && member.isCaughtUp;
}
