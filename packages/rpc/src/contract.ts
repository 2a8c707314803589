/**
 * What the three roles ask of each other. Routers see shards and meta only through these interfaces;
 * co-located roles meet through an in-process channel (objects by reference, payloads as bytes), separate
 * processes through gRPC: no caller may know the difference. Every failure is a `ClusterError`.
 */
import type {
  Catalogue,
  CollectionRecord,
  CountRequest,
  ErrorCode,
  FacetHit,
  FacetRequest,
  JsonValue,
  MemoryPart,
  NodeId,
  PointRecord,
  PointsOperation,
  QueryRequest,
  RetrieveRequest,
  ScoredPoint,
  ScrollPage,
  ScrollRequest,
  ShardExplanation,
  SlotRuns,
} from '@quiver/model';
import type { MetaCommand } from './meta-command.ts';

export interface CallOptions {
  /** On the clock of `env.now()`; work still running then fails with `deadline_exceeded`. */
  readonly deadlineMs: number;
}

/**
 * Shards of one collection that one node is asked about. The slots of each, its configuration and whether it may hold
 * more are the caller's, as of one revision for all shards of a request: each point is then answered for once.
 */
export interface ShardTarget {
  readonly collection: CollectionRecord;
  readonly shardIds: readonly number[];
}

/**
 * any: whatever in-sync replica is asked. linearizable: evaluated on the primary, which confirms that it still is one
 * before it answers, and refuses with fewer than `inSyncMin` replicas in sync.
 */
export type ReadConsistency =
  { readonly kind: 'any' } | { readonly kind: 'linearizable'; readonly inSyncMin: number };

export interface ReadOptions extends CallOptions {
  readonly consistency: ReadConsistency;
}

/**
 * The read path of a shard node. The answers of its shards are merged at the node, so one call per node carries a
 * request over all of its shards.
 * @throws ClusterError stale_route: this node does not (or not yet) hold a shard that was asked for; lease_expired: it holds
 * it and does not know whether it is in sync
 */
export interface ShardReads {
  /** Best first; the answer has `offset` already cut off and at most `limit` entries. */
  query(
    target: ShardTarget,
    requests: readonly QueryRequest[],
    options: ReadOptions,
  ): Promise<ScoredPoint[][]>;
  /** What each query does in each shard; it is run for this. */
  explain(
    target: ShardTarget,
    requests: readonly QueryRequest[],
    options: ReadOptions,
  ): Promise<ShardExplanation[][]>;
  scroll(target: ShardTarget, request: ScrollRequest, options: ReadOptions): Promise<ScrollPage>;
  /** In the order of `ids`; absent ids are left out. */
  retrieve(target: ShardTarget, request: RetrieveRequest, options: ReadOptions): Promise<PointRecord[]>;
  count(target: ShardTarget, request: CountRequest, options: ReadOptions): Promise<number>;
  /** Most frequent first, then by value. */
  facet(target: ShardTarget, request: FacetRequest, options: ReadOptions): Promise<FacetHit[]>;
}

/** What one shard is to change. */
export interface ShardWrite {
  readonly shardId: number;
  /** Of the shard as the caller knows it: the operation is for points of these alone. Absent: of all that it owns. */
  readonly slots?: SlotRuns;
  readonly operation: PointsOperation;
  /** 32 hex digits; a repeated write with the same one is not applied again and gets the first answer. */
  readonly operationKey: string;
}

/** `failure` is about this shard alone: the others of the call may have done their part. */
export type ShardWriteOutcome =
  | {
      readonly ok: true;
      /** Sequence number of the last change of the request, unique within the shard. */
      readonly operationId: number;
    }
  | { readonly ok: false; readonly failure: PlainError };

/** A `ClusterError` as plain data. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterSeconds?: number | undefined;
}

/** The write path of a shard node: answers when each change is on stable storage of every in-sync replica. */
export interface ShardWrites {
  /** One outcome for each write, in order. */
  write(
    collection: CollectionRecord,
    writes: readonly ShardWrite[],
    options: CallOptions,
  ): Promise<ShardWriteOutcome[]>;
  /** State of each shard's replica on that node, for collection info; asked of the control thread. */
  describe(target: ShardTarget, options: CallOptions): Promise<ShardState[]>;
}

/** A shard node as a router calls it, on this thread or over the network. */
export interface ShardNode {
  readonly reads: ShardReads;
  readonly writes: ShardWrites;
}

/** All shard nodes, by id. */
export interface ShardNodes {
  /** @throws ClusterError unavailable when the node has no known address */
  node(nodeId: NodeId): ShardNode;
}

