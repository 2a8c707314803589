/**
 * The three sides of a shard node and what each needs. All three may live in one thread (inline ports), or each in its
 * own. Thread indexes are scratch slots of the arenas and pin slots of the shared state: the control thread is 0.
 */
import type { Env } from '@quiver/env';
import type { Arena, ArenaDirectory, ArenaStats } from '@quiver/kernel';
import type { Catalogue, NodeId } from '@quiver/model';
import type { ShardNode } from '@quiver/rpc';
import type { BlobStore, Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import type { FromBuild, ShardPort, ToBuild, ToControl, ToServe } from './protocol.ts';
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
  /** Share of the disk that must stay free for client writes; at least the store's own. Default 0.1. */
  readonly freeFractionMin?: number;
  readonly env: Env;
  readonly log: Log;
}

/** The control thread's side: the only writer. */
export interface ShardControl {
  /**
   * Opens, changes and drops replicas until they are those of the catalogue; resolves when every new one can take
   * reads and writes. Call with the first catalogue before serving and at each change, one call after another.
   */
  applyCatalogue(next: Catalogue): Promise<void>;
  /** A serve thread that was started with `arenas()` of this moment. Sends it every segment set. */
  attachServe(port: ShardPort<ToControl, ToServe>): void;
  /** A build thread that was started with `arenas()` of this moment. */
  attachBuild(port: ShardPort<FromBuild, ToBuild>): void;
  /** A thread that died reads nothing any more. */
  detach(port: ShardPort<never, never>, thread: number): void;
  arenas(): Arena[];
  memory(): ArenaStats;
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
