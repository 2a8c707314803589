/**
 * What the control thread and a serve thread say to each other about the thread's own life and the process's reports.
 * The shard's and the metadata's messages travel over ports of their own (handed over in `ServeThreadData`).
 */
import type { MessagePort } from '@quiver/env';
import type { NodeId } from '@quiver/model';
import type { CollectionDefaults } from '@quiver/router';
import type { RouteStats, StorageSample } from '@quiver/telemetry';
import type { MetaMemberOptions } from '../meta-member.ts';

/** null: not offered by this role. */
export interface Listening {
  readonly host: string;
  readonly restPort: number | null;
  readonly grpcPort: number | null;
  /** Reads, writes and replication of other nodes. */
  readonly dataPort: number | null;
}

export interface Access {
  readonly apiKey: string | null;
  readonly altApiKey: string | null;
  readonly readOnlyApiKey: string | null;
  readonly bodyBytesMax: number;
  readonly corsEnabled: boolean;
}

export interface LogSettings {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly format: 'json' | 'text';
}

export interface ServeThreadData {
  readonly name: string;
  readonly listening: Listening;
  readonly access: Access;
  readonly defaults: CollectionDefaults;
  /** Serve the cluster's API; otherwise it answers as a process that is none. */
  readonly clusterEnabled: boolean;
  /** Operators may change the number of shards. */
  readonly reshardingEnabled: boolean;
  readonly metricsPrefix: string;
  readonly log: LogSettings;
  readonly metaPort: MessagePort;
  /** To the decode thread, which need not be there. */
  readonly bodiesPort: MessagePort;
  /** null: a router alone. */
  readonly shard: ServeShardData | null;
  /** What nodes of the cluster show each other. */
  readonly clusterSecret: string | null;
  /** Longest time given to a call of another node. */
  readonly callMsMax: number;
}

/** What ties a serve thread to the shards of its process. Arenas come by the port: a thread holds its data for as long as it lives. */
export interface ServeShardData {
  readonly nodeId: NodeId;
  /** Scratch slot in every arena, and pin slot. */
  readonly thread: number;
  /** Where files of the blob store are. */
  readonly filesDir: string;
  readonly sharedState: SharedArrayBuffer;
  readonly port: MessagePort;
  readonly recallTimeShare: number;
  /** Messages of replication that came to this thread, for the control thread. */
  readonly replicationPort: MessagePort;
}

/** A message of another node's replica; the bytes are moved. */
export interface ReplicationMessage {
  readonly from: NodeId;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface BuildThreadData {
  readonly name: string;
  readonly thread: number;
  /** Where files of the blob store are. */
  readonly filesDir: string;
  readonly port: MessagePort;
}

/** Process-wide figures that only the control thread can put together. */
export interface ProcessReport {
  /** null: the process stores nothing. */
  readonly storage: StorageSample | null;
  readonly requests: readonly RouteStats[];
  readonly residentBytes: number;
  readonly allocatedBytes: number;
  readonly startedAtMs: number;
  readonly clusterId: string;
}

export type ToServeThread =
  /** The whole process is up: /readyz says so from now on. */
  | { readonly kind: 'ready' }
  /** Not ready any more, and clients are sent away; what comes all the same is served. */
  | { readonly kind: 'drain' }
  | { readonly kind: 'stop'; readonly graceMs: number }
  | { readonly kind: 'snapshot'; readonly call: number }
  | { readonly kind: 'report'; readonly call: number; readonly report: ProcessReport };

export type FromServeThread =
  | { readonly kind: 'listening' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'snapshot'; readonly call: number; readonly stats: RouteStats[] }
  | { readonly kind: 'ask_report'; readonly call: number }
  /** A long body came: from now on there should be a decode thread. */
  | { readonly kind: 'decoder_wanted' };

export interface DecodeThreadData {
  /** One of each serve thread. */
  readonly ports: readonly MessagePort[];
}

export interface MetaThreadData {
  readonly member: Omit<MetaMemberOptions, 'env' | 'log' | 'onPoison'>;
  readonly log: LogSettings;
  readonly port: MessagePort;
}
export interface ToMetaThread {
  readonly kind: 'stop';
}
export type FromMetaThread =
  | { readonly kind: 'started' }
  | { readonly kind: 'stopped' }
  /** Its volume failed: the process ends. */
  | { readonly kind: 'poisoned'; readonly message: string };
