/**
 * Making a membership the active one. Always: it is switched when the change is applied, not when it is appended; both
 * are safe as long as one is pending at a time, and applying needs no way back.
 */
import { asV2, isLeaveJoint, jointEntryOf, type ConfChange } from './conf-change.ts';
import type { RaftCore } from './core.ts';
import { describeConfState, describeMembership } from './describe.ts';
import { assert } from './invariants.ts';
import { changeSimply, enterJoint, leaveJoint, type ChangedMembership } from './membership-change.ts';
import { isSameConfState } from './membership-restore.ts';
import { noNode, type ConfState } from './message.ts';
import { broadcastAppend, maybeCommit, maybeSendAppend } from './replication.ts';
import { becomeFollower } from './roles.ts';

/**
 * @returns the new configuration
 * @throws {RaftError} invalid_conf_change: the entry is committed, so every member fails alike
 */
export function applyConfChange(core: RaftCore, given: ConfChange): ConfState {
  const change = asV2(given);
  const last = core.log.lastIndex();
  const joint = jointEntryOf(change);
  if (isLeaveJoint(change)) return switchMembership(core, leaveJoint(core.tracker, last));
  return switchMembership(
    core,
    joint === null
      ? changeSimply(core.tracker, last, change.changes)
      : enterJoint(core.tracker, last, joint.autoLeave, change.changes),
  );
}

/** @param expected - the stored configuration this one was restored from */
export function switchMembership(
  core: RaftCore,
  changed: ChangedMembership,
  expected?: ConfState,
): ConfState {
  core.tracker.switchTo(changed.membership, changed.progress);
  core.logger.info(
    `${core.id.toString(16)} switched to configuration ${describeMembership(changed.membership)}`,
  );
  const state = core.tracker.confState();
  if (expected !== undefined)
    assert(
      isSameConfState(state, expected),
      `restored ${describeConfState(state)} from ${describeConfState(expected)}`,
    );
  const own = core.tracker.progress.get(core.id);
  core.isLearner = own?.isLearner ?? false;
  if (core.role !== 'StateLeader') return state;
  if (own === undefined || core.isLearner) {
    // Removed or demoted while leading (Raft thesis, 4.2.2).
    if (core.config.stepDownOnRemoval) becomeFollower(core, core.term, noNode);
    return state;
  }
  if (state.voters.length === 0) return state;
  if (maybeCommit(core)) {
    // The new quorum is smaller or faster: more is committed now.
    broadcastAppend(core);
  } else {
    // Newcomers need not wait for the next heartbeat or proposal.
    for (const [id, progress] of core.tracker.progress)
      if (id !== core.id) maybeSendAppend(core, id, progress, false);
  }
  if (core.leadTransferee !== noNode && !core.tracker.isVoter(core.leadTransferee))
    core.leadTransferee = noNode;
  return state;
}
