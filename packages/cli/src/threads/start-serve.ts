/** Starts the serve threads of a process, answers what they ask about it, and stops them in order. */
import { collectWhenQuiet, openChannel, startThread, type Env, type Thread } from '@quiver/env';
import { serveMeta, type Meta, type MetaMessage } from '@quiver/meta';
import type { FromDecoder, ToDecoder } from '@quiver/router';
import { mergeRequestStats } from '@quiver/telemetry';
import type {
  DecodeThreadData,
  FromServeThread,
  ProcessReport,
  ServeThreadData,
  ToServeThread,
} from './messages.ts';
import { letServingComeFirst } from './priorities.ts';
import { createSnapshots, type ServeThread } from './request-snapshots.ts';
import type { RunningShard } from './start-shard.ts';
import { storageSample } from './storage-sample.ts';

export interface ServeOptions {
  readonly count: number;
  readonly data: Pick<
    ServeThreadData,
    | 'listening'
    | 'access'
    | 'defaults'
    | 'clusterEnabled'
    | 'reshardingEnabled'
    | 'metricsPrefix'
    | 'log'
    | 'clusterSecret'
    | 'callMsMax'
  >;
  readonly meta: Meta;
  /** null: a router alone. */
  readonly shard: RunningShard | null;
  /** Resolves when replicas are open: serve threads load their modules meanwhile, and listen then. */
  readonly isLoaded: Promise<void>;
  readonly env: Env;
  readonly onThreadDeath: (name: string, error: Error | undefined) => void;
}

export interface ServeThreads {
  /** /readyz says so from now on. REQUIRES: a signal to stop is answered in order from now on, too. */
  setReady(): void;
  /** Readiness goes off and clients are sent away; requests that come all the same are served. */
  drain(): void;
  /** No new connection, running requests get `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** Resolves when all listen. */
export async function startServeThreads(options: ServeOptions): Promise<ServeThreads> {
  const { meta, shard, env } = options;
  const serving = new Set<ServeThread>();
  const snapshots = createSnapshots(serving);
  const stopped = new Map<ServeThread, () => void>();
  const startedAtMs = env.wallNow();

  const bodies = Array.from({ length: options.count }, () => openChannel<FromDecoder, ToDecoder>());
  let hasDecoder = false;

  function startDecoder(): void {
    if (hasDecoder) return;
    hasDecoder = true;
    const name = 'decode';
    const ports = bodies.map(([, far]) => far.raw);
    const data: DecodeThreadData = { ports };
    const started = startThread(new URL('./decode-thread.ts', import.meta.url), data, {
      name,
      transfer: ports,
    });
    started.onExit(({ error }) => options.onThreadDeath(name, error));
  }

  async function start(index: number): Promise<void> {
    const name = `serve-${index}`;
    const bodiesPort = bodies[index]![0].raw;
    const [metaNear, metaFar] = openChannel<MetaMessage, MetaMessage>();
    const ofShard = shard?.forServe(index);
    const data: ServeThreadData = {
      ...options.data,
      name,
      metaPort: metaFar.raw,
      bodiesPort,
      shard: ofShard?.data ?? null,
    };
    const thread: Thread<FromServeThread, ToServeThread> = startThread(
      new URL('./serve-thread.ts', import.meta.url),
      data,
      { name, transfer: [metaFar.raw, bodiesPort, ...(ofShard?.transfer ?? [])] },
    );
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
          case 'decoder_wanted':
            startDecoder();
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
        options.onThreadDeath(name, error);
      });
    });
    await options.isLoaded;
    ofShard?.attach();
    serveMeta(meta, metaNear, env);
    await listening;
  }

  async function answerReport(thread: ServeThread, call: number): Promise<void> {
    const memory = process.memoryUsage();
    const report: ProcessReport = {
      requests: mergeRequestStats(await snapshots.ask()),
      residentBytes: memory.rss,
      allocatedBytes: memory.heapUsed + (shard?.control.memory().usedBytes ?? 0),
      storage: shard === null ? null : storageSample(shard.control),
      startedAtMs,
      clusterId: meta.clusterId,
    };
    thread.post({ kind: 'report', call, report });
  }

  await Promise.all(Array.from({ length: options.count }, (_, index) => start(index)));
  await letServingComeFirst();
  return {
    setReady() {
      collectWhenQuiet(env);
      for (const thread of serving) thread.post({ kind: 'ready' });
    },
    drain() {
      for (const thread of serving) thread.post({ kind: 'drain' });
    },
    async stop(graceMs) {
      const ends = [...serving].map(
        (thread) =>
          new Promise<void>((resolve) => {
            stopped.set(thread, resolve);
            thread.post({ kind: 'stop', graceMs });
          }),
      );
      await Promise.all(ends);
    },
  };
}
