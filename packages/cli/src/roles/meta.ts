/** Role `meta`: a member of the replicated metadata store, and nothing else. */
import { addressList, hostPort, namedPeers } from '../addresses.ts';
import { ConfigError } from '../config/config-error.ts';
import type { LoadedConfig } from '../config/index.ts';
import { startMetaMember } from '../meta-member.ts';
import { receiveStopSignals } from '../signals.ts';
import { startHealthServer } from '../threads/health-server.ts';
import { version } from '../version.ts';
import { watermarksOf } from '../volume-options.ts';
import { metaSettings, openProcess, selfOf } from './process.ts';
import { processMetrics } from './process-metrics.ts';

export async function runMeta(loaded: LoadedConfig): Promise<void> {
  const stopSignals = receiveStopSignals();
  const role = openProcess(loaded);
  const { config, env, log, folder } = role;
  const { host, http_port: httpPort } = config.service;
  const port = config.cluster.p2p.port ?? 6335;
  const { bootstrap } = loaded.flags;
  const peers = namedPeers(config.cluster.peers, 'cluster.peers', port);
  const advertised = hostPort(
    config.cluster.advertise ?? `http://${host}:${port}`,
    'cluster.advertise',
    port,
  );
  // Without a data volume: the member's id takes the place of a node's.
  const self = { ...selfOf(role, 0, ['meta'], { meta: advertised, shard: null, rest: null }), id: null };
  if (bootstrap === null && peers.length > 0 && !peers.some(({ name }) => name === self.name))
    throw new ConfigError([
      `this member's name is ${self.name} (--id), which is not among --peers: ${peers.map(({ name }) => name).join(', ')}`,
    ]);
  const member = await startMetaMember({
    folder,
    self,
    founding:
      bootstrap !== null
        ? { kind: 'join', addresses: addressList(bootstrap, '--bootstrap', port) }
        : peers.length > 1
          ? { kind: 'peers', peers }
          : { kind: 'alone' },
    settings: metaSettings(config),
    listen: { host, port },
    secret: role.secret,
    callMsMax: role.callMsMax,
    watermarks: watermarksOf(config),
    env,
    log,
    onPoison: role.onPoison,
  });
  // Ready is local: this member answers. Whether there is a quorum is not its own state.
  const health = await startHealthServer({
    host,
    port: httpPort,
    ready: () => true,
    metrics: () => processMetrics(null),
  });
  log.info(`quiver ${version}: member of the metadata store`, {
    member: member.meta.memberId,
    address: advertised,
    health: `http://${host}:${health.port}`,
    storage: folder,
  });
  stopSignals.use(async (signal) => {
    log.info(`${signal}: stopping`);
    await member.stop();
    await health.stop();
    log.info('stopped');
    process.exit(0);
  });
}
