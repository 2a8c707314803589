/**
 * Linearizable reads without the log (Raft thesis, 6.4). Always: a read is answered with a commit index of the current
 * term, by a leader known to have led after the read arrived (safe), or by its lease (behind a flag).
 */
import type { RaftCore } from './core.ts';
import { noNode, type Message } from './message.ts';
import { broadcastHeartbeat } from './replication.ts';

export function readAsLeader(core: RaftCore, message: Message): void {
  const isCommitted = core.hasCommittedInTerm();
  if (isCommitted && core.tracker.isSingleton()) {
    answerRead(core, message, core.log.committed);
  } else if (core.pendingReads.length + core.readOnly.length >= core.config.pendingReadsMax) {
    core.logger.warn(
      `${core.id.toString(16)} has ${core.config.pendingReadsMax} reads waiting for confirmation; dropping index reading msg`,
    );
  } else if (!isCommitted) {
    // Until then its commit index may lie behind what an earlier leader has answered from. So may that of a lone voter
    // (etcd answers at once there): the commit index it had before a crash need not have been stored.
    core.pendingReads.push(message);
  } else {
    startRead(core, message);
  }
}

function startRead(core: RaftCore, message: Message): void {
  if (core.config.readOnly === 'lease_based' || core.tracker.isSingleton()) {
    answerRead(core, message, core.log.committed);
    return;
  }
  core.readOnly.add({ message, index: core.log.committed });
  core.readOnly.acknowledge(core.id, core.readOnly.heartbeatContext());
  broadcastHeartbeat(core);
}

/** REQUIRES: the commit index just rose. */
export function releasePendingReads(core: RaftCore): void {
  if (core.pendingReads.length === 0) return;
  if (!core.hasCommittedInTerm()) {
    core.logger.error('pending MsgReadIndex should be released only after first commit in current term');
    return;
  }
  const pending = core.pendingReads;
  core.pendingReads = [];
  for (const message of pending) startRead(core, message);
}

/** Takes the confirmation in a heartbeat response. */
export function confirmReads(core: RaftCore, message: Message): void {
  if (core.config.readOnly !== 'safe' || message.context.length === 0) return;
  core.readOnly.acknowledge(message.from, message.context);
  for (const read of core.readOnly.takeConfirmed(core.tracker.membership.voters))
    answerRead(core, read.message, read.index);
}

function answerRead(core: RaftCore, request: Message, index: number): void {
  if (request.from === noNode || request.from === core.id)
    core.readStates.push({ index, context: request.entries[0]!.data });
  else core.send('MsgReadIndexResp', { to: request.from, index, entries: request.entries });
}
