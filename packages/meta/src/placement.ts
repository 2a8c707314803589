/** Which nodes get the replicas of new shards. Pure. */
import { ClusterError, type NodeId } from '@quiver/model';
import type { MetaState } from './state.ts';

/**
 * Nodes for each of `shards` shards, `factor` each or as many as there are. The node with the fewest replicas first,
 * ties by id; never two replicas of one shard on a node.
 * @throws ClusterError unavailable: no node takes replicas
 */
export function placeReplicas(state: MetaState, shards: number, factor: number): NodeId[][] {
  const load = new Map<NodeId, number>();
  for (const node of state.nodes.values())
    if (node.state === 'up' && node.roles.includes('shard')) load.set(node.id, 0);
  for (const { shards: placed } of state.collections.values())
    for (const { replicas } of placed)
      for (const { nodeId } of replicas) if (load.has(nodeId)) load.set(nodeId, load.get(nodeId)! + 1);
  if (load.size === 0 && shards > 0)
    throw new ClusterError(
      'unavailable',
      'no node takes replicas yet; try again when a shard node has joined',
      {
        retryAfterSeconds: 1,
      },
    );
  return Array.from({ length: shards }, () => {
    const chosen = [...load.entries()]
      .sort((a, b) => a[1] - b[1] || a[0] - b[0])
      .slice(0, factor)
      .map(([nodeId]) => nodeId);
    for (const nodeId of chosen) load.set(nodeId, load.get(nodeId)! + 1);
    return chosen;
  });
}
