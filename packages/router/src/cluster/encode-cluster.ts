/** The cluster in Qdrant's JSON shapes; keys in Qdrant's order. Pure. */
import type { ShardKey } from '@quiver/model';
import type { MetaStatus } from '@quiver/rpc';
import type {
  ClusterReport,
  CollectionCluster,
  CollectionReport,
  PlacedReplica,
  ReshardingInfo,
  TransferInfo,
} from './cluster-api.ts';

/** No member of the metadata store answers. */
const unknownStatus: Omit<MetaStatus, 'clusterId' | 'clusterMetadata'> = {
  nodeId: 0,
  term: 0,
  commit: 0,
  pendingOperations: 0,
  leader: null,
  role: 'none',
  voters: [],
  learners: [],
};

export function clusterStatusJson(report: ClusterReport, atWallMs: number): unknown {
  const { nodeId, peers } = report;
  const status = report.status ?? unknownStatus;
  return {
    status: 'enabled',
    peer_id: nodeId,
    peers: Object.fromEntries(peers.map(({ nodeId, uri }) => [nodeId, { uri }])),
    raft_info: {
      term: status.term,
      commit: status.commit,
      pending_operations: status.pendingOperations,
      leader: status.leader,
      role: roleName(status.role),
      is_voter: isVoter(status),
    },
    consensus_thread_status: threadStatusJson(report, atWallMs),
    message_send_failures: {},
  };
}

export function collectionClusterJson(info: CollectionCluster): unknown {
  return {
    peer_id: info.nodeId,
    shard_count: info.shardCount,
    local_shards: info.local.map((replica) => ({
      ...shardJson(replica),
      points_count: replica.pointsCount,
      state: replica.state,
    })),
    remote_shards: info.remote.map((replica) => ({
      ...shardJson(replica),
      peer_id: replica.nodeId,
      state: replica.state,
    })),
    shard_transfers: info.transfers.map(transferJson),
    ...(info.resharding === null ? {} : { resharding_operations: [reshardingJson(info.resharding)] }),
  };
}

export function shardKeysJson(keys: readonly ShardKey[] | null): unknown {
  return keys === null ? {} : { shard_keys: keys.map((key) => ({ key })) };
}

export function clusterTelemetryJson(
  report: ClusterReport,
  collections: readonly CollectionReport[],
  { detailed, version, atWallMs }: { detailed: boolean; version: string; atWallMs: number },
): unknown {
  const { nodeId: ownId, peers } = report;
  return {
    collections: Object.fromEntries(collections.map((one) => [one.name, collectionJson(one, detailed)])),
    cluster: {
      enabled: true,
      number_of_peers: peers.length,
      peers: Object.fromEntries(
        peers.map(({ nodeId, uri, isResponsive }) => [
          nodeId,
          {
            uri,
            responsive: isResponsive,
            // What a peer says of its own consensus is known of this one only.
            ...(nodeId === ownId ? { details: detailsJson(report, version, atWallMs) } : {}),
          },
        ]),
      ),
    },
  };
}

function collectionJson(report: CollectionReport, detailed: boolean): unknown {
  if (!detailed) return { id: report.name };
  const shards = Map.groupBy(report.replicas, ({ shardId }) => shardId);
  return {
    id: report.name,
    shards: [...shards].map(([id, replicas]) => ({
      id,
      ...keyJson('key', replicas[0]!.shardKey),
      replicas: replicas.map(({ nodeId, state, status, pointsCount }) => ({
        peer_id: nodeId,
        state,
        ...(status === null ? {} : { status }),
        ...(pointsCount === null ? {} : { num_points: pointsCount }),
      })),
    })),
    ...(report.resharding === null ? {} : { reshardings: [reshardingJson(report.resharding)] }),
    ...(report.transfers.length === 0 ? {} : { shard_transfers: report.transfers.map(transferJson) }),
  };
}

function detailsJson(report: ClusterReport, version: string, atWallMs: number): unknown {
  const status = report.status ?? unknownStatus;
  return {
    version,
    role: roleName(status.role),
    is_voter: isVoter(status),
    term: status.term,
    commit: status.commit,
    num_pending_operations: status.pendingOperations,
    consensus_thread_status: threadStatusJson(report, atWallMs),
  };
}

function threadStatusJson({ failure }: ClusterReport, atWallMs: number): unknown {
  if (failure !== null) return { consensus_thread_status: 'stopped_with_err', err: failure };
  return { consensus_thread_status: 'working', last_update: new Date(atWallMs).toISOString() };
}

function roleName(role: MetaStatus['role']): string | null {
  switch (role) {
    case 'leader':
      return 'Leader';
    case 'candidate':
      return 'Candidate';
    case 'follower':
    case 'learner':
      return 'Follower';
    case 'none':
      return null;
  }
}

function isVoter({ voters, nodeId }: Pick<MetaStatus, 'voters' | 'nodeId'>): boolean {
  return voters.includes(nodeId);
}

function shardJson({ shardId, shardKey }: PlacedReplica): Record<string, unknown> {
  return { shard_id: shardId, ...keyJson('shard_key', shardKey) };
}

function keyJson(name: string, key: ShardKey | null): Record<string, ShardKey> {
  return key === null ? {} : { [name]: key };
}

function transferJson({ shardId, from, to, sync, method }: TransferInfo): unknown {
  return { shard_id: shardId, from, to, sync, method };
}

function reshardingJson({ direction, shardId, nodeId, shardKey }: ReshardingInfo): unknown {
  return { direction, shard_id: shardId, peer_id: nodeId, ...keyJson('shard_key', shardKey) };
}
