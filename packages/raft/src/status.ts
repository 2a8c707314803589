/** What a node knows of itself and, as leader, of the others: copies, for inspection and metrics. */
import type { RaftCore, SoftState } from './core.ts';
import type { HardState, NodeId } from './message.ts';
import type { Progress } from './progress.ts';
import type { Membership } from './tracker.ts';

export interface Status {
  readonly id: NodeId;
  readonly hardState: HardState;
  readonly softState: SoftState;
  readonly applied: number;
  readonly lastIndex: number;
  /** Who is to become leader, 0 unless a transfer is under way. */
  readonly leadTransferee: NodeId;
  readonly membership: Membership;
  /** By ascending id; empty unless leader. */
  readonly progress: ReadonlyMap<NodeId, Progress>;
}

export function statusOf(core: RaftCore): Status {
  const progress = new Map<NodeId, Progress>();
  if (core.role === 'StateLeader')
    for (const [id, original] of core.tracker.progress) {
      const copy = original.clone();
      copy.inflights = original.inflights.clone();
      progress.set(id, copy);
    }
  return {
    id: core.id,
    hardState: core.hardState(),
    softState: core.softState(),
    applied: core.log.applied,
    lastIndex: core.log.lastIndex(),
    leadTransferee: core.leadTransferee,
    membership: core.tracker.membership,
    progress,
  };
}
