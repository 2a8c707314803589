/**
 * Starts the build and serve threads around the control side of the shard, and stops them in order.
 * Thread indexes (scratch slots, pins): 0 the control thread, then serve threads, then build threads.
 */
import { openChannel, startThread, type Env, type Thread } from '@quiver/env';
import { serveMeta, type Meta, type MetaMessage } from '@quiver/meta';
import { shardOf, type Catalogue, type NodeId, type ShardRecord } from '@quiver/model';
import type { CollectionDefaults } from '@quiver/router';
import { createShardControl, createSharedState } from '@quiver/shard';
import type { FromBuild, ToBuild, ToControl, ToServe } from '@quiver/shard';
import type { BlobStore, Store } from '@quiver/storage';
import { mergeRequestStats, type Log, type RouteStats } from '@quiver/telemetry';
import type {
  Access,
  BuildThreadData,
  FromServeThread,
  Listening,
  LogSettings,
  ServeThreadData,
  ToServeThread,
} from './messages.ts';

export interface ThreadsOptions {
  readonly nodeId: NodeId;
  readonly serveThreads: number;
  readonly buildThreads: number;
  readonly budgetBytes: number;
  readonly listening: Listening;
  readonly access: Access;
  readonly defaults: CollectionDefaults;
  readonly clusterEnabled: boolean;
  readonly metricsPrefix: string;
  readonly logSettings: LogSettings;
  readonly log: Log;
  readonly env: Env;
  readonly meta: Meta;
  readonly store: Store;
  readonly blobs: BlobStore;
}

export interface RunningThreads {
  /** Readiness goes off and clients are sent away; requests that come all the same are served. */
  drain(graceMs: number): void;
  /** Serve threads stop accepting, running requests get `graceMs`, then the shard writes what it must. */
  stop(graceMs: number): Promise<void>;
}

function shardIn(catalogue: Catalogue, uuid: string, shardId: number): ShardRecord | null {
  const record = [...catalogue.collections.values()].find((one) => one.uuid === uuid);
  return (record === undefined ? undefined : shardOf(record, shardId)) ?? null;
}

type ServeThread = Thread<FromServeThread, ToServeThread>;

