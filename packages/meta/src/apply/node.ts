/** Nodes: who is there, where, and whether it is to keep its replicas. */
import type { CollectionRecord, NodeId, NodeRecord } from '@quiver/model';
import type { StateCommand } from '../state-command.ts';
import {
  changed,
  refused,
  unchanged,
  withEntry,
  withoutEntry,
  type MetaState,
  type Outcome,
} from '../state.ts';
import { withoutReplica } from './replica.ts';

type Command<K extends StateCommand['kind']> = Extract<StateCommand, { kind: K }>;

/** A node that registers again keeps its id, whatever else of it changed. */
export function registerNode(state: MetaState, command: Command<'register_node'>): Outcome {
  const before = state.nodes.get(command.node.id);
  const now = state.draining.has(command.node.id) ? ('draining' as const) : ('up' as const);
  const node: NodeRecord = {
    ...command.node,
    state: now,
    stateSinceMs: before?.state === now ? before.stateSinceMs : command.atMs,
  };
  return changed(state, { nodes: withEntry(state.nodes, node.id, node) });
}

export function setNodeState(state: MetaState, command: Command<'set_node_state'>): Outcome {
  const { nodeId, bootId, atMs } = command;
  const before = state.nodes.get(nodeId);
  if (before === undefined) return noNode(nodeId);
  if (before.bootId !== bootId)
    return refused('precondition_failed', `node ${nodeId} has restarted as ${before.bootId}`);
  const now = command.state === 'up' && state.draining.has(nodeId) ? 'draining' : command.state;
  if (before.state === now) return unchanged;
  const node: NodeRecord = { ...before, state: now, stateSinceMs: atMs };
  return changed(state, { nodes: withEntry(state.nodes, nodeId, node) });
}

export function drainNode(state: MetaState, { nodeId, drain, atMs }: Command<'drain_node'>): Outcome {
  const before = state.nodes.get(nodeId);
  if (before === undefined) return noNode(nodeId);
  if (drain === state.draining.has(nodeId)) return unchanged;
  const draining = new Set(state.draining);
  if (drain) draining.add(nodeId);
  else draining.delete(nodeId);
  if (before.state === 'down') return changed(state, { draining });
  const node: NodeRecord = { ...before, state: drain ? 'draining' : 'up', stateSinceMs: atMs };
  return changed(state, { draining, nodes: withEntry(state.nodes, nodeId, node) });
}

/** Its replicas and its place in the consensus go with it; refused while one of them is the last in-sync copy, unless forced. */
export function removeNode(state: MetaState, { nodeId, force }: Command<'remove_node'>): Outcome {
  const node = state.nodes.get(nodeId);
  if (node === undefined) return noNode(nodeId);
  if (!force) {
    const held = lastCopyOn(state, nodeId);
    if (held !== null)
      return refused(
        'bad_request',
        `Cannot remove peer ${nodeId} as there are shards on it: it has the last in-sync copy of ${held}; drain it first`,
      );
  }
  const collections = new Map(state.collections);
  for (const [name, record] of collections) collections.set(name, withoutNode(record, nodeId));
  const draining = new Set(state.draining);
  draining.delete(nodeId);
  const members = new Map(state.members);
  for (const [id, member] of state.members) if (member.nodeId === nodeId) members.delete(id);
  return changed(state, { collections, draining, members, nodes: withoutEntry(state.nodes, nodeId) });
}

/** 'shard 3 of products', or null when the node can go. */
export function lastCopyOn(state: MetaState, nodeId: NodeId): string | null {
  for (const record of state.collections.values())
    for (const { shardId, inSync, replicas } of record.shards) {
      const own = replicas.filter((one) => one.nodeId === nodeId).map(({ replica }) => replica);
      if (own.length > 0 && inSync.every((one) => own.includes(one)))
        return `shard ${shardId} of ${record.name}`;
    }
  return null;
}

function withoutNode(record: CollectionRecord, nodeId: NodeId): CollectionRecord {
  let next = record;
  for (const { shardId } of record.shards) {
    const shard = next.shards.find((one) => one.shardId === shardId)!;
    const held = shard.replicas.find((one) => one.nodeId === nodeId);
    if (held !== undefined) next = withoutReplica(next, shard, held.replica);
  }
  return next;
}

function noNode(nodeId: NodeId): Outcome {
  return refused('not_found', `Peer ${nodeId} does not exist`);
}
