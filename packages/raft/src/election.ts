/**
 * Starting elections and voting in them (Raft paper, 5.2 and 5.4.1; thesis, 9.6 for the pre-vote).
 * Always: at most one vote per term; a vote only for a log at least as complete as one's own.
 */
import { createMajority } from './quorum-majority.ts';
import type { RaftCore } from './core.ts';
import { broken } from './invariants.ts';
import { noBytes, noNode, voteResponseType, type Message, type NodeId } from './message.ts';
import { becomeCandidate, becomeFollower, becomePreCandidate } from './roles.ts';
import type { Tally } from './tracker.ts';

export type CampaignType = 'pre_election' | 'election' | 'transfer';

/** On votes asked for by a leadership transfer: they are granted although a leader is alive. */
export const transferContext = new TextEncoder().encode('CampaignTransfer');

export function isTransferContext(context: Uint8Array): boolean {
  return context.length === transferContext.length && context.every((byte, i) => byte === transferContext[i]);
}

/** Campaigns, unless this node may not lead now. */
export function hup(core: RaftCore, type: CampaignType): void {
  const id = core.id.toString(16);
  if (core.role === 'StateLeader') {
    core.logger.debug(`${id} ignoring MsgHup because already leader`);
  } else if (!core.isPromotable()) {
    core.logger.warn(`${id} is unpromotable and can not campaign`);
  } else if (hasUnappliedConfChange(core)) {
    core.logger.warn(
      `${id} cannot campaign at term ${core.term} since there are still pending configuration changes to apply`,
    );
  } else {
    core.logger.info(`${id} is starting a new election at term ${core.term}`);
    campaign(core, type);
  }
}

/** A committed membership change decides who votes: it is applied before anyone is asked. */
function hasUnappliedConfChange(core: RaftCore): boolean {
  const { log } = core;
  if (log.applied >= log.committed) return false;
  const found = log.scan(log.applied + 1, log.committed + 1, log.applyingBytesMax, (page) =>
    page.some(({ type }) => type !== 'EntryNormal'),
  );
  if (typeof found !== 'boolean')
    broken(`unapplied entries [${log.applied + 1}, ${log.committed + 1}) are ${found}`);
  return found;
}

export function campaign(core: RaftCore, type: CampaignType): void {
  if (type === 'pre_election') becomePreCandidate(core);
  else becomeCandidate(core);
  const request = type === 'pre_election' ? 'MsgPreVote' : 'MsgVote';
  // A pre-vote asks about the next term without entering it.
  const term = type === 'pre_election' ? core.term + 1 : core.term;
  const last = core.log.lastEntryId();
  const context = type === 'transfer' ? transferContext : noBytes;
  for (const to of createMajority(core.tracker.voterIds())) {
    if (to === core.id) {
      // The own vote too counts only once it is durable.
      core.send(voteResponseType(request), { to, term });
      continue;
    }
    core.logger.info(
      `${core.id.toString(16)} [logterm: ${last.term}, index: ${last.index}] sent ${request} request to ${to.toString(16)} at term ${core.term}`,
    );
    core.send(request, { to, term, index: last.index, logTerm: last.term, context });
  }
}

/** Counts one answer. */
export function poll(core: RaftCore, from: NodeId, message: Message): Tally {
  const isGranted = !message.reject;
  core.logger.info(
    `${core.id.toString(16)} received ${message.type}${isGranted ? '' : ' rejection'} from ${from.toString(16)} at term ${core.term}`,
  );
  core.tracker.recordVote(from, isGranted);
  return core.tracker.tallyVotes();
}

/** Grants or refuses a vote or a pre-vote. Learners vote too: one may have been promoted without knowing it yet. */
export function handleVoteRequest(core: RaftCore, message: Message, type: 'MsgVote' | 'MsgPreVote'): void {
  const canVote =
    core.vote === message.from ||
    (core.vote === noNode && core.lead === noNode) ||
    (type === 'MsgPreVote' && message.term > core.term);
  const isGranted = canVote && core.log.isUpToDate({ term: message.logTerm, index: message.index });
  describeVote(core, message, isGranted ? `cast ${type} for` : `rejected ${type} from`);
  if (!isGranted) {
    refuseVote(core, message.from, type);
    return;
  }
  // The term asked about: a pre-candidate of a later term would ignore an answer of an earlier one.
  core.send(voteResponseType(type), { to: message.from, term: message.term });
  if (type === 'MsgVote') {
    core.electionElapsed = 0;
    core.vote = message.from;
  }
}

/** @param type - what was asked for */
export function refuseVote(core: RaftCore, to: NodeId, type: 'MsgVote' | 'MsgPreVote'): void {
  const { log, config, term } = core;
  const told = config.votesTellCommit
    ? { commit: log.committed, logTerm: log.termOrZero(log.committed) }
    : { commit: 0, logTerm: 0 };
  core.send(voteResponseType(type), { to, term, reject: true, ...told });
}

/**
 * Takes over what a refused vote says is committed: where the terms are the same, so are the logs up to there (Raft paper,
 * 5.3). Others may vote then: a campaign among those of before ends.
 */
export function learnCommit(core: RaftCore, { commit, logTerm }: Message): void {
  if (core.role === 'StateLeader' || !core.log.maybeCommit({ index: commit, term: logTerm })) return;
  const isCampaigning = core.role !== 'StateFollower';
  if (isCampaigning && hasUnappliedConfChange(core)) becomeFollower(core, core.term, noNode);
}

export function describeVote(core: RaftCore, message: Message, verb: string, reason = ''): void {
  const last = core.log.lastEntryId();
  core.logger.info(
    `${core.id.toString(16)} [logterm: ${last.term}, index: ${last.index}, vote: ${core.vote.toString(16)}] ${verb} ${message.from.toString(16)} [logterm: ${message.logTerm}, index: ${message.index}] at term ${core.term}${reason}`,
  );
}
