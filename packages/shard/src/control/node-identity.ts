/**
 * The id of a shard node, kept in its data volume: a wiped disk is a new node, a changed address is the same one.
 * Always: minted once per volume, before anything else is written.
 */
import type { Env } from '@quiver/env';
import { ClusterError, mintNodeId, type NodeId } from '@quiver/model';
import type { Store } from '@quiver/storage';
import { decodeJson, encodeJson, keys } from './records.ts';

interface NodeIdentity {
  readonly nodeId: NodeId;
  /** Absent until the node was registered. */
  readonly clusterId?: string;
}

/** @returns 1..2^53-1, as Qdrant's peer ids */
export async function openNodeIdentity(store: Store, env: Env): Promise<NodeId> {
  const stored = read(store);
  if (stored !== undefined) return stored.nodeId;
  const nodeId = mintNodeId(env.uuid());
  await write(store, { nodeId });
  return nodeId;
}

/**
 * Ties the volume to its cluster at the first registration, and refuses any other after: replicas would be taken for
 * leftovers and deleted.
 * @throws ClusterError precondition_failed
 */
export async function bindCluster(store: Store, clusterId: string): Promise<void> {
  const identity = read(store);
  if (identity === undefined)
    throw new Error('invariant broken: a volume is bound before it has an identity');
  if (identity.clusterId === clusterId) return;
  if (identity.clusterId !== undefined)
    throw new ClusterError(
      'precondition_failed',
      `the data volume belongs to cluster ${identity.clusterId}, the metadata store to ${clusterId}: ` +
        'start with the metadata of its own cluster, or with an empty storage folder',
    );
  await write(store, { ...identity, clusterId });
}

function read(store: Store): NodeIdentity | undefined {
  const stored = store.getSync(keys.node());
  return stored === undefined ? undefined : (decodeJson(stored) as NodeIdentity);
}

async function write(store: Store, identity: NodeIdentity): Promise<void> {
  await store.commit([{ kind: 'put', key: keys.node(), value: encodeJson(identity) }], { essential: true });
}
