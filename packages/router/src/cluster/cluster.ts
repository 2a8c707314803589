/**
 * Use cases of the cluster: what it looks like, and what operators ask of it.
 * Always: a process that is no cluster answers as Qdrant's standalone does; a change is answered when this process's
 * catalogue shows it.
 */
import { ClusterError, type CollectionRecord, type NodeId, type NodeRecord } from '@quiver/model';
import type { MetaCommand, ShardState } from '@quiver/rpc';
import { requireFullAccess } from '../access.ts';
import type { RequestContext } from '../api.ts';
import type { UseCaseOptions } from '../create-api.ts';
import type { NodeCalls } from '../routing/node-calls.ts';
import { isCustom, shardKeysOf } from '../shard-keys.ts';
import type {
  ClusterApi,
  ClusterOperation,
  CollectionReport,
  ConsensusReport,
  ReplicaReport,
} from './cluster-api.ts';
import { checkReplicatePoints, clusterCommands } from './cluster-commands.ts';
import { placedReplicas, reshardingInfo, transferInfos } from './replica-states.ts';
import { replicatePoints } from './replicate-points.ts';

export interface ClusterOptions {
  readonly enabled: boolean;
  /** What is under way goes on, and can be aborted, when this is false. */
  readonly reshardingEnabled: boolean;
  readonly ownNode: NodeId | null;
  readonly calls: NodeCalls;
}

const describeBytes = 1_024;
/** A node that is slow to tell of its replicas holds up no report. */
const describeMsMax = 2_000;
/** A report on the cluster is wanted most while no member of the metadata store answers. */
const statusMsMax = 2_000;

