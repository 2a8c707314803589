/** The cluster as operators see and change it: what both front ends call, and the plain shapes they write out. */
import type { Filter, JsonValue, NodeId, ShardKey, TransferRecord } from '@quiver/model';
import type { MetaStatus } from '@quiver/rpc';
import type { RequestContext } from '../api.ts';

/** Qdrant's names, in the order of its enum. */
export const replicaStates = [
  'Active',
  'Dead',
  'Partial',
  'Initializing',
  'Listener',
  'PartialSnapshot',
  'Recovery',
  'Resharding',
  'ReshardingScaleDown',
  'ActiveRead',
  'ManualRecovery',
] as const;
export type ReplicaState = (typeof replicaStates)[number];

export interface PlacedReplica {
  readonly shardId: number;
  readonly shardKey: ShardKey | null;
  readonly nodeId: NodeId;
  readonly state: ReplicaState;
}
export interface TransferInfo {
  readonly shardId: number;
  readonly from: NodeId;
  readonly to: NodeId;
  /** A copy is added; otherwise it replaces the source. */
  readonly sync: boolean;
  readonly method: TransferRecord['method'];
}
export interface ReshardingInfo {
  readonly direction: 'up' | 'down';
  readonly shardId: number;
  readonly nodeId: NodeId;
  readonly shardKey: ShardKey | null;
}

export interface CollectionCluster {
  /** The node that answers. */
  readonly nodeId: NodeId;
  readonly shardCount: number;
  readonly local: readonly (PlacedReplica & { readonly pointsCount: number })[];
  readonly remote: readonly PlacedReplica[];
  readonly transfers: readonly TransferInfo[];
  readonly resharding: ReshardingInfo | null;
}

export interface PeerReport {
  readonly nodeId: NodeId;
  /** "http://10.0.0.1:6335/" */
  readonly uri: string;
  readonly isResponsive: boolean;
}
/** Either what the metadata store says of itself, or why it does not. */
export type ConsensusReport =
  | { readonly status: MetaStatus; readonly failure: null }
  | { readonly status: null; readonly failure: string };
export type ClusterReport = ConsensusReport & {
  /** The node that answers; 0 of a router that has not met the metadata store. */
  readonly nodeId: NodeId;
  readonly peers: readonly PeerReport[];
};
export interface ReplicaReport extends PlacedReplica {
  /** null: its node did not tell. */
  readonly pointsCount: number | null;
  readonly status: string | null;
}
export interface CollectionReport {
  readonly name: string;
  readonly replicas: readonly ReplicaReport[];
  readonly transfers: readonly TransferInfo[];
  readonly resharding: ReshardingInfo | null;
}

interface BetweenNodes {
  readonly shardId: number;
  readonly from: NodeId;
  readonly to: NodeId;
}
export interface NewShardKey {
  readonly key: ShardKey;
  readonly shardNumber: number | null;
  readonly replicationFactor: number | null;
  readonly placement: readonly NodeId[] | null;
}

/** One element of POST /collections/{c}/cluster. */
export type ClusterOperation =
  | ({ readonly kind: 'move_shard'; readonly method: TransferRecord['method'] } & BetweenNodes)
  | ({ readonly kind: 'replicate_shard'; readonly method: TransferRecord['method'] } & BetweenNodes)
  | ({ readonly kind: 'abort_transfer' } & BetweenNodes)
  | ({ readonly kind: 'restart_transfer'; readonly method: TransferRecord['method'] } & BetweenNodes)
  | { readonly kind: 'drop_replica'; readonly shardId: number; readonly nodeId: NodeId }
  | ({ readonly kind: 'create_shard_key' } & NewShardKey)
  | { readonly kind: 'drop_shard_key'; readonly key: ShardKey }
  | {
      readonly kind: 'start_resharding';
      readonly direction: 'up' | 'down';
      readonly nodeId: NodeId | null;
      readonly shardKey: ShardKey | null;
    }
  /** Slots are read and written at one place at any moment, so there is nothing to commit: accepted while one is under way. */
  | { readonly kind: 'commit_resharding' }
  | { readonly kind: 'finish_resharding' }
  | { readonly kind: 'abort_resharding' }
  | {
      readonly kind: 'replicate_points';
      readonly from: ShardKey;
      readonly to: ShardKey;
      readonly filter: Filter | null;
    }
  /** An extension: what only other replicas had is given up. */
  | { readonly kind: 'force_promote'; readonly shardId: number; readonly nodeId: NodeId };

export interface ClusterApi {
  readonly clusterEnabled: boolean;
  clusterReport(context: RequestContext): Promise<ClusterReport>;
  /** Every collection; `withReplicas` asks each node for its own. */
  collectionReports(withReplicas: boolean, context: RequestContext): Promise<CollectionReport[]>;
  collectionCluster(name: string, context: RequestContext): Promise<CollectionCluster>;
  /** @throws ClusterError standalone; bad_request, not_found in Qdrant's words */
  updateCluster(name: string, operation: ClusterOperation, context: RequestContext): Promise<boolean>;
  /** null: the collection's sharding is not custom. */
  listShardKeys(name: string, context: RequestContext): Promise<ShardKey[] | null>;
  /** Catches up with the metadata store. */
  recoverNode(context: RequestContext): Promise<boolean>;
  removeNode(nodeId: NodeId, force: boolean, context: RequestContext): Promise<boolean>;
  /** An extension: the node gives its replicas away and gets no new ones; `drain: false` takes that back. */
  drainNode(nodeId: NodeId, drain: boolean, context: RequestContext): Promise<boolean>;
  clusterMetadata(context: RequestContext): Promise<Readonly<Record<string, JsonValue>>>;
  /** null removes the key. */
  setClusterMetadata(key: string, value: JsonValue | null, context: RequestContext): Promise<boolean>;
}
