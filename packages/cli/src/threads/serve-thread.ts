/**
 * Entry of a serve thread: router and shard read path meet here, on one event loop, over shared memory.
 * A request stays on this thread from socket to socket; writes and metadata go to the control thread by message. Calls
 * of other nodes come to the same thread, on the data port.
 */
import {
  adoptPort,
  collectWhenQuiet,
  createBusyMeter,
  createRealEnv,
  currentThread,
  type Port,
} from '@quiver/env';
import { ArenaDirectory } from '@quiver/kernel';
import { createMetaClient } from '@quiver/meta';
import { createApi, createLongBodies, type FromDecoder, type ToDecoder } from '@quiver/router';
import {
  createPeerCaller,
  createShardNodes,
  peerPaths,
  publicSchema,
  shardPeerCalls,
  startPeerServer,
  type RpcServer,
  type ShardNode,
} from '@quiver/rpc';
import { createShardServe, openSharedState } from '@quiver/shard';
import { openBlobFiles } from '@quiver/storage';
import { createLog, createRequestStats } from '@quiver/telemetry';
import { startFrontEnds, type FrontEnds } from './front-ends.ts';
import type {
  FromServeThread,
  ProcessReport,
  ReplicationMessage,
  ServeShardData,
  ServeThreadData,
  ToServeThread,
} from './messages.ts';
import { createReports } from './reports.ts';

/** Time for a call of another node that set none. */
const peerDeadlineMs = 60_000;

const { data, parent } = currentThread<ServeThreadData, ToServeThread, FromServeThread>();
if (parent === undefined) throw new Error('a serve thread is started by the control thread');
const env = createRealEnv();
const log = createLog({ ...data.log, fields: { thread: data.name } });
const stats = createRequestStats();
const { listening, clusterSecret: secret, callMsMax } = data;

const meta = createMetaClient({ port: adoptPort(data.metaPort), env });
const ownNode = data.shard?.nodeId ?? null;
const local = data.shard === null ? null : openShard(data.shard);
const caller = createPeerCaller({ nodeId: ownNode ?? 0, secret, callMsMax }, env);
const nodes = createShardNodes({ ownNode, local, meta, caller, env });
const { defaults, clusterEnabled, reshardingEnabled } = data;
const api = createApi({ nodes, ownNode, meta, env, defaults, clusterEnabled, reshardingEnabled });

function openShard(shard: ServeShardData): ShardNode {
  return createShardServe({
    nodeId: shard.nodeId,
    directory: new ArenaDirectory(shard.thread, openBlobFiles(shard.filesDir)),
    port: adoptPort(shard.port),
    shared: openSharedState(shard.sharedState),
    recallTimeShare: shard.recallTimeShare,
    isBusy: createBusyMeter(),
    env,
    log,
  });
}

let calls = 0;
const waiting = new Map<number, (report: ProcessReport) => void>();
const reports = createReports({
  api,
  env,
  metricsPrefix: data.metricsPrefix,
  clusterEnabled,
  askReport: () =>
    new Promise((resolve) => {
      calls += 1;
      waiting.set(calls, resolve);
      parent.post({ kind: 'ask_report', call: calls });
    }),
});

const bodiesPort: Port<FromDecoder, ToDecoder> = adoptPort(data.bodiesPort);
const longBodies = createLongBodies(bodiesPort, env, () => parent.post({ kind: 'decoder_wanted' }));

// Parsed while replicas are being opened: after that everybody waits.
if (listening.grpcPort !== null) publicSchema();
await meta.ready;
const peers = local === null || data.shard === null ? null : await startPeers(local, data.shard);
const frontEnds: FrontEnds | null =
  listening.restPort === null
    ? null
    : await startFrontEnds({ api, listening, access: data.access, reports, longBodies, stats, env, log });

/** The data port: shards of this node for others, and messages of replication on their way to the control thread. */
async function startPeers(node: ShardNode, shard: ServeShardData): Promise<RpcServer | null> {
  if (listening.dataPort === null) return null;
  const replication: Port<never, ReplicationMessage> = adoptPort(shard.replicationPort);
  return startPeerServer({
    host: listening.host,
    port: listening.dataPort,
    reusePort: true,
    env,
    secret,
    calls: shardPeerCalls({ node, meta, env, deadlineMsDefault: peerDeadlineMs }),
    streams: {
      [peerPaths.shard.replicate]: (from, frame) => {
        const bytes = new Uint8Array(frame);
        replication.post({ from, bytes }, [bytes.buffer]);
      },
    },
    onInternalError: (path, error) => log.error('a call of another node failed', { path, error }),
  });
}

async function stop(graceMs: number): Promise<void> {
  await Promise.all([frontEnds?.stop(graceMs), peers?.stop(graceMs)]);
  caller.close();
  parent?.post({ kind: 'stopped' });
}

parent.onMessage((message) => {
  switch (message.kind) {
    case 'ready':
      collectWhenQuiet(env);
      frontEnds?.setReady();
      break;
    case 'drain':
      frontEnds?.drain();
      break;
    case 'stop':
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
