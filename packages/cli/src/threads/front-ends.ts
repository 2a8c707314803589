/** REST and gRPC of one serve thread: listening sockets shared with the other threads, and their end in order. */
import type { Env } from '@quiver/env';
import { createRestServer, startGrpcListener, type Api, type LongBodies } from '@quiver/router';
import type { Log, RequestStats } from '@quiver/telemetry';
import { apiVersion, version } from '../version.ts';
import type { Access, Listening } from './messages.ts';
import type { Reports } from './reports.ts';

export interface FrontEndOptions {
  readonly api: Api;
  readonly listening: Listening;
  readonly access: Access;
  readonly reports: Reports;
  readonly longBodies: LongBodies;
  readonly stats: RequestStats;
  readonly env: Env;
  readonly log: Log;
}

export interface FrontEnds {
  /** The whole process is up. Requests are served before, for clients that do not ask. */
  setReady(): void;
  /**
   * Balancers and clients learn that they should go elsewhere, before anything is refused. Idle connections stay: closing
   * one just as its client sends a request on it would fail that request.
   */
  drain(): void;
  /** Running requests get `graceMs`; then whatever is left is cut. */
  stop(graceMs: number): Promise<void>;
}

/** @throws the error of listening, as EADDRINUSE */
export async function startFrontEnds(options: FrontEndOptions): Promise<FrontEnds> {
  const { api, listening, access, reports, longBodies, stats, env, log } = options;
  let isUp = false;
  let isDraining = false;
  const rest = createRestServer(api, {
    ...access,
    env,
    log,
    longBodies,
    metrics: {
      observe: (method, route, status, seconds) =>
        stats.observe('rest', `${method} ${route}`, status, seconds, env.wallNow()),
    },
    service: {
      telemetry: (query) => reports.telemetry(query),
      metricsText: () => reports.metrics(),
      ready: () => isUp && !isDraining,
      isDraining: () => isDraining,
      version: apiVersion,
      quiverVersion: version,
    },
  });
  await rest.listen({ host: listening.host, port: listening.restPort ?? 0, reusePort: true });
  const grpc =
    listening.grpcPort === null
      ? null
      : await startGrpcListener({
          api,
          host: listening.host,
          port: listening.grpcPort,
          reusePort: true,
          options: {
            ...access,
            messageBytesMax: access.bodyBytesMax,
            env,
            log,
            longBodies,
            service: { ready: () => isUp && !isDraining, version: apiVersion },
            metrics: {
              observe: (method, code, seconds) => stats.observe('grpc', method, code, seconds, env.wallNow()),
            },
          },
        });
  return {
    setReady: () => void (isUp = true),
    drain() {
      isDraining = true;
      grpc?.drain();
    },
    async stop(graceMs) {
      isDraining = true;
      const restClosed = rest.close();
      const cut = env.after(graceMs, () => rest.closeAllConnections());
      await Promise.all([restClosed, grpc?.stop(graceMs)]);
      cut();
    },
  };
}
