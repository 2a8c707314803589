/**
 * Role `all`: meta, shard and router in one process. This file is the control thread: it opens the volumes, recovers the
 * replicas, starts the build and serve threads, and ends them in order.
 * Always: the data volume is opened by this thread alone; a failed volume or a dead thread ends the process, and the
 * next start recovers.
 */
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { createRealEnv } from '@quiver/env';
import { createMeta } from '@quiver/meta';
import { openNodeIdentity } from '@quiver/shard';
import { openLevelBlobStore, openLevelStore, poisonedExitCode } from '@quiver/storage';
import { createLog, parseLogLevel, type Log } from '@quiver/telemetry';
import { claimPort } from '../bind-check.ts';
import { collectionDefaults, type LoadedConfig } from '../config/index.ts';
import { receiveStopSignals } from '../signals.ts';
import { startThreads } from '../threads/start-threads.ts';
import type { LogSettings } from '../threads/messages.ts';
import { version } from '../version.ts';
import { memoryBudgetBytes, serveThreadCount } from './sizing.ts';

/** LevelDB was seen to take 100 MB for a moment on a disk of 500 MB. */
const compactionRoomBytes = 256 << 20;

export async function runAll(loaded: LoadedConfig): Promise<void> {
  const { config } = loaded;
  const startedAtMs = performance.now();
  const stopSignals = receiveStopSignals();
  const logSettings: LogSettings = {
    level: parseLogLevel(config.log_level) ?? 'info',
    format: config.logger.format ?? (process.stdout.isTTY ? 'text' : 'json'),
  };
  const log = createLog({ ...logSettings, fields: {} });
  const env = createRealEnv();
  for (const warning of loaded.warnings) log.warn(warning);

  const { host } = config.service;
  const restPort = await claimPort(host, config.service.http_port, 'REST');
  const grpcPort =
    config.service.grpc_port === null ? null : await claimPort(host, config.service.grpc_port, 'gRPC');

  const folder = resolve(config.storage.storage_path);
  mkdirSync(folder, { recursive: true });
  const clientFreeFractionMin = config.quiver.disk_free_min_percent / 100;
  const volume = {
    onPoison: (error: Error) => endPoisoned(log, error),
    watermarks: {
      clientFreeFractionMin,
      essentialFreeFractionMin: clientFreeFractionMin / 2,
      roomBytes: clientFreeFractionMin === 0 ? 0 : compactionRoomBytes,
    },
  };
  const metaStore = await openLevelStore(join(folder, 'meta'), volume, env);
  const dataStore = await openLevelStore(join(folder, 'data'), volume, env);
  const blobs = await openLevelBlobStore(join(folder, 'segments'), volume, env);
  const nodeId = await openNodeIdentity(dataStore, env);
  const meta = await createMeta({
    store: metaStore,
    env,
    log,
    self: {
      id: nodeId,
      name: hostname(),
      roles: ['meta', 'shard', 'router'],
      addresses: { meta: null, shard: null, rest: `${host}:${restPort}` },
      zone: '',
      bootId: env.uuid(),
      version,
      featureLevel: 1,
    },
  });

  const threads = await startThreads({
    nodeId,
    serveThreads: serveThreadCount(config.service.max_workers),
    buildThreads: config.quiver.build_threads,
    budgetBytes: memoryBudgetBytes(config.quiver.memory_budget_mb),
    listening: { host, restPort, grpcPort },
    access: {
      apiKey: config.service.api_key,
      altApiKey: config.service.alt_api_key,
      readOnlyApiKey: config.service.read_only_api_key,
      bodyBytesMax: config.service.max_request_size_mb * 1024 * 1024,
      corsEnabled: config.service.enable_cors,
    },
    defaults: collectionDefaults(config),
    clusterEnabled: config.cluster.enabled,
    metricsPrefix: config.service.metrics_prefix ?? '',
    logSettings,
    log,
    env,
    meta,
    store: dataStore,
    blobs,
  });

  log.info(`quiver ${version} is ready`, {
    rest: `http://${host}:${restPort}`,
    grpc: grpcPort === null ? 'off' : `${host}:${grpcPort}`,
    storage: folder,
    collections: meta.catalogue().collections.size,
    started_in_ms: Math.round(performance.now() - startedAtMs),
  });

  stopSignals.use(async (signal) => {
    log.info(`${signal}: stopping`);
    const graceMs = config.quiver.shutdown_timeout_sec * 1_000;
    threads.drain(graceMs);
    await new Promise<void>((resolve) => void env.after(config.quiver.drain_notice_ms, resolve));
    await threads.stop(graceMs);
    await meta.close();
    await Promise.all([metaStore.close(), dataStore.close(), blobs.close()]);
    log.info('stopped');
    process.exit(0);
  });
}

/** A write failed and its outcome is unknown: nothing more may be accepted, the next start verifies and recovers. */
function endPoisoned(log: Log, error: Error): void {
  log.error('a volume failed; the process ends, the next start recovers', { error });
  process.exit(poisonedExitCode);
}
