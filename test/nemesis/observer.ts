/** A look at a running cluster from the test, around its routers: who is primary of what, who leads, what each replica holds. */
import { createRealEnv } from '@quiver/env';
import { connectMeta } from '@quiver/meta';
import type { CollectionRecord, NodeId, NodeRecord, ShardRecord } from '@quiver/model';
import { createPeerCaller, createShardNodes, type MetaStatus, type ShardNode } from '@quiver/rpc';
import { silentLog } from '@quiver/telemetry';
import type { Cluster, ClusterNode } from '../harness/cluster.ts';

export interface Observer {
  collection(name: string): CollectionRecord | undefined;
  shards(collection: string): readonly ShardRecord[];
  /** All that may hold replicas. */
  shardNodes(): readonly NodeRecord[];
  /** The node that hosts the replica; undefined when it has none or is no node of this cluster. */
  hostOf(shard: ShardRecord, replica: number | null): ClusterNode | undefined;
  leader(): Promise<ClusterNode | undefined>;
  status(): Promise<MetaStatus>;
  /** To ask one node for what it has itself. */
  node(nodeId: NodeId): ShardNode;
  deadline(afterMs: number): { readonly deadlineMs: number };
  close(): Promise<void>;
}

const statusTimeoutMs = 5_000;

export function observe(cluster: Cluster): Observer {
  const env = createRealEnv();
  const id: NodeId = 1 + Math.floor(env.random() * (Number.MAX_SAFE_INTEGER - 1));
  const caller = createPeerCaller({ nodeId: id, secret: null, callMsMax: 60_000 }, env);
  const meta = connectMeta({
    addresses: [...cluster.of('meta'), ...cluster.of('peer')].map(({ p2pPort }) => `127.0.0.1:${p2pPort}`),
    self: {
      id,
      name: 'observer',
      roles: ['router'],
      addresses: { meta: null, shard: null, rest: null },
      zone: '',
      bootId: env.uuid(),
      version: '0.0.0',
      featureLevel: 1,
    },
    caller,
    env,
    log: silentLog(),
  });
  const nodes = createShardNodes({ ownNode: null, local: null, meta, caller, env });
  const named = (nodeId: NodeId | null | undefined): ClusterNode | undefined => {
    const record = nodeId == null ? undefined : meta.catalogue().nodes.get(nodeId);
    return cluster.nodes.find(({ name }) => name === record?.name);
  };
  const status = (): Promise<MetaStatus> => meta.status({ deadlineMs: env.now() + statusTimeoutMs });
  return {
    collection: (name) => meta.catalogue().collections.get(name),
    shards: (collection) => meta.catalogue().collections.get(collection)?.shards ?? [],
    shardNodes: () => [...meta.catalogue().nodes.values()].filter(({ roles }) => roles.includes('shard')),
    hostOf: (shard, replica) => named(shard.replicas.find((one) => one.replica === replica)?.nodeId),
    leader: async () => named((await status()).leader),
    status,
    node: (nodeId) => nodes.node(nodeId),
    deadline: (afterMs) => ({ deadlineMs: env.now() + afterMs }),
    async close() {
      await meta.close();
      caller.close();
    },
  };
}