export function clusterUseCases(options: UseCaseOptions, cluster: ClusterOptions): ClusterApi {
  const { collections, meta, env } = options;
  const { calls, ownNode } = cluster;

  async function change(command: MetaCommand, context: RequestContext): Promise<boolean> {
    await meta.propose(command, { deadlineMs: context.deadlineMs });
    return true;
  }

  function requireCluster(): void {
    if (!cluster.enabled) throw new ClusterError('standalone', 'Qdrant is running in standalone mode');
  }

  /** States of the replicas on one node, by shard; empty when it does not tell. */
  async function statesOn(
    nodeId: NodeId,
    collection: CollectionRecord,
    context: RequestContext,
  ): Promise<ReadonlyMap<number, ShardState>> {
    const shardIds = collection.shards
      .filter(({ replicas }) => replicas.some((replica) => replica.nodeId === nodeId))
      .map(({ shardId }) => shardId);
    if (shardIds.length === 0) return new Map();
    const deadlineMs = Math.min(context.deadlineMs, env.now() + describeMsMax);
    const told = await Promise.allSettled(
      // One by one: a replica that is not open yet does not hide the others.
      shardIds.map((shardId) =>
        calls.call(nodeId, describeBytes, (node) =>
          node.writes.describe({ collection, shardIds: [shardId] }, { deadlineMs }),
        ),
      ),
    );
    const states = told.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    return new Map(states.map((state) => [state.shardId, state]));
  }

  async function consensusOf(context: RequestContext): Promise<ConsensusReport> {
    const deadlineMs = Math.min(context.deadlineMs, env.now() + statusMsMax);
    try {
      return { status: await meta.status({ deadlineMs }), failure: null };
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      return { status: null, failure: error.message };
    }
  }

  async function ownNodeId(context: RequestContext): Promise<NodeId> {
    return ownNode ?? (await consensusOf(context)).status?.nodeId ?? 0;
  }

  async function report(
    collection: CollectionRecord,
    withReplicas: boolean,
    context: RequestContext,
  ): Promise<CollectionReport> {
    const placed = withReplicas ? placedReplicas(meta.catalogue(), collection) : [];
    const nodeIds = [...new Set(placed.map(({ nodeId }) => nodeId))];
    const states = new Map(
      await Promise.all(
        nodeIds.map(async (nodeId) => [nodeId, await statesOn(nodeId, collection, context)] as const),
      ),
    );
    const replicas = placed.map((replica): ReplicaReport => {
      const state = states.get(replica.nodeId)?.get(replica.shardId);
      return { ...replica, pointsCount: state?.pointsCount ?? null, status: state?.status ?? null };
    });
    const transfers = transferInfos(collection);
    return { name: collection.name, replicas, transfers, resharding: reshardingInfo(collection) };
  }

  async function updateCluster(
    name: string,
    operation: ClusterOperation,
    context: RequestContext,
  ): Promise<boolean> {
    requireCluster();
    requireFullAccess(context);
    if (operation.kind === 'start_resharding' && !cluster.reshardingEnabled)
      throw new ClusterError(
        'bad_request',
        'resharding is disabled on this node; set cluster.resharding_enabled to true',
      );
    const collection = await collections.find(name, context);
    if (operation.kind === 'replicate_points') {
      checkReplicatePoints(collection, operation);
      await replicatePoints(options, collection, operation, context);
      return true;
    }
    for (const command of clusterCommands(meta.catalogue(), collection, operation))
      await change(command, context);
    return true;
  }

  return {
    clusterEnabled: cluster.enabled,
    updateCluster,
    async clusterReport(context) {
      const consensus = await consensusOf(context);
      const peers = [...meta.catalogue().nodes.values()].map((node) => ({
        nodeId: node.id,
        uri: uriOf(node),
        isResponsive: node.state !== 'down',
      }));
      return { nodeId: consensus.status?.nodeId ?? ownNode ?? 0, ...consensus, peers };
    },
    collectionReports: (withReplicas, context) =>
      Promise.all(
        [...meta.catalogue().collections.values()].map((one) => report(one, withReplicas, context)),
      ),
    async collectionCluster(name, context) {
      const collection = await collections.find(name, context);
      const nodeId = await ownNodeId(context);
      const placed = placedReplicas(meta.catalogue(), collection);
      const states = await statesOn(nodeId, collection, context);
      return {
        nodeId,
        shardCount: collection.shards.length,
        local: placed
          .filter((replica) => replica.nodeId === nodeId)
          .map((replica) => {
            const state = states.get(replica.shardId);
            return state === undefined
              ? { ...replica, state: 'Initializing', pointsCount: 0 }
              : { ...replica, pointsCount: state.pointsCount };
          }),
        remote: placed.filter((replica) => replica.nodeId !== nodeId),
        transfers: transferInfos(collection),
        resharding: reshardingInfo(collection),
      };
    },
    async listShardKeys(name, context) {
      const collection = await collections.find(name, context);
      return isCustom(collection) ? shardKeysOf(collection) : null;
    },
    async recoverNode(context) {
      requireCluster();
      requireFullAccess(context);
      await meta.refresh({ deadlineMs: context.deadlineMs });
      return true;
    },
    async removeNode(nodeId, force, context) {
      requireCluster();
      requireFullAccess(context);
      // As in Qdrant, a node that is not there is gone already.
      if (!meta.catalogue().nodes.has(nodeId)) return true;
      return change({ kind: 'remove_node', nodeId, force }, context);
    },
    async drainNode(nodeId, drain, context) {
      requireCluster();
      requireFullAccess(context);
      if (!meta.catalogue().nodes.has(nodeId))
        throw new ClusterError('bad_request', `Peer ${nodeId} does not exist`);
      return change({ kind: 'drain_node', nodeId, drain }, context);
    },
    async clusterMetadata(context) {
      requireCluster();
      return (await meta.status({ deadlineMs: context.deadlineMs })).clusterMetadata;
    },
    async setClusterMetadata(key, value, context) {
      requireCluster();
      requireFullAccess(context);
      return change({ kind: 'set_cluster_metadata', key, value }, context);
    },
  };
}

/** Where other nodes reach it; its public address when it serves none of them. */
function uriOf({ addresses }: NodeRecord): string {
  const address = addresses.meta ?? addresses.shard ?? addresses.rest;
  return address === null ? '' : `http://${address}/`;
}
