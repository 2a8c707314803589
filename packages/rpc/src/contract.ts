/**
 * What the three roles ask of each other. Routers see shards and meta only through these interfaces;
 * co-located roles meet through an in-process channel (objects by reference, payloads as bytes), separate
 * processes through gRPC: no caller may know the difference. Every failure is a `ClusterError`.
 */
import type {
  Catalogue,
  CollectionRecord,
  CountRequest,
  FacetHit,
  FacetRequest,
  Filter,
  PointId,
  PointRecord,
  QueryRequest,
  RetrieveRequest,
  ScoredPoint,
  ScrollPage,
  ScrollRequest,
  WriteOperation,
} from '@quiver/model';
import type { MetaCommand } from './meta-command.ts';

export interface CallOptions {
  /** On the clock of `env.now()`; work still running then fails with `deadline_exceeded`. */
  readonly deadlineMs: number;
}

/** The read path of a shard node. Runs on the calling serve thread, over shared memory. */
export interface ShardReads {
  /** Best first; the answer has `offset` already cut off and at most `limit` entries. */
  query(
    collection: CollectionRecord,
    requests: readonly QueryRequest[],
    options: CallOptions,
  ): Promise<ScoredPoint[][]>;
  scroll(collection: CollectionRecord, request: ScrollRequest, options: CallOptions): Promise<ScrollPage>;
  /** In the order of `ids`; absent ids are left out. */
  retrieve(
    collection: CollectionRecord,
    request: RetrieveRequest,
    options: CallOptions,
  ): Promise<PointRecord[]>;
  count(collection: CollectionRecord, request: CountRequest, options: CallOptions): Promise<number>;
  /** Most frequent first, then by value. */
  facet(collection: CollectionRecord, request: FacetRequest, options: CallOptions): Promise<FacetHit[]>;
  /** Ids that match, and the snapshot they were read at: the target of a filtered write. */
  resolve(
    collection: CollectionRecord,
    filter: Filter,
    options: CallOptions,
  ): Promise<{ ids: PointId[]; asOf: number }>;
}

export interface WriteResult {
  /** Sequence number of the last change of the request, unique within the collection. */
  readonly operationId: number;
}

/** The write path of a shard node: resolves when the change is on stable storage and visible to searches. */
export interface ShardWrites {
  write(collection: CollectionRecord, operation: WriteOperation, options: CallOptions): Promise<WriteResult>;
  /** State of a collection's replica, for collection info; asked of the control thread. */
  describe(collection: CollectionRecord, options: CallOptions): Promise<CollectionState>;
}

export interface OptimizationTask {
  readonly id: string;
  /** 'seal' | 'merge' | 'index' | 'payload_index' */
  readonly kind: string;
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  readonly startedAtMs: number;
  /** null while it runs */
  readonly finishedAtMs: number | null;
  readonly error: string | null;
  /** Ids and point counts of the inputs. */
  readonly segments: readonly { readonly id: number; readonly points: number }[];
}

export interface CollectionState {
  readonly status: 'green' | 'yellow' | 'grey' | 'red';
  /** null when all is well */
  readonly optimizerError: string | null;
  readonly pointsCount: number;
  /** Vectors (over all names) that a graph serves. */
  readonly indexedVectorsCount: number;
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
  readonly idleSegments: readonly { readonly id: number; readonly points: number; readonly kind: string }[];
  /** Bytes by component: vectors, codes, graph, payload, columns, ids. */
  readonly memoryBytes: Readonly<Record<string, number>>;
}

/** The metadata store as every other role sees it. */
export interface MetaService {
  /** The newest catalogue this thread knows; cheap, never waits. */
  catalogue(): Catalogue;
  /** Resolves once the command is durable and this thread's `catalogue()` shows it. */
  propose(command: MetaCommand, options: CallOptions): Promise<MetaReply>;
}

/** `changed: false`: accepted and without effect, as deleting what is not there. */
export interface MetaReply {
  readonly changed: boolean;
}
