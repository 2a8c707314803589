/**
 * The leader's side of a snapshot: for a follower whose next entry is compacted.
 * Always: replication to it pauses until the snapshot is acknowledged or reported.
 */
import type { RaftCore } from './core.ts';
import { assert } from './invariants.ts';
import type { NodeId } from './message.ts';
import type { Progress } from './progress.ts';
import { describeProgress } from './describe.ts';

/** @returns whether a snapshot was sent: not to a silent follower, and not while none is ready */
export function sendSnapshot(core: RaftCore, to: NodeId, progress: Progress): boolean {
  const id = core.id.toString(16);
  const peer = to.toString(16);
  if (!progress.recentActive) {
    core.logger.debug(`ignore sending snapshot to ${peer} since it is not recently active`);
    return false;
  }
  const snapshot = core.log.snapshot();
  if (snapshot === 'temporarily_unavailable') {
    core.logger.debug(`${id} failed to send snapshot to ${peer} because snapshot is temporarily unavailable`);
    return false;
  }
  const { index, term } = snapshot.meta;
  assert(index > 0, `${id} needs a snapshot for ${peer}, storage has an empty one`);
  core.logger.debug(
    `${id} [firstindex: ${core.log.firstIndex()}, commit: ${core.log.committed}] sent snapshot[index: ${index}, term: ${term}] to ${peer} [${describeProgress(progress)}]`,
  );
  progress.becomeSnapshot(index);
  core.logger.debug(`${id} paused sending replication messages to ${peer} [${describeProgress(progress)}]`);
  core.send('MsgSnap', { to, snapshot });
  return true;
}
