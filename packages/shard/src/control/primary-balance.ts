/**
 * Spreads the primaries of each collection evenly over the nodes that hold it, as after a rolling restart, by planned
 * hand-overs. Every node decides for itself from the catalogue; always: only the node with the most primaries gives one
 * away, to the in-sync replica whose node has the fewest, only if that makes it more even, and only after all has been
 * well for a while, so that moving comes to an end and nothing moves in the middle of a fault.
 */
import type { Env } from '@quiver/env';
import type { Catalogue, CollectionRecord, NodeId, ShardRecord } from '@quiver/model';

export interface PlannedHandOver {
  readonly from: number;
  readonly to: number;
}

/** The next hand-over of a node, from a state in which all is well; null: there is none. */
export function planHandOver(catalogue: Catalogue, nodeId: NodeId): PlannedHandOver | null {
  if (catalogue.nodes.size < 2 || !isAllWell(catalogue)) return null;
  const total = new Map<NodeId, number>();
  for (const record of catalogue.collections.values())
    for (const [id, n] of primariesOf(record)) add(total, id, n);
  for (const record of catalogue.collections.values()) {
    const own = primariesOf(record);
    // One giver at a time, so that two do not give to the same node.
    if (nodeId !== heaviest(own, total)) continue;
    let best: (PlannedHandOver & { readonly weight: number }) | null = null;
    for (const shard of record.shards) {
      const from = shard.replicas.find(({ replica }) => replica === shard.primary);
      if (from?.nodeId !== nodeId) continue;
      for (const { replica: to, nodeId: target } of shard.replicas) {
        if (target === nodeId || !isBetter(own, total, nodeId, target)) continue;
        const weight = count(own, target) + count(total, target) / 1_000_000;
        if (best === null || weight < best.weight) best = { from: from.replica, to, weight };
      }
    }
    if (best !== null) return { from: best.from, to: best.to };
  }
  return null;
}

/** Every copy is in sync and its node up; nothing is being moved or changed. */
function isAllWell({ collections, nodes }: Catalogue): boolean {
  for (const { shards, transfers, resharding } of collections.values()) {
    if (transfers.length > 0 || resharding !== null) return false;
    for (const { replicas, inSync, suspects, primary } of shards) {
      if (primary === null || inSync.length !== replicas.length || suspects !== undefined) return false;
      if (replicas.some(({ nodeId }) => nodes.get(nodeId)?.state !== 'up')) return false;
    }
  }
  return true;
}

function primariesOf({ shards }: CollectionRecord): Map<NodeId, number> {
  const counts = new Map<NodeId, number>();
  for (const shard of shards) {
    for (const { nodeId } of shard.replicas) add(counts, nodeId, 0);
    const at = primaryNode(shard);
    if (at !== undefined) add(counts, at, 1);
  }
  return counts;
}

function primaryNode({ replicas, primary }: ShardRecord): NodeId | undefined {
  return replicas.find(({ replica }) => replica === primary)?.nodeId;
}

function heaviest(own: ReadonlyMap<NodeId, number>, total: ReadonlyMap<NodeId, number>): NodeId | undefined {
  return [...own.keys()].sort(
    (a, b) => count(own, b) - count(own, a) || count(total, b) - count(total, a) || a - b,
  )[0];
}

/** Two more of the collection than the other; or one more of it, and two more in all. */
function isBetter(
  own: ReadonlyMap<NodeId, number>,
  total: ReadonlyMap<NodeId, number>,
  from: NodeId,
  to: NodeId,
): boolean {
  const gap = count(own, from) - count(own, to);
  return gap >= 2 || (gap === 1 && count(total, from) - count(total, to) >= 2);
}

function count(counts: ReadonlyMap<NodeId, number>, id: NodeId): number {
  return counts.get(id) ?? 0;
}

function add(counts: Map<NodeId, number>, id: NodeId, by: number): void {
  counts.set(id, count(counts, id) + by);
}

export interface PrimaryBalanceOptions {
  readonly nodeId: NodeId;
  readonly env: Env;
  readonly catalogue: () => Catalogue | null;
  /** @returns whether another leads now */
  readonly handOver: (planned: PlannedHandOver) => Promise<boolean>;
}

const lookEveryMs = 1_000;
/** How long a move must have been wanted before it is made. */
const settledMs = 10_000;
/** After one that came to nothing: writes waited for it. */
const failedPauseMs = 60_000;

export class PrimaryBalance {
  readonly #options: PrimaryBalanceOptions;
  #wantedSinceMs: number | null = null;
  #cancelTimer: () => void;
  #isMoving = false;
  #notBeforeMs = -Infinity;

  constructor(options: PrimaryBalanceOptions) {
    this.#options = options;
    this.#cancelTimer = options.env.after(lookEveryMs, () => this.#look());
  }

  stop(): void {
    this.#cancelTimer();
  }

  #look(): void {
    const { nodeId, env, catalogue, handOver } = this.#options;
    this.#cancelTimer = env.after(lookEveryMs, () => this.#look());
    if (this.#isMoving) return;
    const current = catalogue();
    const planned = current === null ? null : planHandOver(current, nodeId);
    if (planned === null) {
      this.#wantedSinceMs = null;
      return;
    }
    this.#wantedSinceMs ??= env.now();
    if (env.now() - this.#wantedSinceMs < settledMs || env.now() < this.#notBeforeMs) return;
    this.#isMoving = true;
    void handOver(planned)
      .catch(() => false)
      .then((isDone) => {
        this.#isMoving = false;
        if (!isDone) this.#notBeforeMs = env.now() + failedPauseMs;
      });
  }
}
