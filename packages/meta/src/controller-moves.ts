/**
 * Moves of replicas: off nodes that are drained, and from nodes with many to nodes with few. Pure. Always: a move for
 * balance makes the distribution more even (the sum of squares falls), so that moving comes to an end; it never puts more
 * replicas of a shard into one zone than there were.
 */
import type { CollectionRecord, NodeId, ReplicaRecord, ShardRecord } from '@quiver/model';
import { isMoving, mayReceive, type ControllerView, type Traffic } from './controller-view.ts';
import { add, chooseNode, count, loadOf, loadWithin, type Load } from './placement.ts';
import type { Order } from './state-command.ts';

/** @param mayBalance - every shard is as wanted */
export function planMoves(view: ControllerView, traffic: Traffic, mayBalance: boolean): Order[] {
  const drains = planDrains(view, traffic);
  if (drains.length > 0 || !mayBalance || !view.settings.rebalance) return drains;
  const move = planBalance(view, traffic);
  return move === null ? [] : [move];
}

function planDrains(view: ControllerView, traffic: Traffic): Order[] {
  const { state, settings } = view;
  const orders: Order[] = [];
  if (state.draining.size === 0) return orders;
  for (const record of state.collections.values())
    for (const shard of record.shards) {
      if (isMoving(record, shard) || shard.primary === null) continue;
      const leaving = shard.replicas.find(({ nodeId }) => state.draining.has(nodeId) && view.isAlive(nodeId));
      if (leaving === undefined || count(traffic.out, leaving.nodeId) >= settings.movesPerNode) continue;
      const load = loadOf(state, record);
      const nodes = load.nodes.filter(
        ({ id }) => mayReceive(view, id) && count(traffic.in, id) < settings.movesPerNode,
      );
      const taken = shard.replicas.map(({ nodeId }) => nodeId);
      const toNode = chooseNode(state, { ...load, nodes }, taken);
      if (toNode !== undefined) orders.push(moveOrder(view, record, shard, leaving, toNode, traffic));
    }
  return orders;
}

function planBalance(view: ControllerView, traffic: Traffic): Order | null {
  const { state, settings } = view;
  const mayGive = (id: NodeId): boolean => count(traffic.out, id) < settings.movesPerNode;
  const mayTake = (id: NodeId): boolean =>
    mayReceive(view, id) && count(traffic.in, id) < settings.movesPerNode;
  const all = loadOf(state, null);
  if (all.nodes.length < 2) return null;
  for (const record of state.collections.values()) {
    const load = loadWithin(all, record);
    const nodes = load.nodes.filter(({ id }) => view.isAlive(id)).map(({ id }) => id);
    const givers = nodes.filter(mayGive).sort((a, b) => heavier(load, a, b));
    const takers = nodes.filter(mayTake).sort((a, b) => heavier(load, b, a));
    for (const from of givers)
      for (const to of takers) {
        if (!isBetter(load, from, to)) continue;
        const found = movable(view, record, from, to);
        if (found !== undefined) return moveOrder(view, record, found.shard, found.replica, to, traffic);
      }
  }
  return null;
}

/** Of this collection first, then of all. */
function heavier({ own, total }: Load, a: NodeId, b: NodeId): number {
  return count(own, b) - count(own, a) || count(total, b) - count(total, a) || a - b;
}

/** Two more of the collection than the other; or one more of it, and two more in all. */
function isBetter({ own, total }: Load, from: NodeId, to: NodeId): boolean {
  const ownGap = count(own, from) - count(own, to);
  return ownGap >= 2 || (ownGap === 1 && count(total, from) - count(total, to) >= 2);
}

function movable(
  { state }: ControllerView,
  record: CollectionRecord,
  from: NodeId,
  to: NodeId,
): { readonly shard: ShardRecord; readonly replica: ReplicaRecord } | undefined {
  const zoneOf = (id: NodeId): string => state.nodes.get(id)?.zone ?? '';
  let fallback: { readonly shard: ShardRecord; readonly replica: ReplicaRecord } | undefined;
  for (const shard of record.shards) {
    const replica = shard.replicas.find(({ nodeId }) => nodeId === from);
    if (replica === undefined || isMoving(record, shard)) continue;
    if (shard.replicas.some(({ nodeId }) => nodeId === to)) continue;
    const inZone = shard.replicas.filter(
      ({ nodeId }) => nodeId !== from && zoneOf(nodeId) === zoneOf(to),
    ).length;
    const inOldZone = shard.replicas.filter(({ nodeId }) => zoneOf(nodeId) === zoneOf(from)).length;
    if (inZone + 1 > inOldZone) continue;
    // A follower moves without a change of primary.
    if (shard.primary !== replica.replica) return { shard, replica };
    fallback ??= { shard, replica };
  }
  return fallback;
}

function moveOrder(
  { nowMs }: ControllerView,
  { uuid }: CollectionRecord,
  { shardId, cfgVersion }: ShardRecord,
  { replica, nodeId }: ReplicaRecord,
  toNode: NodeId,
  traffic: Traffic,
): Order {
  add(traffic.out, nodeId);
  add(traffic.in, toNode);
  return { kind: 'move_replica', uuid, shardId, expectCfg: cfgVersion, replica, toNode, atMs: nowMs };
}