export interface OptimizationTask {
  readonly id: string;
  /** 'seal' | 'merge' | 'index' | 'payload_index' */
  readonly kind: string;
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  /** Until the stage ends, by how long what is done of it took; null: not known. */
  readonly leftMs: number | null;
  readonly startedAtMs: number;
  /** null while it runs */
  readonly finishedAtMs: number | null;
  readonly error: string | null;
  /** Ids and point counts of the inputs. */
  readonly segments: readonly { readonly id: number; readonly points: number }[];
}

/** What the graph of one vector name consists of in a segment. */
export interface GraphState {
  readonly vector: string;
  /** The codes that walks read. */
  readonly codes: string;
  /** An element. */
  readonly bits: number;
  /** Of a row, beside the stored vector. */
  readonly rowBytes: number;
  /**
   * Recall that the builder measured when the choice was its own, beside that of int8 codes or of the stored vectors themselves;
   * of codes of components also the share of the variance that these explain.
   */
  readonly measured: {
    readonly recall: number;
    readonly recallInt8?: number;
    readonly recallRows?: number;
    readonly explainedVariance?: number;
  } | null;
  /** Recall by beam width that the builder measured, for some numbers of answers. */
  readonly curves: readonly {
    readonly k: number;
    readonly queryCount: number;
    readonly points: readonly { readonly ef: number; readonly recall: number }[];
  }[];
}

/** Recall of the latest queries of a vector name that were measured against an exact search. */
export interface LiveRecallState {
  readonly vector: string;
  readonly queries: number;
  /** Of the `wanted` true answers of all of them, those found. */
  readonly found: number;
  readonly wanted: number;
}

export interface CollectionState {
  readonly status: 'green' | 'yellow' | 'grey' | 'red';
  /** null when all is well */
  readonly optimizerError: string | null;
  readonly pointsCount: number;
  /** Vectors (over all names) that a graph serves. */
  readonly indexedVectorsCount: number;
  /** Vectors of living points, by name. */
  readonly vectorCounts: Readonly<Record<string, number>>;
  readonly segmentsCount: number;
  /** Points that carry a value, by indexed field. */
  readonly payloadIndexPoints: Readonly<Record<string, number>>;
  readonly updateQueueLength: number;
  readonly running: readonly OptimizationTask[];
  readonly completed: readonly OptimizationTask[];
  /** Tasks the policy wants next. */
  readonly queued: readonly {
    readonly kind: string;
    readonly segments: readonly { readonly id: number; readonly points: number }[];
  }[];
  readonly idleSegments: readonly {
    readonly id: number;
    readonly points: number;
    readonly kind: string;
    readonly graphs: readonly GraphState[];
  }[];
  /** Shared memory of the segments, room for rows to come included. */
  readonly memory: readonly MemoryPart[];
  readonly liveRecall: readonly LiveRecallState[];
}

/** The state of one replica of a shard. */
export interface ShardState extends CollectionState {
  readonly shardId: number;
  readonly replica: number;
  /**
   * Sum over the points as they are at `appliedSeq`: replicas with the same points have the same one. 16 hex digits; null
   * while what is on the disk is being read.
   */
  readonly digest: string | null;
  readonly appliedSeq: number;
}

/** The metadata store as every other role sees it. */
export interface MetaService {
  /** The newest catalogue this thread knows; cheap, never waits. */
  catalogue(): Catalogue;
  /** Resolves once the command is durable and this thread's `catalogue()` shows it. */
  propose(command: MetaCommand, options: CallOptions): Promise<MetaReply>;
  /** Resolves when `catalogue()` has reached the revision. @throws ClusterError deadline_exceeded */
  reached(revision: number, options: CallOptions): Promise<void>;
  /** Resolves when `catalogue()` shows everything that was committed before the call: a linearizable look. */
  refresh(options: CallOptions): Promise<void>;
  /** The consensus as this process sees it; asked of the thread that runs it. */
  status(options: CallOptions): Promise<MetaStatus>;
}

/** `changed: false`: accepted and without effect, as deleting what is not there. */
export interface MetaReply {
  readonly changed: boolean;
}

/** For reports. A process that is no member of the consensus tells what the member it is connected to said. */
export interface MetaStatus {
  readonly clusterId: string;
  /** This process. */
  readonly nodeId: NodeId;
  readonly term: number;
  readonly commit: number;
  readonly pendingOperations: number;
  /** null: none is known. */
  readonly leader: NodeId | null;
  readonly role: 'leader' | 'follower' | 'candidate' | 'learner' | 'none';
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  readonly clusterMetadata: Readonly<Record<string, JsonValue>>;
}
