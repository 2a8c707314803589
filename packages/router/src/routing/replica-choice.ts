/**
 * Which replica answers for which shard. Pure.
 * Always: only in-sync replicas are chosen; a shard whose replicas are all out of reach is named, never left out.
 */
import {
  mayServe,
  primaryOf,
  shardOf,
  xxHash32,
  type CollectionRecord,
  type NodeId,
  type ReplicaRecord,
} from '@quiver/model';

export interface NodeView {
  /** In no unit; smaller is better. null: must not be called now. */
  cost(nodeId: NodeId, assignedShards: number): number | null;
}

export interface ChoiceOptions {
  readonly view: NodeView;
  /** primary: only it can answer. */
  readonly role: 'in_sync' | 'primary';
  /** Nodes that failed this request already. */
  readonly excluded: ReadonlySet<NodeId>;
  /** A caller with the same text gets the same replica while it can answer; null = the cheapest. */
  readonly affinity: string | null;
  /** Breaks ties, 0..1. */
  readonly tie: number;
}

export interface Choice {
  readonly byNode: Map<NodeId, number[]>;
  /** Shards with no replica to ask now. */
  readonly uncovered: readonly number[];
}

export function chooseReplicas(
  collection: CollectionRecord,
  shardIds: readonly number[],
  options: ChoiceOptions,
): Choice {
  const byNode = new Map<NodeId, number[]>();
  const uncovered: number[] = [];
  for (const shardId of shardIds) {
    const candidates = candidatesOf(collection, shardId, options.role).filter(
      ({ nodeId }) => !options.excluded.has(nodeId),
    );
    const chosen = best(candidates, byNode, options);
    if (chosen === undefined) uncovered.push(shardId);
    else {
      const shards = byNode.get(chosen.nodeId);
      if (shards === undefined) byNode.set(chosen.nodeId, [shardId]);
      else shards.push(shardId);
    }
  }
  return { byNode, uncovered };
}

/** Replicas that may answer for a shard. */
export function candidatesOf(
  collection: CollectionRecord,
  shardId: number,
  role: ChoiceOptions['role'],
): readonly ReplicaRecord[] {
  const shard = shardOf(collection, shardId);
  if (shard === undefined) return [];
  if (role === 'in_sync') return shard.replicas.filter(({ replica }) => mayServe(shard, replica));
  const primary = primaryOf(shard);
  return primary === undefined ? [] : [primary];
}

function best(
  candidates: readonly ReplicaRecord[],
  byNode: ReadonlyMap<NodeId, readonly number[]>,
  { view, affinity, tie }: ChoiceOptions,
): ReplicaRecord | undefined {
  let found: ReplicaRecord | undefined;
  let least = Infinity;
  // Equal ones are taken in turn: the scan starts somewhere else each time.
  const start = Math.floor(tie * candidates.length);
  for (let i = 0; i < candidates.length; i += 1) {
    const candidate = candidates[(start + i) % candidates.length]!;
    const cost = view.cost(candidate.nodeId, byNode.get(candidate.nodeId)?.length ?? 0);
    if (cost === null) continue;
    const rank = affinity === null ? cost : affinityRank(affinity, candidate.nodeId);
    if (rank < least) [found, least] = [candidate, rank];
  }
  return found;
}

const encoder = new TextEncoder();

/** Rendezvous hashing: when a node goes, only its callers move. */
function affinityRank(affinity: string, nodeId: NodeId): number {
  return xxHash32(encoder.encode(`${affinity}\0${nodeId}`));
}
