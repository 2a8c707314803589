/** Role `router`: stateless; REST and gRPC in, calls to shard nodes out. */
import { connectMeta } from '@quiver/meta';
import { mintNodeId } from '@quiver/model';
import { createPeerCaller } from '@quiver/rpc';
import { addressList } from '../addresses.ts';
import { claimPort } from '../bind-check.ts';
import { ConfigError } from '../config/config-error.ts';
import type { LoadedConfig } from '../config/index.ts';
import { known } from '../shard-process.ts';
import { receiveStopSignals } from '../signals.ts';
import { startServeThreads } from '../threads/start-serve.ts';
import { version } from '../version.ts';
import { openProcess, selfOf, sleep } from './process.ts';
import { serveData } from './serve-data.ts';
import { serveThreadCount } from './sizing.ts';

export async function runRouter(loaded: LoadedConfig): Promise<void> {
  const stopSignals = receiveStopSignals();
  const role = openProcess(loaded);
  const { config, env, log, secret, callMsMax } = role;
  const { host } = config.service;
  const addresses = addressList(config.cluster.meta, 'cluster.meta', 6335);
  if (addresses.length === 0)
    throw new ConfigError([
      'role router: `cluster.meta` (--meta http://host:6335,...) must name members of the metadata store',
    ]);
  const restPort = await claimPort(host, config.service.http_port, 'REST', 'service.http_port');
  const grpcPort =
    config.service.grpc_port === null
      ? null
      : await claimPort(host, config.service.grpc_port, 'gRPC', 'service.grpc_port');
  // A router keeps nothing: each start is a new node, and the one before is forgotten when its session ends.
  const id = mintNodeId(env.uuid());
  const caller = createPeerCaller({ nodeId: id, secret, callMsMax }, env);
  const self = selfOf(role, id, ['router'], { meta: null, shard: null, rest: `${host}:${restPort}` });
  const meta = connectMeta({ addresses, self, caller, env, log });
  const serving = await startServeThreads({
    count: serveThreadCount(config.service.max_workers),
    data: serveData(role, { host, restPort, grpcPort, dataPort: null }),
    meta,
    shard: null,
    isLoaded: known(meta, env),
    env,
    onThreadDeath: role.onThreadDeath,
  });
  stopSignals.use(async (signal) => {
    log.info(`${signal}: stopping`);
    role.stopping();
    const graceMs = config.quiver.shutdown_timeout_sec * 1_000;
    serving.drain();
    await sleep(config.quiver.drain_notice_ms, env);
    await serving.stop(graceMs);
    await meta.close();
    caller.close();
    log.info('stopped');
    process.exit(0);
  });
  serving.setReady();
  log.info(`quiver ${version}: router is ready`, {
    rest: `http://${host}:${restPort}`,
    grpc: grpcPort === null ? 'off' : `${host}:${grpcPort}`,
    started_in_ms: Math.round(env.now() - role.startedAtMs),
  });
}
