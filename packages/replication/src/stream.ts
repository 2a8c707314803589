/**
 * The primary's stream of operations to each follower: pipelined, bounded by a window of bytes, sent again when nothing
 * comes back. Always: a session's durable seq is what the follower acknowledged in that session; nothing is sent twice
 * but after silence or a broken connection.
 */
import type { ReplicaCore } from './core.ts';
import type { FollowerMessage } from './message.ts';
import type { OperationLog } from './operation-log.ts';
import type { Session } from './session.ts';
import type { Operation } from './state.ts';

const resendDoublingsMax = 3;

/** Appends what the window allows. @returns false when the log no longer has what the follower needs next */
export function pump<Change, Key>(
  core: ReplicaCore<Change, Key>,
  log: OperationLog<Change>,
  session: Session<Change, Key>,
): boolean {
  if (session.phase !== 'streaming') return true;
  const { windowBytesMax, appendBytesMax } = core.limits;
  while (session.sentSeq < log.lastSeq) {
    if (session.sentSeq + 1 < log.firstSeq) return false;
    const isEmpty = session.sentSeq === session.durableSeq;
    if (!isEmpty && log.bytesBetween(session.durableSeq, session.sentSeq) >= windowBytesMax) break;
    const operations: Operation<Change>[] = [];
    const firstSeq = session.sentSeq + 1;
    do {
      session.sentSeq += 1;
      operations.push(log.at(session.sentSeq));
    } while (
      session.sentSeq < log.lastSeq &&
      log.bytesBetween(firstSeq - 1, session.sentSeq + 1) <= appendBytesMax
    );
    session.lastSentMs = core.nowMs;
    core.send(session.follower, {
      kind: 'append',
      term: core.state.term,
      nonce: session.nonce,
      operations,
      committedSeq: core.committedSeq,
      tombstoneHorizon: core.state.tombstoneHorizon,
    });
  }
  return true;
}

/** @returns whether the follower has something more */
export function takeAck<Change, Key>(
  core: ReplicaCore<Change, Key>,
  session: Session<Change, Key>,
  ack: Extract<FollowerMessage<Key>, { kind: 'ack' }>,
): boolean {
  if (session.phase !== 'streaming') return false;
  session.receivedSeq = Math.max(session.receivedSeq, ack.receivedSeq);
  const isProgress = ack.durableSeq > session.durableSeq || ack.appliedSeq > session.appliedSeq;
  if (ack.durableSeq > session.durableSeq) session.lastProgressMs = core.nowMs;
  session.durableSeq = Math.max(session.durableSeq, ack.durableSeq);
  session.positionSeq = session.durableSeq;
  session.appliedSeq = Math.max(session.appliedSeq, ack.appliedSeq);
  session.sentSeq = Math.max(session.sentSeq, session.receivedSeq);
  return isProgress;
}

/** Silence: what was sent and not received goes again; a keepalive when there is nothing else. */
export function resend<Change, Key>(core: ReplicaCore<Change, Key>, session: Session<Change, Key>): void {
  const { nowMs, limits, committedSeq } = core;
  const quietMs = nowMs - session.lastSentMs;
  if (
    session.phase === 'streaming' &&
    session.sentSeq > session.receivedSeq &&
    quietMs >= limits.resendAfterMs
  )
    session.sentSeq = session.receivedSeq;
  const { source } = session;
  const chunkQuietMs = limits.chunkResendAfterMs * 2 ** Math.min(source.resends, resendDoublingsMax);
  const isChunkDue = source.unacked.length > 0 && nowMs - source.chunkSentMs >= chunkQuietMs;
  if (session.phase !== 'streaming' && isChunkDue) {
    source.resends += 1;
    source.chunkSentMs = nowMs;
    for (const chunk of source.unacked)
      core.send(session.follower, { ...chunk, term: core.state.term, nonce: session.nonce });
    session.lastSentMs = nowMs;
  }
  if (quietMs < limits.keepaliveEveryMs) return;
  session.lastSentMs = nowMs;
  core.send(session.follower, {
    kind: 'keepalive',
    term: core.state.term,
    nonce: session.nonce,
    committedSeq,
    tombstoneHorizon: core.state.tombstoneHorizon,
  });
}
