/** Nodes: who is there, and where. */
import type { MetaCommand } from '@quiver/rpc';
import { changed, withEntry, type MetaState, type Outcome } from '../state.ts';

type Command<K extends MetaCommand['kind']> = Extract<MetaCommand, { kind: K }>;

/** A node that registers again keeps its id, whatever else of it changed. */
export function registerNode(state: MetaState, command: Command<'register_node'>): Outcome {
  const before = state.nodes.get(command.node.id);
  const isDraining = before?.state === 'draining';
  const node = {
    ...command.node,
    state: isDraining ? ('draining' as const) : ('up' as const),
    stateSinceMs: before?.state === 'up' || isDraining ? before.stateSinceMs : command.atMs,
  };
  return changed(state, { nodes: withEntry(state.nodes, node.id, node) });
}
