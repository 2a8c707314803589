/**
 * Proposes changes of membership, sensible and foolish ones: a leader may even take itself out. Always: what would leave a
 * membership without a quorum of intact disks is not proposed.
 */
import { ClusterError } from '@quiver/model';
import { leaveJointChange, type ConfChangeSingle, type ConfChangeTransition } from '@quiver/raft';
import type { ConsensusWorld, Member } from './member.ts';
import { changed, isIn, isQuorum, type MembershipModel } from './membership-model.ts';

const add = (nodeId: number): ConfChangeSingle => ({ type: 'ConfChangeAddNode', nodeId });
const learn = (nodeId: number): ConfChangeSingle => ({ type: 'ConfChangeAddLearnerNode', nodeId });
const remove = (nodeId: number): ConfChangeSingle => ({ type: 'ConfChangeRemoveNode', nodeId });

const transitions: readonly ConfChangeTransition[] = [
  'ConfChangeTransitionAuto',
  'ConfChangeTransitionAuto',
  'ConfChangeTransitionJointImplicit',
  'ConfChangeTransitionJointExplicit',
];

export function proposeChange(world: ConsensusWorld, isCalm: boolean): void {
  const { members, random, witness } = world;
  const leaders = members.filter(({ host, process }) => host?.isSettledLeader === true && !process.isPaused);
  if (leaders.length === 0) return;
  const leader = random.pick(leaders);
  const { membership } = witness;
  if (membership.outgoing.size > 0) {
    if (!membership.isLeftByLeader && (isCalm || random.chance(0.5))) propose(leader, leaveJointChange);
    return;
  }
  if (!isCalm && random.chance(0.15)) {
    world.count('leadership transferred');
    leader.process.deliver(() => leader.transferLead(random.pick([...membership.voters])));
    return;
  }
  const changes = isCalm ? planRepair(world, membership) : planChange(world, leader, membership);
  if (changes.length === 0) return;
  const transition = isCalm ? transitions[0]! : random.pick(transitions);
  const change = { transition, changes, context: new Uint8Array(0) };
  const after = changed(membership, change);
  const isIntact = (id: number): boolean => members.some((one) => one.id === id && !one.isDoubtful);
  if (after === null || !isQuorum(after, isIntact)) return;
  if (!after.voters.has(leader.id)) {
    world.count('a leader takes itself out');
    world.onLeaving(leader);
  }
  propose(leader, change);
  // One more while that one is under way: it must come to nothing.
  if (random.chance(0.3)) {
    const more = planChange(world, leader, after);
    const later =
      more.length === 0 ? null : changed(after, { transition, changes: more, context: new Uint8Array(0) });
    if (later !== null && isQuorum(later, isIntact))
      propose(leader, { transition, changes: more, context: new Uint8Array(0) });
  }
}

function propose(
  leader: Member,
  change: Parameters<NonNullable<Member['host']>['proposeConfChange']>[0],
): void {
  leader.process.deliver(() => {
    try {
      leader.host?.proposeConfChange(change);
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
    }
  });
}

/** Members whose disks are gone leave, one that can vote takes the place. */
function planRepair({ members }: ConsensusWorld, membership: MembershipModel): ConfChangeSingle[] {
  const ids = members.map(({ id }) => id);
  const gone = [...membership.voters, ...membership.learners].filter((id) => !ids.includes(id));
  return gone.slice(0, 1).map(remove);
}

function planChange(
  { members, random }: ConsensusWorld,
  leader: Member,
  membership: MembershipModel,
): ConfChangeSingle[] {
  const ids = members.map(({ id }) => id);
  const all = [...membership.voters, ...membership.learners];
  const gone = all.filter((id) => !ids.includes(id));
  const outside = ids.filter((id) => !isIn(membership, id));
  const progress = leader.host!.status().progress;
  const near = [...membership.learners].filter((id) => {
    const one = progress.get(id);
    return one?.state === 'StateReplicate' && one.match + 50 >= leader.host!.applied;
  });
  const leaves = random.chance(0.1);
  const voters = [...membership.voters].filter((id) => (id === leader.id) === leaves);
  const plans: (readonly ConfChangeSingle[])[] = [];
  const first = outside.length > 0 ? random.pick(outside) : null;
  if (first !== null) plans.push([learn(first)], [learn(first)]);
  if (gone.length > 0) plans.push([remove(random.pick(gone))]);
  for (const id of near) plans.push([add(id)], ...gone.slice(0, 1).map((one) => [remove(one), add(id)]));
  if (voters.length > 0) {
    const voter = random.pick(voters);
    plans.push([learn(voter)], [remove(voter)]);
    if (near.length > 0) plans.push([learn(voter), add(near[0]!)], [remove(voter), add(near[0]!)]);
    if (voters.length > 1) plans.push(voters.slice(0, 2).map(learn));
  }
  return plans.length === 0 ? [] : [...random.pick(plans)];
}
