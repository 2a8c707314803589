/** Role `shard`: replicas for routers and other nodes to use; metadata from members of its own. */
import { connectMeta } from '@quiver/meta';
import { createPeerCaller } from '@quiver/rpc';
import { addressList, hostPort } from '../addresses.ts';
import { claimPort } from '../bind-check.ts';
import { ConfigError } from '../config/config-error.ts';
import type { LoadedConfig } from '../config/index.ts';
import { startShardProcess, type ShardProcess } from '../shard-process.ts';
import { openShardVolumes } from '../shard-volumes.ts';
import { receiveStopSignals } from '../signals.ts';
import { startHealthServer } from '../threads/health-server.ts';
import { startServeThreads } from '../threads/start-serve.ts';
import { version } from '../version.ts';
import { engineOptionsOf, watermarksOf } from '../volume-options.ts';
import { openProcess, selfOf } from './process.ts';
import { processMetrics } from './process-metrics.ts';
import { storageSample } from '../threads/storage-sample.ts';
import { serveData } from './serve-data.ts';
import { serveThreadCount } from './sizing.ts';

export async function runShard(loaded: LoadedConfig): Promise<void> {
  const stopSignals = receiveStopSignals();
  const role = openProcess(loaded);
  const { config, env, log, folder, secret, callMsMax } = role;
  const { host, http_port: httpPort } = config.service;
  const addresses = addressList(config.cluster.meta, 'cluster.meta', 6335);
  if (addresses.length === 0)
    throw new ConfigError([
      'role shard: `cluster.meta` (--meta http://host:6335,...) must name members of the metadata store',
    ]);
  const dataPort = await claimPort(
    host,
    config.cluster.p2p.port ?? 6335,
    'data between nodes',
    'cluster.p2p.port',
  );
  const advertised = hostPort(
    config.cluster.advertise ?? `http://${host}:${dataPort}`,
    'cluster.advertise',
    dataPort,
  );
  const volumes = await openShardVolumes({
    ...role,
    watermarks: watermarksOf(config),
    engine: engineOptionsOf(config),
    isOfCluster: true,
  });
  const caller = createPeerCaller({ nodeId: volumes.nodeId, secret, callMsMax }, env);
  const self = selfOf(role, volumes.nodeId, ['shard'], { meta: null, shard: advertised, rest: null });
  const meta = connectMeta({ addresses, self, caller, env, log });
  let isReady = false;
  let running: ShardProcess | null = null;
  const health = await startHealthServer({
    host,
    port: httpPort,
    ready: () => isReady,
    metrics: () => processMetrics(running === null ? null : storageSample(running.shard.control)),
  });

  const serveThreads = serveThreadCount(config.service.max_workers);
  const shards = await startShardProcess(role, volumes, meta, serveThreads);
  running = shards;
  const serving = await startServeThreads({
    count: serveThreads,
    data: serveData(role, { host, restPort: null, grpcPort: null, dataPort }),
    meta,
    shard: shards.shard,
    isLoaded: shards.isLoaded,
    env,
    onThreadDeath: role.onThreadDeath,
  });
  await meta.ready;
  isReady = true;
  log.info(`quiver ${version}: shard node is ready`, {
    node: volumes.nodeId,
    address: advertised,
    health: `http://${host}:${health.port}`,
    storage: folder,
    started_in_ms: Math.round(env.now() - role.startedAtMs),
  });
  stopSignals.use(async (signal) => {
    log.info(`${signal}: stopping`);
    const graceMs = config.quiver.shutdown_timeout_sec * 1_000;
    isReady = false;
    role.stopping();
    await shards.drain(env.now() + graceMs);
    await serving.stop(graceMs);
    await meta.close();
    await shards.close();
    caller.close();
    await health.stop();
    log.info('stopped');
    process.exit(0);
  });
}