export async function startThreads(options: ThreadsOptions): Promise<RunningThreads> {
  const { env, log, meta } = options;
  const threadCount = 1 + options.serveThreads + options.buildThreads;
  const shared = createSharedState(threadCount);
  const control = await createShardControl({
    nodeId: options.nodeId,
    store: options.store,
    blobs: options.blobs,
    shared,
    threads: threadCount,
    budgetBytes: options.budgetBytes,
    // One node: nobody to replicate to, and the only voter's state is the newest there is.
    links: { send: () => false },
    meta: {
      propose: (command) => meta.propose(command),
      linearizableShard: (uuid, shardId) => Promise.resolve(shardIn(meta.catalogue(), uuid, shardId)),
    },
    env,
    log,
  });
  for (let i = 0; i < options.buildThreads; i += 1) {
    const name = `build-${i}`;
    const [near, far] = openChannel<FromBuild, ToBuild>();
    const data: BuildThreadData = {
      name,
      thread: 1 + options.serveThreads + i,
      arenas: control.arenas(),
      port: far.raw,
    };
    const thread = startThread(new URL('./build-thread.ts', import.meta.url), data, {
      name,
      transfer: [far.raw],
    });
    thread.onExit(({ error }) => endOfThread(name, error));
    control.attachBuild(near);
  }
  let isStopping = false;
  const serving = new Set<ServeThread>();
  const snapshots = createSnapshots(serving);
  const startedAtMs = env.wallNow();

  function endOfThread(name: string, error: Error | undefined): void {
    if (isStopping) return;
    log.error(`thread ${name} died; the process ends, the next start recovers`, { error });
    process.exit(1);
  }

  /** The thread loads its modules at once; it listens when it has the metadata, which it gets when replicas are open. */
  async function startServe(index: number, isLoaded: Promise<void>): Promise<void> {
    const name = `serve-${index}`;
    const [shardNear, shardFar] = openChannel<ToControl, ToServe>();
    const [metaNear, metaFar] = openChannel<MetaMessage, MetaMessage>();
    const data: ServeThreadData = {
      name,
      thread: 1 + index,
      nodeId: options.nodeId,
      listening: options.listening,
      access: options.access,
      defaults: options.defaults,
      clusterEnabled: options.clusterEnabled,
      metricsPrefix: options.metricsPrefix,
      log: options.logSettings,
      arenas: control.arenas(),
      sharedState: shared.buffer,
      shardPort: shardFar.raw,
      metaPort: metaFar.raw,
    };
    const transfer = [shardFar.raw, metaFar.raw];
    const thread: ServeThread = startThread(new URL('./serve-thread.ts', import.meta.url), data, {
      name,
      transfer,
    });
    serving.add(thread);
    const listening = new Promise<void>((resolve, reject) => {
      thread.onMessage((message) => {
        switch (message.kind) {
          case 'listening':
            resolve();
            break;
          case 'ask_report':
            void answerReport(thread, message.call);
            break;
          case 'snapshot':
            snapshots.take(message.call, thread, message.stats);
            break;
          case 'stopped':
            stopped.get(thread)?.();
            break;
        }
      });
      thread.onExit(({ error }) => {
        reject(error ?? new Error(`thread ${name} ended`));
        stopped.get(thread)?.();
        serving.delete(thread);
        endOfThread(name, error);
      });
    });
    await isLoaded;
    control.attachServe(shardNear);
    serveMeta(meta, metaNear, env);
    await listening;
  }

  async function answerReport(thread: ServeThread, call: number): Promise<void> {
    const memory = process.memoryUsage();
    const report = {
      requests: mergeRequestStats(await snapshots.ask()),
      residentBytes: memory.rss,
      allocatedBytes: memory.heapUsed + control.memory().usedBytes,
      startedAtMs,
      clusterId: meta.clusterId,
    };
    thread.post({ kind: 'report', call, report });
  }

  const stopped = new Map<ServeThread, () => void>();
  const isLoaded = control.applyCatalogue(meta.catalogue()).then(() => {
    // Before any serve thread hears of a change, its replicas are open.
    meta.onChange((next) => control.applyCatalogue(next));
  });
  await Promise.all(Array.from({ length: options.serveThreads }, (_, index) => startServe(index, isLoaded)));
  return {
    drain(graceMs) {
      for (const thread of serving) thread.post({ kind: 'drain', graceMs });
    },
    async stop(graceMs) {
      isStopping = true;
      await Promise.all(
        [...serving].map(
          (thread) =>
            new Promise<void>((resolve) => {
              stopped.set(thread, resolve);
              thread.post({ kind: 'stop', graceMs });
            }),
        ),
      );
      await control.close();
    },
  };
}

/** Request statistics of all serve threads, asked for on demand. */
function createSnapshots(serving: ReadonlySet<ServeThread>): {
  ask(): Promise<RouteStats[][]>;
  take(call: number, thread: ServeThread, stats: RouteStats[]): void;
} {
  const waiting = new Map<
    number,
    { readonly missing: Set<ServeThread>; readonly got: RouteStats[][]; done: (got: RouteStats[][]) => void }
  >();
  let calls = 0;
  return {
    ask: () =>
      new Promise((done) => {
        calls += 1;
        waiting.set(calls, { missing: new Set(serving), got: [], done });
        for (const thread of serving) thread.post({ kind: 'snapshot', call: calls });
      }),
    take(call, thread, stats) {
      const asked = waiting.get(call);
      if (asked === undefined) return;
      asked.got.push(stats);
      asked.missing.delete(thread);
      if (asked.missing.size > 0) return;
      waiting.delete(call);
      asked.done(asked.got);
    },
  };
}
