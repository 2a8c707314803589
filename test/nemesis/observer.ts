/** A look at the metadata of a running cluster from the test: which node is primary of what, and who leads. */
import { createRealEnv } from '@quiver/env';
import { connectMeta } from '@quiver/meta';
import type { NodeId, ShardRecord } from '@quiver/model';
import { createPeerCaller } from '@quiver/rpc';
import { silentLog } from '@quiver/telemetry';
import type { Cluster, ClusterNode } from '../harness/cluster.ts';

export interface Observer {
  shards(collection: string): readonly ShardRecord[];
  /** The node that hosts the replica; undefined when it has none or is no node of this cluster. */
  hostOf(shard: ShardRecord, replica: number | null): ClusterNode | undefined;
  leader(): Promise<ClusterNode | undefined>;
  close(): Promise<void>;
}

const statusTimeoutMs = 5_000;

/** REQUIRES: a cluster of roles apart. */
export function observe(cluster: Cluster): Observer {
  const env = createRealEnv();
  const id: NodeId = 1 + Math.floor(env.random() * (Number.MAX_SAFE_INTEGER - 1));
  const caller = createPeerCaller({ nodeId: id, secret: null, callMsMax: 60_000 }, env);
  const meta = connectMeta({
    addresses: cluster.of('meta').map(({ p2pPort }) => `127.0.0.1:${p2pPort}`),
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
  const named = (nodeId: NodeId | null | undefined): ClusterNode | undefined => {
    const record = nodeId == null ? undefined : meta.catalogue().nodes.get(nodeId);
    return cluster.nodes.find(({ name }) => name === record?.name);
  };
  return {
    shards: (collection) => meta.catalogue().collections.get(collection)?.shards ?? [],
    hostOf: (shard, replica) => named(shard.replicas.find((one) => one.replica === replica)?.nodeId),
    async leader() {
      const { leader } = await meta.status({ deadlineMs: env.now() + statusTimeoutMs });
      return named(leader);
    },
    async close() {
      await meta.close();
      caller.close();
    },
  };
}
