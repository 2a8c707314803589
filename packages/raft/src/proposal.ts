/**
 * Proposals on the leader. Always: at most one membership change may be in the log and not applied; one that cannot
 * follow is replaced by an empty entry, so that its proposer sees an entry go by and no second vote on it is needed.
 */
import { decodeConfChange } from './conf-change-codec.ts';
import type { ConfChangeV2 } from './conf-change.ts';
import type { RaftCore } from './core.ts';
import { describeConfChange, describeMembership } from './describe.ts';
import { RaftError, type StepResult } from './error.ts';
import { broken } from './invariants.ts';
import { noBytes, noNode, type Entry, type Proposal } from './message.ts';
import { appendEntries, broadcastAppend } from './replication.ts';

/** REQUIRES: this node is leader. */
export function propose(core: RaftCore, proposed: readonly (Entry | Proposal)[]): StepResult {
  if (proposed.length === 0) broken(`${core.id.toString(16)} stepped empty MsgProp`);
  // Removed while leading: it goes on until the removal is applied everywhere, but takes nothing new.
  if (!core.tracker.progress.has(core.id)) return 'proposal_dropped';
  if (core.leadTransferee !== noNode) {
    core.logger.debug(
      `${core.id.toString(16)} [term ${core.term}] transfer leadership to ${core.leadTransferee.toString(16)} is in progress; dropping proposal`,
    );
    return 'proposal_dropped';
  }
  const checked = proposed.map((proposal, i) =>
    proposal.type === 'EntryNormal' ? proposal : checkedConfChange(core, proposal, i),
  );
  if (!appendEntries(core, checked)) return 'proposal_dropped';
  broadcastAppend(core);
  return 'stepped';
}

/** The proposal itself, now the pending one; or an empty entry in its place. */
function checkedConfChange(core: RaftCore, proposal: Proposal, offset: number): Proposal {
  const id = core.id.toString(16);
  const membership = describeMembership(core.tracker.membership);
  let change: ConfChangeV2;
  try {
    change = decodeConfChange(proposal);
  } catch (error) {
    // A peer passed it on: bytes it could not have encoded must not stop the leader.
    if (!(error instanceof RaftError)) throw error;
    core.logger.warn(`${id} ignoring undecodable conf change at config ${membership}: ${error.message}`);
    return emptyProposal;
  }
  const refusal = refusalOf(core, change);
  if (refusal !== null && !core.config.disableConfChangeValidation) {
    core.logger.info(
      `${id} ignoring conf change ${describeConfChange(change)} at config ${membership}: ${refusal}`,
    );
    return emptyProposal;
  }
  core.pendingConfIndex = core.log.lastIndex() + offset + 1;
  return proposal;
}

const emptyProposal: Proposal = { type: 'EntryNormal', data: noBytes };

/** Against the active membership, which may not be the newest: best effort, as application checks again. */
function refusalOf(core: RaftCore, change: ConfChangeV2): string | null {
  const { applied } = core.log;
  const wantsLeave = change.changes.length === 0;
  if (core.pendingConfIndex > applied)
    return `possible unapplied conf change at index ${core.pendingConfIndex} (applied to ${applied})`;
  if (core.tracker.isJoint() && !wantsLeave) return 'must transition out of joint config first';
  if (!core.tracker.isJoint() && wantsLeave) return 'not in joint state; refusing empty conf change';
  return null;
}
