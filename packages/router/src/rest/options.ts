/** What the REST front end is given: limits, keys and the service's own reports. */
import type { Env } from '@quiver/env';
import type { Log } from '@quiver/telemetry';
import type { Exchange } from './exchange.ts';
import type { LongBodies } from '../long-bodies.ts';

export interface RestOptions {
  /** null: no key is asked for */
  readonly apiKey: string | null;
  /** Lets read only. */
  readonly readOnlyApiKey: string | null;
  /** Second full key, for rotation. */
  readonly altApiKey: string | null;
  /** Largest accepted body, before and after decompression; Qdrant's default is 32 MiB. */
  readonly bodyBytesMax: number;
  readonly corsEnabled: boolean;
  readonly env: Env;
  readonly log: Log;
  readonly metrics?: RestMetrics;
  readonly service: ServiceReports;
  /** Absent: this thread decodes long bodies, too. */
  readonly longBodies?: LongBodies;
}

export interface RestMetrics {
  /** @param routeTemplate - "/collections/{collection_name}/points"; "unknown" for a path that is no route */
  observe(method: string, routeTemplate: string, status: number, seconds: number): void;
}

export interface ServiceReports {
  telemetry(query: TelemetryQuery): Promise<unknown>;
  /** Prometheus text format. */
  metricsText(): Promise<string>;
  ready(): boolean;
  /** The process is about to stop: every answer asks its client to connect anew, elsewhere. */
  isDraining?(): boolean;
  /** Version of Qdrant whose API this is: clients compare it with their own. */
  readonly version: string;
  /** Version of Quiver itself. */
  readonly quiverVersion: string;
  /** 40 hex characters; left out when absent */
  readonly commit?: string;
}

export interface TelemetryQuery {
  /** 0..10 */
  readonly detailsLevel: number;
  readonly anonymize: boolean;
}

/** Never throws, always answers. */
export type RestHandler = (exchange: Exchange) => void;

/** 32 MiB, as in Qdrant. */
export const bodyBytesMaxDefault = 32 * 1024 * 1024;
