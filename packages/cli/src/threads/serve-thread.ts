/**
 * Entry of a serve thread: router and shard read path meet here, on one event loop, over shared memory.
 * A request stays on this thread from socket to socket; writes and metadata go to the control thread by message.
 */
import { createServer } from 'node:http';
import { adoptPort, createRealEnv, currentThread } from '@quiver/env';
import { ArenaDirectory } from '@quiver/kernel';
import { createMetaClient } from '@quiver/meta';
import { createApi, createRestHandler, startGrpcListener } from '@quiver/router';
import { createShardServe, openSharedState } from '@quiver/shard';
import { createLog, createRequestStats } from '@quiver/telemetry';
import { apiVersion } from '../version.ts';
import type { FromServeThread, ProcessReport, ServeThreadData, ToServeThread } from './messages.ts';
import { createReports } from './reports.ts';

const { data, parent } = currentThread<ServeThreadData, ToServeThread, FromServeThread>();
if (parent === undefined) throw new Error('a serve thread is started by the control thread');
const env = createRealEnv();
const log = createLog({ ...data.log, fields: { thread: data.name } });
const stats = createRequestStats();

const directory = new ArenaDirectory(data.thread, data.arenas);
const meta = createMetaClient({ port: adoptPort(data.metaPort), env });
const shard = createShardServe({
  nodeId: data.nodeId,
  directory,
  port: adoptPort(data.shardPort),
  shared: openSharedState(data.sharedState),
  env,
  log,
});
const api = createApi({
  nodes: { node: () => shard },
  ownNode: data.nodeId,
  meta,
  env,
  defaults: data.defaults,
  clusterEnabled: data.clusterEnabled,
});

let calls = 0;
const waiting = new Map<number, (report: ProcessReport) => void>();
const reports = createReports({
  api,
  env,
  metricsPrefix: data.metricsPrefix,
  askReport: () =>
    new Promise((resolve) => {
      calls += 1;
      waiting.set(calls, resolve);
      parent.post({ kind: 'ask_report', call: calls });
    }),
});

const state = { isDraining: false };

await meta.ready;
const rest = createServer(
  createRestHandler(api, {
    ...data.access,
    env,
    log,
    metrics: {
      observe: (method, route, status, seconds) =>
        stats.observe('rest', `${method} ${route}`, status, seconds, env.wallNow()),
    },
    service: {
      telemetry: (query) => reports.telemetry(query),
      metricsText: () => reports.metrics(),
      ready: () => !state.isDraining,
      isDraining: () => state.isDraining,
      version: apiVersion,
    },
  }),
);
rest.keepAliveTimeout = 75_000;
await new Promise<void>((resolve, reject) => {
  rest.once('error', reject);
  rest.listen({ host: data.listening.host, port: data.listening.restPort, reusePort: true }, resolve);
});
const grpc =
  data.listening.grpcPort === null
    ? null
    : await startGrpcListener({
        api,
        host: data.listening.host,
        port: data.listening.grpcPort,
        reusePort: true,
        options: {
          ...data.access,
          messageBytesMax: data.access.bodyBytesMax,
          env,
          log,
          service: { ready: () => !state.isDraining, version: apiVersion },
          metrics: {
            observe: (method, code, seconds) => stats.observe('grpc', method, code, seconds, env.wallNow()),
          },
        },
      });

/**
 * Balancers and clients learn that they should go elsewhere, before anything is refused. Idle connections stay: closing
 * one just as its client sends a request on it would fail that request.
 */
function drain(graceMs: number): void {
  state.isDraining = true;
  grpc?.drain(graceMs);
}

/** Running requests get `graceMs`; then whatever is left is cut. */
async function stop(graceMs: number): Promise<void> {
  const restClosed = new Promise<void>((resolve) => rest.close(() => resolve()));
  rest.closeIdleConnections();
  const cut = env.after(graceMs, () => rest.closeAllConnections());
  await Promise.all([restClosed, grpc?.stop(graceMs)]);
  cut();
  parent?.post({ kind: 'stopped' });
}

parent.onMessage((message) => {
  switch (message.kind) {
    case 'drain':
      drain(message.graceMs);
      break;
    case 'stop':
      state.isDraining = true;
      void stop(message.graceMs);
      break;
    case 'snapshot':
      parent.post({ kind: 'snapshot', call: message.call, stats: stats.snapshot() });
      break;
    case 'report':
      waiting.get(message.call)?.(message.report);
      waiting.delete(message.call);
      break;
  }
});
parent.post({ kind: 'listening' });
