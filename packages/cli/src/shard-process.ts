/**
 * The shard side of roles `all` and `shard` on the control thread: volumes, replicas that follow the catalogue, streams to
 * other nodes.
 */
import type { Env } from '@quiver/env';
import type { Meta } from '@quiver/meta';
import { shardOf, type Catalogue, type ShardRecord } from '@quiver/model';
import { createPeerCaller, createPeerLinks, peerPaths } from '@quiver/rpc';
import { bindCluster } from '@quiver/shard';
import type { Store } from '@quiver/storage';
import { inTurns } from './in-turns.ts';
import { buildThreadCount, memoryBudget } from './roles/sizing.ts';
import type { RoleProcess } from './roles/process.ts';
import type { ShardVolumes } from './shard-volumes.ts';
import { startShard, type RunningShard } from './threads/start-shard.ts';

export interface ShardProcess {
  readonly shard: RunningShard;
  /** Resolves when what is on this disk can be read. */
  readonly isLoaded: Promise<void>;
  /** Hands primaries over, as far as others can take them. */
  drain(deadlineMs: number): Promise<void>;
  close(): Promise<void>;
}

/** Bytes of replication that may wait for one node. */
const queueBytesMax = 64 << 20;
/** A look at the metadata for a read that must be linearizable. */
const refreshMs = 5_000;

export async function startShardProcess(
  role: RoleProcess,
  volumes: ShardVolumes,
  meta: Meta,
  serveThreads: number,
): Promise<ShardProcess> {
  const { config, env, log, secret, callMsMax } = role;
  const { nodeId } = volumes;
  const buildThreads = buildThreadCount(config.quiver.build_threads);
  const budget = memoryBudget(
    { processBytes: config.storage.memory_budget, segmentMib: config.quiver.memory_budget_mb },
    { serve: serveThreads, build: buildThreads },
  );
  const caller = createPeerCaller({ nodeId, secret, callMsMax }, env);
  const links = createPeerLinks({
    caller,
    path: peerPaths.shard.replicate,
    addressOf: (peer) => meta.catalogue().nodes.get(peer)?.addresses.shard ?? null,
    env,
    queueBytesMax,
    onBroken(peer) {
      meta.noteBroken(peer);
      shard.control.onBroken(peer);
    },
  });
  /** What is asked for in one turn, as by every replica after a stop of the process, is one look. */
  let look: Promise<void> | null = null;
  const refreshed = (): Promise<void> =>
    (look ??= Promise.resolve().then(() => {
      look = null;
      return meta.refresh({ deadlineMs: env.now() + refreshMs });
    }));
  const shard = await startShard({
    nodeId,
    serveThreads,
    buildThreads,
    budgetBytes: budget.segmentBytes,
    processBytesMax: budget.processBytes,
    copyBytesPerSecond: config.cluster.heal.bandwidth_mb_per_sec * 2 ** 20,
    fetchesSegments: config.cluster.heal.ship_segments,
    scrubBytesPerSecond: config.quiver.scrub_mb_per_sec * 2 ** 20,
    unindexedBytesMax: config.quiver.unindexed_limit_mb * 2 ** 20,
    recallTimeShare: config.quiver.live_recall_cpu_percent / 100,
    store: volumes.store,
    blobs: volumes.blobs,
    filesDir: volumes.filesDir,
    links,
    meta: {
      propose: (command) => meta.propose(command),
      async linearizableShard(uuid, shardId) {
        await refreshed();
        return shardIn(meta.catalogue(), uuid, shardId);
      },
    },
    env,
    log,
    onThreadDeath: role.onThreadDeath,
  });
  meta.setReport(() => shard.control.reports());
  return {
    shard,
    isLoaded: followCatalogue(meta, shard, volumes.store, role),
    drain: (deadlineMs) => shard.control.drain(deadlineMs),
    async close() {
      await shard.control.close();
      links.close();
      caller.close();
      await Promise.all([volumes.store.close(), volumes.blobs.close()]);
    },
  };
}

function shardIn(catalogue: Catalogue, uuid: string, shardId: number): ShardRecord | null {
  for (const record of catalogue.collections.values())
    if (record.uuid === uuid) return shardOf(record, shardId) ?? null;
  return null;
}

/**
 * Replicas follow every change of the catalogue, before any serve thread hears of it. Changes that come while the first
 * one is applied wait their turn: a restarted primary asks for its new term right then.
 */
async function followCatalogue(
  meta: Meta,
  shard: RunningShard,
  store: Store,
  { env, log }: RoleProcess,
): Promise<void> {
  await known(meta, env);
  if (meta.clusterId !== '') await bindCluster(store, meta.clusterId);
  const turns = inTurns();
  const isOpen = turns(() => shard.control.applyCatalogue(meta.catalogue()));
  meta.onChange((next) => turns(() => shard.control.applyCatalogue(next)));
  // Only once this start is registered is the catalogue known to be no older than what lies on the disk.
  meta.ready
    .then(() => bindCluster(store, meta.clusterId))
    .then(() => turns(() => shard.control.removeOrphans(meta.catalogue())))
    .catch((error: unknown) => log.warn('what a dropped collection left was not removed', { error }));
  await isOpen;
}

/** How long a start waits for the cluster before it serves from the catalogue it has. */
const registerMs = 10_000;

/**
 * Resolves when this start is registered, so that the catalogue is current. Where nobody answers it is enough to have one
 * from before: a node serves while the metadata store is away.
 */
export function known(meta: Meta, env: Env): Promise<void> {
  return new Promise((resolve, reject) => {
    meta.ready.then(resolve, reject);
    env.after(registerMs, () => {
      if (meta.catalogue().revision > 0) resolve();
      else {
        const stop = meta.onChange(() => {
          stop();
          resolve();
        });
      }
    });
  });
}
