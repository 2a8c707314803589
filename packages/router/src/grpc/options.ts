/** What the gRPC front end is given. */
import type { Env } from '@quiver/env';
import type { RpcObserver } from '@quiver/rpc';
import type { Log } from '@quiver/telemetry';
import type { LongBodies } from '../long-bodies.ts';

export interface GrpcOptions {
  /** null: no key is asked for */
  readonly apiKey: string | null;
  /** Lets read only. */
  readonly readOnlyApiKey: string | null;
  /** Second full key, for rotation. */
  readonly altApiKey: string | null;
  readonly env: Env;
  readonly log: Log;
  /** Largest message taken; default 32 MiB. */
  readonly messageBytesMax?: number;
  readonly metrics?: RpcObserver;
  /** Absent: this thread decodes long messages, too. */
  readonly longBodies?: LongBodies;
  readonly service: {
    ready(): boolean;
    readonly version: string;
    /** 40 hex characters; left out when absent */
    readonly commit?: string;
  };
}
