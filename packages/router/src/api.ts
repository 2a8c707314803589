/**
 * The use cases both front ends (REST, gRPC) call: one function per thing a client can do. Front ends decode into
 * model types, call, and encode the answer; use cases check against the collection, plan, and call shards and meta.
 * Collection names may be aliases. Every failure is a `ClusterError`.
 */
import type {
  Addressed,
  AddressedQuery,
  CollectionConfig,
  CollectionRecord,
  CountRequest,
  FacetHit,
  FacetRequest,
  Filter,
  HnswConfig,
  JsonObject,
  OptimizersConfig,
  PayloadFieldSchema,
  PointBatch,
  PointRecord,
  PointTarget,
  QuantizationConfig,
  RetrieveRequest,
  ScoredPoint,
  ScrollPage,
  ScrollRequest,
  ShardExplanation,
  SparseVectorParams,
  UpdateMode,
  VectorParams,
  WalConfig,
} from '@quiver/model';
import type { AliasAction, CollectionState } from '@quiver/rpc';
import type { ClusterApi } from './cluster/cluster-api.ts';

/** What a caller may do; decided by the front end's authentication. */
export type Access = 'full' | 'read';

/** How many replicas must agree: any, a number, more than half (`majority`, `quorum`), all. */
export type ConsistencyLevel = number | 'majority' | 'quorum' | 'all';

export interface RequestContext {
  readonly access: Access;
  /** On the clock of `env.now()`. */
  readonly deadlineMs: number;
  /** Of reads; absent: 1, whichever replica is asked. */
  readonly consistency?: ConsistencyLevel;
  /** Reads with the same text are kept on one replica of each shard. */
  readonly affinity?: string;
  /** The caller takes an answer without the shards that nobody answered for: they are added here. */
  readonly missingShards?: Set<number>;
  /** The caller wants queries explained: by query, what it did in each shard, is added here. */
  readonly explanations?: (readonly ShardExplanation[])[];
}

export interface WriteContext extends RequestContext {
  /** false answers `acknowledged`; the change is durable all the same. */
  readonly wait: boolean;
}

export interface UpdateResult {
  readonly operationId: number;
  readonly status: 'acknowledged' | 'completed';
}

/** The body of a creation, validated field by field; absent = default. */
export interface CreateCollection {
  readonly vectors?: VectorParams | Record<string, VectorParams>;
  readonly sparse_vectors?: Record<string, SparseVectorParams>;
  readonly shard_number?: number;
  readonly sharding_method?: 'auto' | 'custom';
  readonly replication_factor?: number;
  readonly write_consistency_factor?: number;
  readonly on_disk_payload?: boolean;
  readonly hnsw_config?: Partial<HnswConfig>;
  readonly optimizers_config?: Partial<OptimizersConfig>;
  readonly wal_config?: Partial<WalConfig>;
  readonly quantization_config?: QuantizationConfig;
  readonly strict_mode_config?: JsonObject;
  readonly metadata?: JsonObject;
}

export interface UpdateCollection {
  readonly vectors?: Record<
    string,
    {
      hnsw_config?: Partial<HnswConfig>;
      quantization_config?: QuantizationConfig | 'Disabled';
      on_disk?: boolean;
      memory?: VectorParams['memory'];
    }
  >;
  readonly sparse_vectors?: Record<string, SparseVectorParams>;
  readonly optimizers_config?: Partial<OptimizersConfig>;
  readonly params?: {
    replication_factor?: number;
    write_consistency_factor?: number;
    read_fan_out_factor?: number;
    read_fan_out_delay_ms?: number;
    on_disk_payload?: boolean;
  };
  readonly hnsw_config?: Partial<HnswConfig>;
  readonly quantization_config?: QuantizationConfig | 'Disabled';
  readonly strict_mode_config?: JsonObject;
  readonly metadata?: JsonObject;
}

export interface CollectionInfo {
  readonly record: CollectionRecord;
  readonly config: CollectionConfig;
  readonly state: CollectionState;
  /** Placed copies that are not to be had. */
  readonly deadReplicas: number;
}

/** One element of POST /points/batch; each is applied in order, not as a transaction. */
export type PointsUpdate = Addressed & PointsChange;

export type PointsChange =
  | {
      readonly kind: 'upsert';
      readonly points: PointBatch;
      readonly mode: UpdateMode;
      readonly updateFilter: Filter | null;
    }
  | { readonly kind: 'delete'; readonly target: PointTarget }
  | {
      readonly kind: 'set_payload';
      readonly target: PointTarget;
      readonly payload: JsonObject;
      readonly key: string | null;
    }
  | {
      readonly kind: 'overwrite_payload';
      readonly target: PointTarget;
      readonly payload: JsonObject;
      readonly key: string | null;
    }
  | { readonly kind: 'delete_payload'; readonly target: PointTarget; readonly keys: readonly string[] }
  | { readonly kind: 'clear_payload'; readonly target: PointTarget }
  | { readonly kind: 'update_vectors'; readonly points: PointBatch; readonly updateFilter: Filter | null }
  | { readonly kind: 'delete_vectors'; readonly target: PointTarget; readonly names: readonly string[] };

export interface Api extends ClusterApi {
  /** @throws ClusterError already_exists (also for an alias of that name), validation */
  createCollection(name: string, request: CreateCollection, context: RequestContext): Promise<boolean>;
  updateCollection(name: string, request: UpdateCollection, context: RequestContext): Promise<boolean>;
  /** false when there was none */
  deleteCollection(name: string, context: RequestContext): Promise<boolean>;
  listCollections(context: RequestContext): string[];
  collectionExists(name: string, context: RequestContext): Promise<boolean>;
  collectionInfo(name: string, context: RequestContext): Promise<CollectionInfo>;
  changeAliases(actions: readonly AliasAction[], context: RequestContext): Promise<boolean>;
  /** Of one collection, or of all (null). */
  listAliases(collection: string | null, context: RequestContext): { alias: string; collection: string }[];
  createPayloadIndex(
    name: string,
    field: string,
    schema: PayloadFieldSchema,
    context: WriteContext,
  ): Promise<UpdateResult>;
  deletePayloadIndex(name: string, field: string, context: WriteContext): Promise<UpdateResult>;

  /** One result per update, in order; the first failure ends the list by throwing. */
  update(name: string, updates: readonly PointsUpdate[], context: WriteContext): Promise<UpdateResult[]>;
  query(name: string, requests: readonly AddressedQuery[], context: RequestContext): Promise<ScoredPoint[][]>;
  scroll(name: string, request: ScrollRequest & Addressed, context: RequestContext): Promise<ScrollPage>;
  retrieve(
    name: string,
    request: RetrieveRequest & Addressed,
    context: RequestContext,
  ): Promise<PointRecord[]>;
  count(name: string, request: CountRequest & Addressed, context: RequestContext): Promise<number>;
  facet(name: string, request: FacetRequest & Addressed, context: RequestContext): Promise<FacetHit[]>;
  /** The record behind a name or alias. @throws ClusterError not_found */
  collection(name: string, context: RequestContext): Promise<CollectionRecord>;
}
