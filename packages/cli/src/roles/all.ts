/**
 * Role `all`: meta, shard and router in one process, alone or as one of several equal nodes (Qdrant's way). This thread
 * is the control thread: it opens the data volume, recovers the replicas, starts the other threads, ends them in order.
 * Always: the data volume is opened by this thread alone; a failed volume or a dead thread ends the process, and the
 * next start recovers.
 */
import type { Founding } from '@quiver/meta';
import type { Catalogue, NodeId } from '@quiver/model';
import { addressList, hostPort } from '../addresses.ts';
import { claimPort } from '../bind-check.ts';
import type { LoadedConfig } from '../config/index.ts';
import { startShardProcess } from '../shard-process.ts';
import { openShardVolumes } from '../shard-volumes.ts';
import { receiveStopSignals } from '../signals.ts';
import { startMetaThread } from '../threads/start-meta.ts';
import { startServeThreads } from '../threads/start-serve.ts';
import { version } from '../version.ts';
import { engineOptionsOf, watermarksOf } from '../volume-options.ts';
import { metaSettings, openProcess, selfOf, sleep, type RoleProcess } from './process.ts';
import { serveData } from './serve-data.ts';
import { serveThreadCount } from './sizing.ts';

export async function runAll(loaded: LoadedConfig): Promise<void> {
  const stopSignals = receiveStopSignals();
  const role = openProcess(loaded);
  const { config, env, log, folder } = role;
  const { host } = config.service;
  const { cluster } = config;
  const restPort = await claimPort(host, config.service.http_port, 'REST', 'service.http_port');
  const grpcPort =
    config.service.grpc_port === null
      ? null
      : await claimPort(host, config.service.grpc_port, 'gRPC', 'service.grpc_port');
  const p2pPort = cluster.enabled
    ? await claimPort(host, cluster.p2p.port ?? 6335, 'the consensus', 'cluster.p2p.port')
    : null;
  const dataPort =
    p2pPort === null
      ? null
      : await claimPort(
          host,
          cluster.p2p.data_port ?? p2pPort + 1,
          'data between nodes',
          'cluster.p2p.data_port',
        );

  const watermarks = watermarksOf(config);
  const volumes = await openShardVolumes({
    ...role,
    watermarks,
    engine: engineOptionsOf(config),
    isOfCluster: cluster.enabled,
  });
  const advertised = hostPort(
    cluster.advertise ?? `http://${host}:${p2pPort ?? 0}`,
    'cluster.advertise',
    p2pPort ?? 0,
  );
  const self = selfOf(role, volumes.nodeId, ['meta', 'shard', 'router'], {
    meta: p2pPort === null ? null : advertised,
    shard: dataPort === null ? null : `${advertised.slice(0, advertised.lastIndexOf(':'))}:${dataPort}`,
    rest: `${host}:${restPort}`,
  });
  const { bootstrap } = loaded.flags;
  const founding: Founding =
    bootstrap === null
      ? { kind: 'alone' }
      : { kind: 'join', addresses: addressList(bootstrap, '--bootstrap', 6335) };
  const meta = await startMetaThread({
    member: {
      folder,
      self,
      founding,
      settings: metaSettings(config),
      listen: p2pPort === null ? null : { host, port: p2pPort },
      secret: role.secret,
      callMsMax: role.callMsMax,
      watermarks,
    },
    ...role,
  });

  const serveThreads = serveThreadCount(config.service.max_workers);
  const shards = await startShardProcess(role, volumes, meta, serveThreads);
  const serving = await startServeThreads({
    count: serveThreads,
    data: serveData(role, { host, restPort, grpcPort, dataPort }),
    meta,
    shard: shards.shard,
    isLoaded: shards.isLoaded,
    env,
    onThreadDeath: role.onThreadDeath,
  });
  stopSignals.use(async (signal) => {
    log.info(`${signal}: stopping`);
    const graceMs = config.quiver.shutdown_timeout_sec * 1_000;
    role.stopping();
    serving.drain();
    await sleep(config.quiver.drain_notice_ms, env);
    if (cluster.enabled) await shards.drain(env.now() + graceMs);
    await serving.stop(graceMs);
    await meta.close();
    await shards.close();
    log.info('stopped');
    process.exit(0);
  });
  serving.setReady();
  if (!cluster.enabled) warnOfLostData(role, meta.catalogue(), volumes.nodeId);
  log.info(`quiver ${version} is ready`, {
    rest: `http://${host}:${restPort}`,
    grpc: grpcPort === null ? 'off' : `${host}:${grpcPort}`,
    ...(cluster.enabled ? { node: volumes.nodeId, cluster: advertised } : {}),
    storage: folder,
    collections: meta.catalogue().collections.size,
    started_in_ms: Math.round(env.now() - role.startedAtMs),
  });
}

/** Alone, every replica is this node's. Where the metadata names another one, the data volume is not the one it had. */
function warnOfLostData({ log, folder }: RoleProcess, catalogue: Catalogue, nodeId: NodeId): void {
  const lost = [...catalogue.collections.values()].filter(({ shards }) =>
    shards.some(({ inSync, replicas }) =>
      replicas.every((replica) => replica.nodeId !== nodeId || !inSync.includes(replica.replica)),
    ),
  );
  if (lost.length === 0) return;
  log.error('the data volume is new, and the metadata knows collections whose points were on another one', {
    collections: lost.map(({ name }) => name).slice(0, 20),
    advice: `put the folder ${folder}/data back that belongs to ${folder}/meta, or delete these collections`,
  });
}
