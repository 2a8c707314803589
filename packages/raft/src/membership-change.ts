/**
 * From one membership to the next, or a refusal. Pure: the tracker it starts from is not touched.
 * Always: what it returns satisfies `checkMembership`; at most one voter changes without a joint configuration.
 */
import { RaftError } from './error.ts';
import type { ConfChangeSingle } from './conf-change.ts';
import type { NodeId } from './message.ts';
import { Progress } from './progress.ts';
import { votersOf } from './quorum-joint.ts';
import { createMajority } from './quorum-majority.ts';
import type { Membership, ProgressMap, Tracker } from './tracker.ts';

export interface ChangedMembership {
  readonly membership: Membership;
  readonly progress: ProgressMap;
}

/** The part of the tracker a change starts from. */
export type ChangeBase = Pick<Tracker, 'membership' | 'progress' | 'createInflights'>;

/** A membership under construction. */
interface Draft {
  readonly incoming: Set<NodeId>;
  readonly outgoing: Set<NodeId>;
  readonly learners: Set<NodeId>;
  readonly learnersNext: Set<NodeId>;
  autoLeave: boolean;
  readonly progress: ProgressMap;
  readonly base: ChangeBase;
  readonly lastIndex: number;
}

/**
 * Keeps the present voters as the outgoing half and changes the incoming half (Raft thesis, 4.3).
 * @param lastIndex - of the log, where probing of a new member starts
 * @throws {RaftError} invalid_conf_change
 */
export function enterJoint(
  base: ChangeBase,
  lastIndex: number,
  autoLeave: boolean,
  changes: readonly ConfChangeSingle[],
): ChangedMembership {
  const draft = draftOf(base, lastIndex);
  if (draft.outgoing.size > 0) refuse('config is already joint');
  if (draft.incoming.size === 0) refuse("can't make a zero-voter config joint");
  for (const id of draft.incoming) draft.outgoing.add(id);
  applyChanges(draft, changes);
  draft.autoLeave = autoLeave;
  return finish(draft);
}

/**
 * Drops the outgoing half; voters of it that were to become learners now are.
 * @throws {RaftError} invalid_conf_change
 */
export function leaveJoint(base: ChangeBase, lastIndex: number): ChangedMembership {
  const draft = draftOf(base, lastIndex);
  if (draft.outgoing.size === 0) refuse("can't leave a non-joint config");
  for (const id of draft.learnersNext) {
    draft.learners.add(id);
    draft.progress.get(id)!.isLearner = true;
  }
  draft.learnersNext.clear();
  for (const id of draft.outgoing)
    if (!draft.incoming.has(id) && !draft.learners.has(id)) draft.progress.delete(id);
  draft.outgoing.clear();
  draft.autoLeave = false;
  return finish(draft);
}

/**
 * Changes that together add or remove at most one voter: old and new majorities overlap by themselves.
 * @throws {RaftError} invalid_conf_change
 */
export function changeSimply(
  base: ChangeBase,
  lastIndex: number,
  changes: readonly ConfChangeSingle[],
): ChangedMembership {
  const draft = draftOf(base, lastIndex);
  if (draft.outgoing.size > 0) refuse("can't apply simple config change in joint config");
  applyChanges(draft, changes);
  const before = new Set(base.membership.voters.incoming);
  if (before.symmetricDifference(draft.incoming).size > 1)
    refuse('more than one voter changed without entering joint config');
  return finish(draft);
}

function refuse(reason: string): never {
  throw new RaftError('invalid_conf_change', reason);
}

function draftOf(base: ChangeBase, lastIndex: number): Draft {
  checkMembership(base.membership, base.progress);
  const { voters, learners, learnersNext, autoLeave } = base.membership;
  return {
    incoming: new Set(voters.incoming),
    outgoing: new Set(voters.outgoing),
    learners: new Set(learners),
    learnersNext: new Set(learnersNext),
    autoLeave,
    progress: new Map([...base.progress].map(([id, progress]) => [id, progress.clone()])),
    base,
    lastIndex,
  };
}

function finish(draft: Draft): ChangedMembership {
  const membership: Membership = {
    voters: { incoming: createMajority(draft.incoming), outgoing: createMajority(draft.outgoing) },
    learners: createMajority(draft.learners),
    learnersNext: createMajority(draft.learnersNext),
    autoLeave: draft.autoLeave,
  };
  checkMembership(membership, draft.progress);
  return { membership, progress: draft.progress };
}

function applyChanges(draft: Draft, changes: readonly ConfChangeSingle[]): void {
  for (const { type, nodeId } of changes) {
    if (nodeId === 0) continue;
    if (type === 'ConfChangeAddNode') makeVoter(draft, nodeId);
    else if (type === 'ConfChangeAddLearnerNode') makeLearner(draft, nodeId);
    else if (type === 'ConfChangeRemoveNode') remove(draft, nodeId);
  }
  if (draft.incoming.size === 0) refuse('removed all voters');
}

function makeVoter(draft: Draft, id: NodeId): void {
  const progress = draft.progress.get(id);
  if (progress === undefined) {
    startProgress(draft, id, false);
    return;
  }
  progress.isLearner = false;
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
  draft.incoming.add(id);
}

/** A voter of the outgoing half is only staged: it must not count as voter and learner at once. */
function makeLearner(draft: Draft, id: NodeId): void {
  const progress = draft.progress.get(id);
  if (progress === undefined) {
    startProgress(draft, id, true);
    return;
  }
  if (progress.isLearner) return;
  remove(draft, id);
  draft.progress.set(id, progress);
  if (draft.outgoing.has(id)) {
    draft.learnersNext.add(id);
  } else {
    progress.isLearner = true;
    draft.learners.add(id);
  }
}

function remove(draft: Draft, id: NodeId): void {
  if (!draft.progress.has(id)) return;
  draft.incoming.delete(id);
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
  if (!draft.outgoing.has(id)) draft.progress.delete(id);
}

function startProgress(draft: Draft, id: NodeId, isLearner: boolean): void {
  (isLearner ? draft.learners : draft.incoming).add(id);
  draft.progress.set(
    id,
    new Progress({
      match: 0,
      // Probing starts at our end: a newcomer answers with where its own log ends.
      next: Math.max(draft.lastIndex, 1),
      inflights: draft.base.createInflights(),
      isLearner,
      // Else a quorum check before its first answer would count it as gone.
      recentActive: true,
    }),
  );
}

/** @throws {RaftError} invalid_conf_change when membership and progress contradict each other */
export function checkMembership(membership: Membership, progress: ProgressMap): void {
  const { voters, learners, learnersNext, autoLeave } = membership;
  for (const ids of [votersOf(voters), learners, learnersNext])
    for (const id of ids) if (!progress.has(id)) refuse(`no progress for ${id}`);
  for (const id of learnersNext) {
    if (!voters.outgoing.includes(id)) refuse(`${id} is in LearnersNext, but not Voters[1]`);
    if (progress.get(id)!.isLearner) refuse(`${id} is in LearnersNext, but is already marked as learner`);
  }
  for (const id of learners) {
    if (voters.outgoing.includes(id)) refuse(`${id} is in Learners and Voters[1]`);
    if (voters.incoming.includes(id)) refuse(`${id} is in Learners and Voters[0]`);
    if (!progress.get(id)!.isLearner) refuse(`${id} is in Learners, but is not marked as learner`);
  }
  if (voters.outgoing.length > 0) return;
  if (learnersNext.length > 0) refuse('LearnersNext must be empty when not joint');
  if (autoLeave) refuse('AutoLeave must be false when not joint');
}
