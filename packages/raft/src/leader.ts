/**
 * What a leader does with a message. Always: it overwrites nothing in its own log (leader append-only, Raft paper 5.3),
 * and sends to a follower only what that follower's progress allows.
 */
import type { RaftCore } from './core.ts';
import { describeProgress } from './describe.ts';
import type { StepResult } from './error.ts';
import { noNode, type Message, type NodeId } from './message.ts';
import type { Progress } from './progress.ts';
import { propose } from './proposal.ts';
import { confirmReads, readAsLeader, releasePendingReads } from './reads.ts';
import {
  broadcastAppend,
  broadcastHeartbeat,
  maybeCommit,
  maybeSendAppend,
  sendAppend,
} from './replication.ts';
import { becomeFollower } from './roles.ts';

export function stepLeader(core: RaftCore, message: Message): StepResult {
  switch (message.type) {
    case 'MsgBeat':
      broadcastHeartbeat(core);
      return 'stepped';
    case 'MsgCheckQuorum':
      checkQuorum(core);
      return 'stepped';
    case 'MsgProp':
      return propose(core, message.entries);
    case 'MsgReadIndex':
      readAsLeader(core, message);
      return 'stepped';
    case 'MsgForgetLeader':
      return 'stepped';
    default:
      break;
  }
  const progress = core.tracker.progress.get(message.from);
  if (progress === undefined) {
    core.logger.debug(`${core.id.toString(16)} no progress available for ${message.from.toString(16)}`);
    return 'stepped';
  }
  switch (message.type) {
    case 'MsgAppResp':
      progress.recentActive = true;
      if (message.reject) handleRejection(core, message, progress);
      else handleAcknowledgement(core, message, progress);
      break;
    case 'MsgHeartbeatResp':
      handleHeartbeatResponse(core, message, progress);
      break;
    case 'MsgSnapStatus':
      handleSnapshotStatus(core, message, progress);
      break;
    case 'MsgUnreachable':
      // An append in flight was probably lost with it.
      if (progress.state === 'StateReplicate') progress.becomeProbe();
      core.logger.debug(
        `${core.id.toString(16)} failed to send message to ${message.from.toString(16)} because it is unreachable [${describeProgress(progress)}]`,
      );
      break;
    case 'MsgTransferLeader':
      transferLeader(core, message.from, progress);
      break;
    default:
      break;
  }
  return 'stepped';
}

function checkQuorum(core: RaftCore): void {
  if (!core.tracker.isQuorumActive()) {
    core.logger.warn(`${core.id.toString(16)} stepped down to follower since quorum is not active`);
    becomeFollower(core, core.term, noNode);
  }
  for (const [id, progress] of core.tracker.progress) if (id !== core.id) progress.recentActive = false;
}

/**
 * Goes back to where the logs may meet. The follower's hint says that its log ends (or agrees at best) with term
 * `logTerm` at `rejectHint`; where our own terms are higher than that up to some index, none of those can match, so one
 * probe per term is enough instead of one per entry.
 */
function handleRejection(core: RaftCore, message: Message, progress: Progress): void {
  const { from, index, rejectHint, logTerm } = message;
  const id = core.id.toString(16);
  const peer = from.toString(16);
  core.logger.debug(
    `${id} received MsgAppResp(rejected, hint: (index ${rejectHint}, term ${logTerm})) from ${peer} for index ${index}`,
  );
  const probe = logTerm > 0 ? core.log.findConflictByTerm(rejectHint, logTerm).index : rejectHint;
  if (!progress.stepBack(index, probe)) return;
  core.logger.debug(`${id} decreased progress of ${peer} to [${describeProgress(progress)}]`);
  if (progress.state === 'StateReplicate') progress.becomeProbe();
  sendAppend(core, from);
}

function handleAcknowledgement(core: RaftCore, message: Message, progress: Progress): void {
  const { from, index } = message;
  const isNews = progress.acknowledge(index);
  // A repeated acknowledgement still ends probing: it shows that the follower is there and agrees.
  if (!isNews && !(progress.match === index && progress.state === 'StateProbe')) return;
  if (progress.state === 'StateProbe') {
    progress.becomeReplicate();
  } else if (progress.state === 'StateReplicate') {
    progress.inflights.freeTo(index);
  } else if (progress.match + 1 >= core.log.firstIndex()) {
    // Whatever snapshot it applied, from here our log continues it.
    core.logger.debug(
      `${core.id.toString(16)} recovered from needing snapshot, resumed sending replication messages to ${from.toString(16)} [${describeProgress(progress)}]`,
    );
    progress.becomeProbe();
    progress.becomeReplicate();
  }
  if (maybeCommit(core)) {
    releasePendingReads(core);
    broadcastAppend(core);
  } else if (from !== core.id && progress.canBumpCommit(core.log.committed)) {
    sendAppend(core, from);
  }
  // The window moved: as many appends as it takes now.
  if (from !== core.id) while (maybeSendAppend(core, from, progress, false));
  if (from === core.leadTransferee && progress.match === core.log.lastIndex()) {
    core.logger.info(
      `${core.id.toString(16)} sent MsgTimeoutNow to ${from.toString(16)} after received MsgAppResp`,
    );
    core.send('MsgTimeoutNow', { to: from });
  }
}

function handleHeartbeatResponse(core: RaftCore, message: Message, progress: Progress): void {
  progress.recentActive = true;
  progress.isFlowPaused = false;
  // Also to one that has everything but is probed: the answer takes it back to replicating.
  if (progress.match < core.log.lastIndex() || progress.state === 'StateProbe')
    sendAppend(core, message.from);
  confirmReads(core, message);
}

function handleSnapshotStatus(core: RaftCore, message: Message, progress: Progress): void {
  if (progress.state !== 'StateSnapshot') return;
  // A snapshot that failed must not move the point where probing starts.
  if (message.reject) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  core.logger.debug(
    `${core.id.toString(16)} snapshot ${message.reject ? 'failed' : 'succeeded'}, resumed sending replication messages to ${message.from.toString(16)} [${describeProgress(progress)}]`,
  );
  // Arrived: its acknowledgement will say so. Failed: the next heartbeat is early enough to try again.
  progress.isFlowPaused = true;
}

function transferLeader(core: RaftCore, to: NodeId, progress: Progress): void {
  const id = core.id.toString(16);
  const peer = to.toString(16);
  if (progress.isLearner) {
    core.logger.debug(`${id} is learner. Ignored transferring leadership`);
    return;
  }
  const previous = core.leadTransferee;
  if (previous === to) {
    core.logger.info(
      `${id} [term ${core.term}] transfer leadership to ${peer} is in progress, ignores request to same node ${peer}`,
    );
    return;
  }
  if (previous !== noNode) {
    core.leadTransferee = noNode;
    core.logger.info(
      `${id} [term ${core.term}] abort previous transferring leadership to ${previous.toString(16)}`,
    );
  }
  if (to === core.id) {
    core.logger.debug(`${id} is already leader. Ignored transferring leadership to self`);
    return;
  }
  core.logger.info(`${id} [term ${core.term}] starts to transfer leadership to ${peer}`);
  // It has one election timeout from now; then the leader takes proposals again.
  core.electionElapsed = 0;
  core.leadTransferee = to;
  if (progress.match === core.log.lastIndex()) {
    core.send('MsgTimeoutNow', { to });
    core.logger.info(
      `${id} sends MsgTimeoutNow to ${peer} immediately as ${peer} already has up-to-date log`,
    );
  } else {
    sendAppend(core, to);
  }
}
