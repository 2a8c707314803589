/**
 * Which nodes get replicas. Pure. Always: never two replicas of one shard on a node; nodes that are down or draining
 * get none. Order of preference: disks that are not full, zones with the fewest replicas of the shard (a zone that fails takes as few as
 * possible), then the fewest replicas of the collection, then the fewest in all, then the smaller id.
 */
import { ClusterError, type CollectionRecord, type NodeId, type NodeRecord } from '@quiver/model';
import type { MetaState } from './state.ts';

/** Replicas by node, as far as they are placed. */
export interface Load {
  readonly nodes: readonly NodeRecord[];
  /** Of the collection that is placed. */
  readonly own: Map<NodeId, number>;
  readonly total: Map<NodeId, number>;
  /** Primaries of the collection. */
  readonly primaries: Map<NodeId, number>;
  /** Where there is room, as far as known; default: everywhere. */
  readonly isFull?: (nodeId: NodeId) => boolean;
}

/** @param among - nodes to choose from; null = all */
export function loadOf(
  state: MetaState,
  collection: CollectionRecord | null,
  among: readonly NodeId[] | null = null,
): Load {
  const total = new Map<NodeId, number>();
  let current: CollectionRecord | null = null;
  for (const record of state.collections.values()) {
    if (record.uuid === collection?.uuid) current = record;
    for (const { replicas } of record.shards) for (const { nodeId } of replicas) add(total, nodeId);
  }
  const nodes = [...state.nodes.values()].filter(
    (node) => canHost(node) && (among === null || among.includes(node.id)),
  );
  return loadWithin({ nodes, total }, current);
}

/** The load of one collection where nodes and totals are known: a look at all collections needs those once. */
export function loadWithin(
  { nodes, total }: Pick<Load, 'nodes' | 'total'>,
  collection: CollectionRecord | null,
): Load {
  const load: Load = { nodes, own: new Map(), total, primaries: new Map() };
  for (const shard of collection?.shards ?? [])
    for (const { nodeId, replica } of shard.replicas) {
      add(load.own, nodeId);
      if (shard.primary === replica) add(load.primaries, nodeId);
    }
  return load;
}

export function canHost(node: NodeRecord): boolean {
  return node.state === 'up' && node.roles.includes('shard');
}

/**
 * Nodes for each of `shards` new shards, `factor` each or as many as there are; the first is to be the primary.
 * @throws ClusterError unavailable: no node takes replicas
 */
export function placeReplicas(
  state: MetaState,
  options: {
    readonly shards: number;
    readonly factor: number;
    readonly collection: CollectionRecord | null;
    readonly among?: readonly NodeId[] | null;
    readonly isFull: (nodeId: NodeId) => boolean;
  },
): NodeId[][] {
  const { collection, among = null, isFull } = options;
  const load = { ...loadOf(state, collection, among), isFull };
  if (load.nodes.length === 0 && options.shards > 0)
    throw new ClusterError('unavailable', whyNoNode(state), { retryAfterSeconds: 1 });
  return Array.from({ length: options.shards }, () => {
    const chosen: NodeId[] = [];
    while (chosen.length < options.factor) {
      const next = chooseNode(state, load, chosen);
      if (next === undefined) break;
      chosen.push(next);
      add(load.own, next);
      add(load.total, next);
    }
    chosen.sort((a, b) => count(load.primaries, a) - count(load.primaries, b));
    add(load.primaries, chosen[0]!);
    return chosen;
  });
}

function whyNoNode(state: MetaState): string {
  const hosts = [...state.nodes.values()].filter(({ roles }) => roles.includes('shard'));
  const draining = hosts.filter((node) => node.state === 'draining').length;
  return hosts.length === 0
    ? 'no node takes replicas yet; try again when a shard node has joined'
    : `no node takes replicas now: of ${hosts.length} shard nodes ${draining} are draining, the others are down`;
}

/** The best node for one more replica of a shard that is on `taken`; undefined when there is none. */
export function chooseNode(state: MetaState, load: Load, taken: readonly NodeId[]): NodeId | undefined {
  const zones = new Map<string, number>();
  for (const id of taken) add(zones, state.nodes.get(id)?.zone ?? '');
  const weigh = ({ id, zone }: NodeRecord): readonly number[] => [
    load.isFull?.(id) === true ? 1 : 0,
    count(zones, zone),
    count(load.own, id),
    count(load.total, id),
    id,
  ];
  let best: { readonly id: NodeId; readonly weight: readonly number[] } | undefined;
  for (const node of load.nodes) {
    if (taken.includes(node.id)) continue;
    const weight = weigh(node);
    if (best === undefined || isLess(weight, best.weight)) best = { id: node.id, weight };
  }
  return best?.id;
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && a[at]! < b[at]!;
}

export function count<K>(counts: ReadonlyMap<K, number>, key: K): number {
  return counts.get(key) ?? 0;
}

export function add<K>(counts: Map<K, number>, key: K, by = 1): void {
  counts.set(key, count(counts, key) + by);
}
