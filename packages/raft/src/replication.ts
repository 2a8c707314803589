/**
 * Getting the log onto the followers: the leader's appends and commit, the follower's acceptance or hint.
 * Always: an entry counts as committed only when a quorum has it and it is of the leader's term (Raft paper, 5.4.2).
 */
import { payloadsBytes } from './entry-size.ts';
import type { Entry, Message, NodeId, Proposal } from './message.ts';
import type { RaftCore } from './core.ts';
import type { Progress } from './progress.ts';
import { sendSnapshot } from './snapshot-send.ts';

/**
 * Appends to the leader's own log; the acknowledgement to itself follows once the entries are durable.
 * @returns false when that would exceed the limit of uncommitted bytes; nothing was appended
 */
export function appendEntries(core: RaftCore, proposals: readonly Proposal[]): boolean {
  const bytes = payloadsBytes(proposals);
  // With nothing uncommitted any size is taken; and what weighs nothing (a new term, leaving joint) is never refused.
  if (
    core.uncommittedBytes > 0 &&
    bytes > 0 &&
    core.uncommittedBytes + bytes > core.config.uncommittedBytesMax
  ) {
    core.logger.warn(
      `${core.id.toString(16)} appending new entries to log would exceed uncommitted entry size limit; dropping proposal`,
    );
    return false;
  }
  core.uncommittedBytes += bytes;
  const last = core.log.lastIndex();
  const entries = proposals.map(({ type, data }, i): Entry => ({
    term: core.term,
    index: last + 1 + i,
    type,
    data,
  }));
  core.send('MsgAppResp', { to: core.id, index: core.log.append(entries) });
  return true;
}

/** Commits what a quorum has. @returns whether the commit index rose */
export function maybeCommit(core: RaftCore): boolean {
  return core.log.maybeCommit({ term: core.term, index: core.tracker.committed() });
}

export function broadcastAppend(core: RaftCore): void {
  for (const [id, progress] of core.tracker.progress)
    if (id !== core.id) maybeSendAppend(core, id, progress, true);
}

export function sendAppend(core: RaftCore, to: NodeId): void {
  const progress = core.tracker.progress.get(to);
  if (progress !== undefined) maybeSendAppend(core, to, progress, true);
}

/**
 * Sends the entries from `next` on, as many as one message takes, or a snapshot where they are gone.
 * @param sendIfEmpty - also to tell only the commit index
 * @returns whether something was sent
 */
export function maybeSendAppend(
  core: RaftCore,
  to: NodeId,
  progress: Progress,
  sendIfEmpty: boolean,
): boolean {
  if (progress.isPaused()) return false;
  const index = progress.next - 1;
  const logTerm = core.log.term(index);
  if (typeof logTerm !== 'number') return sendSnapshot(core, to, progress);
  // Into a full window goes an empty append: if all that filled it was lost, the answer empties it.
  const isThrottled = progress.state === 'StateReplicate' && progress.inflights.isFull();
  const entries = isThrottled ? [] : core.log.entriesFrom(progress.next, core.config.messageBytesMax);
  if (!Array.isArray(entries)) return sendIfEmpty ? sendSnapshot(core, to, progress) : false;
  if (entries.length === 0 && !sendIfEmpty) return false;
  const commit = core.log.committed;
  core.send('MsgApp', { to, index, logTerm, entries, commit });
  progress.sentEntries(entries.length, payloadsBytes(entries));
  progress.sentCommit = commit;
  return true;
}

export function broadcastHeartbeat(core: RaftCore): void {
  const context = core.readOnly.heartbeatContext();
  for (const [to, progress] of core.tracker.progress) {
    if (to === core.id) continue;
    // Not beyond what the follower is known to have: it would commit entries of another leader.
    const commit = Math.min(progress.match, core.log.committed);
    core.send('MsgHeartbeat', { to, commit, context });
    progress.sentCommit = commit;
  }
}

export function handleAppend(core: RaftCore, message: Message): void {
  const { log } = core;
  const { from: to, index, logTerm } = message;
  if (index < log.committed) {
    core.send('MsgAppResp', { to, index: log.committed });
    return;
  }
  const lastNew = log.maybeAppend({ index, term: logTerm }, message.entries, message.commit);
  if (lastNew !== null) {
    core.send('MsgAppResp', { to, index: lastNew });
    return;
  }
  core.logger.debug(
    `${core.id.toString(16)} [logterm: ${log.termOrZero(index)}, index: ${index}] rejected MsgApp [logterm: ${logTerm}, index: ${index}] from ${to.toString(16)}`,
  );
  // Skip in one step what cannot agree: entries here whose term is above the leader's at that point.
  const hint = log.findConflictByTerm(Math.min(index, log.lastIndex()), logTerm);
  core.send('MsgAppResp', { to, index, reject: true, rejectHint: hint.index, logTerm: hint.term });
}

export function handleHeartbeat(core: RaftCore, message: Message): void {
  core.log.commitTo(message.commit);
  core.send('MsgHeartbeatResp', { to: message.from, context: message.context });
}

/** Applied entries no longer count as uncommitted; entries of an earlier leader were never counted. */
export function releaseUncommitted(core: RaftCore, entries: readonly Entry[]): void {
  core.uncommittedBytes = Math.max(core.uncommittedBytes - payloadsBytes(entries), 0);
}
