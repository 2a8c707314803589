/**
 * The three sides of a shard node and what each needs. All three may live in one thread (inline ports), or each in its
 * own. Thread indexes are scratch slots of the arenas and pin slots of the shared state: the control thread is 0.
 */
import type { Env } from '@quiver/env';
import type { ArenaDirectory, ArenaStats } from '@quiver/kernel';
import type { Catalogue, NodeId, MemoryPart } from '@quiver/model';
import type { ShardNode } from '@quiver/rpc';
import type { BlobStore, Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import type { FromBuild, ShardPort, ToBuild, ToControl, ToServe } from './protocol.ts';
import type { NodeHolds } from './control/replica-report.ts';
import type { ScrubCounts } from './control/scrub.ts';
import type { ReplicaLinks, ShardMeta } from './shard-cluster.ts';
import type { SharedState } from './shared-state.ts';

export interface ShardControlOptions {
  /** Of this process: replicas that the catalogue places on it are hosted. */
  readonly nodeId: NodeId;
  /** The data volume and the segment parts; the control side is their only user. */
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly shared: SharedState;
  /** All threads that run kernels: control, serve and build. */
  readonly threads: number;
  /** Most bytes of shared memory. */
  readonly budgetBytes: number;
  /** Of the process as a whole: beyond them nothing is written that takes memory; absent: it is not watched. */
  readonly processBytesMax?: number;
  /** What the process has in memory that the system cannot take back. */
  readonly residentBytes?: () => number;
  /** Gives free pages of shared memory back to the system, zero, and says whether it did; absent or null: they go back with whole arenas. */
  readonly discardPages?: ((pages: Uint8Array<SharedArrayBuffer>) => boolean) | null;
  /** Gives freed pages of the allocator's heaps back to the system; who allocates meanwhile may wait for some milliseconds. Absent or null: it does so by itself. */
  readonly trimHeaps?: (() => Promise<void>) | null;
  /** Most that catch-ups and moves send, and as much again that they take in; 0: no limit. */
  readonly copyBytesPerSecond: number;
  /** How long a replica answers reads after a sign of life of its process; for tests, else as replication has it. */
  readonly servingLeaseMs?: number;
  /** A copy of everything takes the primary's graphs over instead of building them. */
  readonly fetchesSegments: boolean;
  /** Bytes of vectors without a graph from which on a replica's writes are slowed; at twice as many they are refused. 0: no limit. */
  readonly unindexedBytesMax: number;
  /** Of the background look at everything stored; 0: none. */
  readonly scrubBytesPerSecond: number;
  /** Called when there is something to build and no thread is attached: attaches some, at once. */
  readonly startBuildThreads?: () => void;
  /** To the other nodes; what they send comes in by `receive`. */
  readonly links: ReplicaLinks;
  readonly meta: ShardMeta;
  readonly env: Env;
  readonly log: Log;
}

/** The control thread's side: the only writer. */
export interface ShardControl {
  /**
   * Opens, changes and drops replicas until they are those of the catalogue; resolves when what is on this disk can be
   * read. Call with the first catalogue before serving and at each change, one call after another. A primary that was
   * restarted takes a new term before it writes, which needs meta and a later call; writes wait for it.
   */
  applyCatalogue(next: Catalogue): Promise<void>;
  /**
   * Deletes what is on this disk and not in the catalogue: drops that a stop interrupted. REQUIRES: `current` shows
   * everything that was confirmed before this start. An older one lacks replicas that are here, and would end them.
   */
  removeOrphans(current: Catalogue): Promise<void>;
  /** A serve thread that has just started: it is told of all arenas and of every segment set. */
  attachServe(port: ShardPort<ToControl, ToServe>): void;
  /** A build thread that has just started: it is told of all arenas. */
  attachBuild(port: ShardPort<FromBuild, ToBuild>): void;
  /** A thread that died reads nothing any more. */
  detach(port: ShardPort<never, never>, thread: number): void;
  /** A message of another node's replicas. */
  receive(fromNode: NodeId, bytes: Uint8Array): void;
  /** The link to a node broke, or was refused. */
  onBroken(nodeId: NodeId): void;
  /** For the node's heartbeat. */
  reports(): NodeHolds;
  /**
   * Before a planned stop: hands every primary over that has another replica in sync, then admits no more writes.
   * Resolves by the deadline (on the clock of env.now()).
   */
  drain(deadlineMs: number): Promise<void>;
  memory(): ArenaStats;
  /** What the segments of all replicas take, by what is in it. */
  memoryParts(): MemoryPart[];
  /** What the background look at everything stored has found. */
  scrubbed(): Readonly<ScrubCounts>;
  /** Refuses new writes, finishes those under way, stops builds. Does not close the stores. */
  close(): Promise<void>;
}

export interface ShardServeOptions {
  /** Of this process: which replicas of a shard are here. */
  readonly nodeId: NodeId;
  /** Of the serve thread; its `thread` is the pin slot. */
  readonly directory: ArenaDirectory;
  readonly port: ShardPort<ToServe, ToControl>;
  readonly shared: SharedState;
  /** Most of the thread's idle time that measures the recall of real queries, 0 to 1; 0: none. */
  readonly recallTimeShare: number;
  /** The thread should not be stopped for long now; absent: it may always be. */
  readonly isBusy?: () => boolean;
  readonly env: Env;
  readonly log: Log;
}

/** This thread's way to the replicas of this node. */
export type ShardServe = ShardNode;

export interface BuilderOptions {
  readonly directory: ArenaDirectory;
  readonly port: ShardPort<ToBuild, FromBuild>;
  readonly env: Env;
}
