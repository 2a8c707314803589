/** What the controller sees, and the words in which its parts speak. */
import type { CollectionRecord, NodeId, ReplicaRecord, ShardRecord } from '@quiver/model';
import type { NodeReport, ReplicaReport } from './node-report.ts';
import type { MetaState } from './state.ts';

export interface ControllerSettings {
  /** A node that is down this long gets its replicas made anew elsewhere. */
  readonly graceMs: number;
  readonly rebalance: boolean;
  /** Copies that a node receives, and gives, at a time. */
  readonly movesPerNode: number;
}

export const defaultControllerSettings: ControllerSettings = {
  graceMs: 60_000,
  rebalance: true,
  movesPerNode: 1,
};

export interface ControllerView {
  readonly state: MetaState;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Its session is alive. */
  readonly isAlive: (nodeId: NodeId) => boolean;
  /** As it said to this leader; null: it has not spoken yet. */
  readonly bootIdOf: (nodeId: NodeId) => string | null;
  readonly reportOf: (nodeId: NodeId) => NodeReport | null;
  readonly settings: ControllerSettings;
}

/** Copies on their way into and out of each node. */
export interface Traffic {
  readonly in: Map<NodeId, number>;
  readonly out: Map<NodeId, number>;
}

/** Down for longer than the grace period: it is not waited for. */
export function isGone({ state, nowMs, settings }: ControllerView, nodeId: NodeId): boolean {
  const node = state.nodes.get(nodeId);
  return node === undefined || (node.state === 'down' && nowMs - node.stateSinceMs >= settings.graceMs);
}

export function reportFor(view: ControllerView, { replica, nodeId }: ReplicaRecord): ReplicaReport | null {
  return view.reportOf(nodeId)?.replicas.find((one) => one.replica === replica) ?? null;
}

/** Where a copy may be made: it lives, and its disk is not full. */
export function mayReceive(view: ControllerView, nodeId: NodeId): boolean {
  return view.isAlive(nodeId) && view.reportOf(nodeId)?.isFull !== true;
}

export function isMoving(record: CollectionRecord, shard: ShardRecord): boolean {
  return record.transfers.some(({ shardId }) => shardId === shard.shardId);
}
