/**
 * The controller: from what is and what is wanted to the next orders. Pure and level-triggered: it keeps nothing between
 * two passes, every order is compare-and-set, and a pass on a state that is as wanted gives none.
 * Always: no order takes the last in-sync copy of a shard away; per shard at most one order a pass; a node takes in and
 * gives away at most `movesPerNode` copies at a time (twice as many for copies that are missing).
 */
import { nextSlotMove, type NodeRecord } from '@quiver/model';
import { planMoves } from './controller-moves.ts';
import { planShard } from './controller-shard.ts';
import type { ControllerView, Traffic } from './controller-view.ts';
import { add } from './placement.ts';
import type { MetaState } from './state.ts';
import type { Order } from './state-command.ts';

export function planOrders(view: ControllerView): Order[] {
  const { state } = view;
  const orders: Order[] = [...planNodes(view)];
  const traffic = trafficOf(state);
  let isSettled = true;
  for (const record of state.collections.values()) {
    const { uuid, resharding } = record;
    if (resharding !== null && nextSlotMove(record) === null)
      orders.push({ kind: 'finish_resharding', uuid, id: resharding.id });
    for (const shard of record.shards) {
      const order = planShard(view, record, shard, traffic);
      if (order !== null) orders.push(order);
      const isWhole = shard.inSync.length === shard.replicas.length && shard.suspects === undefined;
      if (order !== null || !isWhole) isSettled = false;
    }
  }
  // Balance comes after health: a copy that is missing is worth more than one in a better place.
  orders.push(...planMoves(view, traffic, isSettled && orders.length === 0));
  return orders;
}

function planNodes(view: ControllerView): Order[] {
  const { state, nowMs } = view;
  const orders: Order[] = [];
  for (const node of state.nodes.values()) {
    const { id, bootId } = node;
    if (node.state !== 'down' && !view.isAlive(id))
      orders.push({ kind: 'set_node_state', nodeId: id, bootId, state: 'down', atMs: nowMs });
    else if (node.state === 'down' && view.isAlive(id) && view.bootIdOf(id) === bootId)
      orders.push({ kind: 'set_node_state', nodeId: id, bootId, state: 'up', atMs: nowMs });
    else if (isSuperseded(view, node)) orders.push({ kind: 'remove_node', nodeId: id, force: false });
  }
  const levels = [...state.nodes.values()].map(({ featureLevel }) => featureLevel);
  const level = Math.min(...levels);
  if (levels.length > 0 && level > state.featureLevel) orders.push({ kind: 'set_feature_level', level });
  return orders;
}

/** Its disk was wiped: another node is at its address, and it holds nothing any more. */
function isSuperseded({ state, nowMs, settings }: ControllerView, node: NodeRecord): boolean {
  if (node.state !== 'down' || nowMs - node.stateSinceMs < settings.graceMs) return false;
  for (const { shards } of state.collections.values())
    for (const { replicas } of shards) if (replicas.some(({ nodeId }) => nodeId === node.id)) return false;
  const { shard, meta } = node.addresses;
  return [...state.nodes.values()].some(
    (other) =>
      other.id !== node.id &&
      other.state === 'up' &&
      ((shard !== null && other.addresses.shard === shard) ||
        (meta !== null && other.addresses.meta === meta)),
  );
}

function trafficOf(state: MetaState): Traffic {
  const traffic: Traffic = { in: new Map(), out: new Map() };
  for (const { shards, transfers } of state.collections.values())
    for (const { replicas, inSync } of shards)
      for (const { replica, nodeId } of replicas) {
        if (!inSync.includes(replica)) add(traffic.in, nodeId);
        if (transfers.some(({ from }) => from === replica)) add(traffic.out, nodeId);
      }
  return traffic;
}
