/** A node out of its storage: log, hard state and membership as they were left; always as a follower. */
import type { Config } from './config.ts';
import { RaftCore } from './core.ts';
import { assert } from './invariants.ts';
import { restoreMembership } from './membership-restore.ts';
import { switchMembership } from './membership.ts';
import { isEmptyHardState, noNode } from './message.ts';
import { becomeFollower } from './roles.ts';

/** @throws {RaftError} invalid_config, invalid_conf_change */
export function startCore(config: Config): RaftCore {
  const core = new RaftCore(config);
  const { log } = core;
  const { hardState, confState } = core.config.storage.initialState();
  const last = log.lastEntryId();
  switchMembership(core, restoreMembership(core.tracker, last.index, confState), confState);
  const { applied } = core.config;
  if (!isEmptyHardState(hardState)) {
    assert(
      hardState.term >= last.term,
      `hard state of term ${hardState.term}, entries of term ${last.term}: the hard state is not the last one stored`,
    );
    // A commit index that moved alone need not have been stored; what was applied or compacted was committed.
    const commit = Math.max(hardState.commit, log.committed, applied);
    core.loadHardState({ ...hardState, commit });
  }
  if (applied > 0) log.appliedTo(applied, 0);
  becomeFollower(core, core.term, noNode);
  const peers = core.tracker.voterIds().map((id) => id.toString(16));
  core.logger.info(
    `newRaft ${core.id.toString(16)} [peers: [${peers.join(',')}], term: ${core.term}, commit: ${log.committed}, applied: ${log.applied}, lastindex: ${last.index}, lastterm: ${last.term}]`,
  );
  return core;
}
