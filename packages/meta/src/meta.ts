/**
 * The metadata store of this process: the state machine over a replicated log, with listeners.
 * Always: `catalogue()` shows durable commands only; listeners see every revision in order, and a proposal resolves
 * after all of them took the revision it made.
 */
import type { Env } from '@quiver/env';
import type { Catalogue } from '@quiver/model';
import type { MetaCommand, MetaReply } from '@quiver/rpc';
import type { Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';

export interface MetaOptions {
  /** A volume of the metadata's own. */
  readonly store: Store;
  readonly env: Env;
  readonly log: Log;
  /** Log bytes from which a snapshot is taken and the log cut; default 4 MiB. */
  readonly snapshotAfterBytes?: number;
}

/** Returned by listeners that need time, as opening a replica. */
export type CatalogueListener = (next: Catalogue, previous: Catalogue) => void | Promise<void>;

export interface ProposeReply extends MetaReply {
  /** The catalogue's revision after the command. */
  readonly revision: number;
}

export interface Meta {
  propose(command: MetaCommand): Promise<ProposeReply>;
  /** For a caller with a session of its own: a repeated (clientId, seq) gets the first reply, and changes nothing. */
  proposeFor(clientId: string, seq: number, command: MetaCommand): Promise<ProposeReply>;
  catalogue(): Catalogue;
  /** A random UUID given to the cluster when its volume was made. */
  readonly clusterId: string;
  /** Values of `set_cluster_metadata`. */
  clusterMetadata(): ReadonlyMap<string, unknown>;
  /** Called once per change, in the order of registration, each awaited before the next. Returns the way to stop. */
  onChange(listener: CatalogueListener): () => void;
  close(): Promise<void>;
}

/** Opens the volume: makes it when new, replays it otherwise. */
export declare function createMeta(options: MetaOptions): Promise<Meta>;
