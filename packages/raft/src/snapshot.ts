/**
 * The follower's side of a snapshot. Always: one that is behind what is committed here changes nothing; one whose last
 * entry we have only moves the commit index.
 */
import type { RaftCore } from './core.ts';
import { describeConfState } from './describe.ts';
import { assert } from './invariants.ts';
import { restoreMembership } from './membership-restore.ts';
import { switchMembership } from './membership.ts';
import { emptySnapshot, noNode, type Message, type Snapshot } from './message.ts';
import { becomeFollower } from './roles.ts';
import { Tracker } from './tracker.ts';

export function handleSnapshot(core: RaftCore, message: Message): void {
  const snapshot = message.snapshot ?? emptySnapshot;
  const { index, term } = snapshot.meta;
  const isRestored = restore(core, snapshot);
  const { committed } = core.log;
  core.logger.info(
    `${core.id.toString(16)} [commit: ${committed}] ${isRestored ? 'restored' : 'ignored'} snapshot [index: ${index}, term: ${term}]`,
  );
  core.send('MsgAppResp', { to: message.from, index: isRestored ? core.log.lastIndex() : committed });
}

/** Log and membership out of a snapshot. @returns false when it was ignored */
export function restore(core: RaftCore, snapshot: Snapshot): boolean {
  const id = core.id.toString(16);
  const { index, term, confState } = snapshot.meta;
  const { log } = core;
  if (index <= log.committed) return false;
  if (core.role !== 'StateFollower') {
    // Cannot happen: only followers get here. Were it to, a later term is the safe way out.
    core.logger.warn(`${id} attempted to restore snapshot as leader; should never happen`);
    becomeFollower(core, core.term + 1, noNode);
    return false;
  }
  // Learners to be are still outgoing voters, so these three lists name everybody.
  const members = [confState.voters, confState.learners, confState.votersOutgoing];
  if (!members.some((ids) => ids.includes(core.id))) {
    core.logger.warn(
      `${id} attempted to restore snapshot but it is not in the ConfState ${describeConfState(confState)}; should never happen`,
    );
    return false;
  }
  const before = log.lastEntryId();
  if (log.matches({ index, term })) {
    core.logger.info(
      `${id} [commit: ${log.committed}, lastindex: ${before.index}, lastterm: ${before.term}] fast-forwarded commit to snapshot [index: ${index}, term: ${term}]`,
    );
    log.commitTo(index);
    return false;
  }
  log.restore(snapshot);
  core.tracker = new Tracker(core.config.inflightCountMax, core.config.inflightBytesMax);
  const changed = restoreMembership(core.tracker, log.lastIndex(), confState);
  switchMembership(core, changed, confState);
  const last = log.lastEntryId();
  assert(last.index === index, `restored a snapshot at ${index}, the log ends at ${last.index}`);
  core.logger.info(
    `${id} [commit: ${log.committed}, lastindex: ${last.index}, lastterm: ${last.term}] restored snapshot [index: ${index}, term: ${term}]`,
  );
  return true;
}
