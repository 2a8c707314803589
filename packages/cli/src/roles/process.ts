/** What every role begins with: log, clock, folder, and how the process ends when something of it is broken. */
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { createRealEnv, mapLargeAllocations, returnFreedWhenQuiet, type Env } from '@quiver/env';
import {
  defaultControllerSettings,
  defaultSessionSettings,
  type MetaSelf,
  type MetaSettings,
} from '@quiver/meta';
import type { NodeAddresses, NodeId, NodeRole } from '@quiver/model';
import { poisonedExitCode } from '@quiver/storage';
import { createLog, parseLogLevel, type Log } from '@quiver/telemetry';
import type { LoadedConfig } from '../config/index.ts';
import type { Config } from '../config/keys.ts';
import type { LogSettings } from '../threads/messages.ts';
import { version } from '../version.ts';

/** Level of what a member's state machine and replication understand; raised with each incompatible addition. */
export const featureLevel = 1;

/** LevelDB's, which no search reads. */
const tablesSuffix = '.ldb';

export interface RoleProcess {
  readonly config: Config;
  readonly env: Env;
  readonly log: Log;
  readonly logSettings: LogSettings;
  /** All data of the process lie here. */
  readonly folder: string;
  readonly startedAtMs: number;
  /** What nodes of the cluster show each other; the API key serves. */
  readonly secret: string | null;
  /** Longest time given to a call of another node. */
  readonly callMsMax: number;
  /** A write failed and its outcome is unknown: nothing more may be accepted, the next start verifies and recovers. */
  readonly onPoison: (error: Error) => void;
  readonly onThreadDeath: (name: string, error: Error | undefined) => void;
  /** From now on threads end because they are told to. */
  stopping(): void;
}

export function openProcess({ config, warnings }: LoadedConfig): RoleProcess {
  const env = createRealEnv();
  const logSettings: LogSettings = {
    level: parseLogLevel(config.log_level) ?? 'info',
    format: config.logger.format ?? (process.stdout.isTTY ? 'text' : 'json'),
  };
  const log = createLog({ ...logSettings, fields: {} });
  for (const warning of warnings) log.warn(warning);
  const folder = resolve(config.storage.storage_path);
  mkdirSync(folder, { recursive: true });
  // Timers of env keep nothing alive, and a start may have nothing else to wait for than one of them.
  setInterval(() => undefined, 1 << 30);
  void mapLargeAllocations();
  returnFreedWhenQuiet(env, tablesSuffix);
  let isStopping = false;
  return {
    config,
    env,
    log,
    logSettings,
    folder,
    startedAtMs: env.now(),
    secret: config.service.api_key,
    callMsMax: config.cluster.grpc_timeout_ms,
    onPoison(error) {
      log.error('a volume failed; the process ends, the next start recovers', { error });
      process.exit(poisonedExitCode);
    },
    onThreadDeath(name, error) {
      if (isStopping) return;
      log.error(`thread ${name} died; the process ends, the next start recovers`, { error });
      process.exit(1);
    },
    stopping: () => void (isStopping = true),
  };
}

/** This process as it registers in the metadata. */
export function selfOf(
  { config, env }: RoleProcess,
  id: NodeId,
  roles: readonly NodeRole[],
  addresses: NodeAddresses,
): MetaSelf {
  return {
    id,
    name: config.cluster.name ?? hostname(),
    roles,
    addresses,
    zone: config.cluster.zone,
    bootId: env.uuid(),
    version,
    featureLevel,
  };
}

export function metaSettings({ cluster }: Config): Partial<MetaSettings> {
  const { session_ttl_ms: ttlMs, grace_sec: graceSec, rebalance } = cluster.heal;
  return {
    tickMs: cluster.consensus.tick_period_ms,
    joinTimeoutMs: cluster.consensus.bootstrap_timeout_sec * 1_000,
    sessions: { ...defaultSessionSettings, ttlMs },
    controller: { ...defaultControllerSettings, graceMs: graceSec * 1_000, rebalance },
  };
}

export function sleep(delayMs: number, env: Env): Promise<void> {
  return new Promise((resolve) => void env.after(delayMs, resolve));
}
