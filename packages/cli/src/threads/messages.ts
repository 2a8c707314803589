/**
 * What the control thread and a serve thread say to each other about the thread's own life and the process's reports.
 * The shard's and the metadata's messages travel over ports of their own (handed over in `ServeThreadData`).
 */
import type { MessagePort } from '@quiver/env';
import type { Arena } from '@quiver/kernel';
import type { NodeId } from '@quiver/model';
import type { CollectionDefaults } from '@quiver/router';
import type { RouteStats } from '@quiver/telemetry';

export interface Listening {
  readonly host: string;
  readonly restPort: number;
  /** null: gRPC is off. */
  readonly grpcPort: number | null;
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
  /** Scratch slot in every arena, and pin slot. */
  readonly thread: number;
  readonly nodeId: NodeId;
  readonly listening: Listening;
  readonly access: Access;
  readonly defaults: CollectionDefaults;
  /** Serve the cluster's API; otherwise it answers as a process that is none. */
  readonly clusterEnabled: boolean;
  readonly metricsPrefix: string;
  readonly log: LogSettings;
  readonly arenas: readonly Arena[];
  readonly sharedState: SharedArrayBuffer;
  readonly shardPort: MessagePort;
  readonly metaPort: MessagePort;
}

export interface BuildThreadData {
  readonly name: string;
  readonly thread: number;
  readonly arenas: readonly Arena[];
  readonly port: MessagePort;
}

/** Process-wide figures that only the control thread can put together. */
export interface ProcessReport {
  readonly requests: readonly RouteStats[];
  readonly residentBytes: number;
  readonly allocatedBytes: number;
  readonly startedAtMs: number;
  readonly clusterId: string;
}

export type ToServeThread =
  /** Not ready any more, and clients are sent away; what comes all the same is served. */
  | { readonly kind: 'drain'; readonly graceMs: number }
  | { readonly kind: 'stop'; readonly graceMs: number }
  | { readonly kind: 'snapshot'; readonly call: number }
  | { readonly kind: 'report'; readonly call: number; readonly report: ProcessReport };

export type FromServeThread =
  | { readonly kind: 'listening' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'snapshot'; readonly call: number; readonly stats: RouteStats[] }
  | { readonly kind: 'ask_report'; readonly call: number };
