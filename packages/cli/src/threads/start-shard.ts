/**
 * The shard side of a process: the control side on this thread, and its build threads, started when there is something to build.
 * Thread indexes (scratch slots, pins): 0 this thread, then serve threads, then build threads.
 */
import {
  openChannel,
  openDiscardPages,
  openTrim,
  startThread,
  type Env,
  type MessagePort,
} from '@quiver/env';
import type { NodeId } from '@quiver/model';
import {
  createShardControl,
  createSharedState,
  type ReplicaLinks,
  type ShardControl,
  type ShardMeta,
} from '@quiver/shard';
import type { FromBuild, ToBuild, ToControl, ToServe } from '@quiver/shard';
import type { BlobStore, Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import { residentBytes } from '../roles/sizing.ts';
import type { BuildThreadData, ReplicationMessage, ServeShardData } from './messages.ts';

export interface ShardOptions {
  readonly nodeId: NodeId;
  readonly serveThreads: number;
  readonly buildThreads: number;
  readonly budgetBytes: number;
  readonly processBytesMax: number;
  readonly copyBytesPerSecond: number;
  readonly fetchesSegments: boolean;
  readonly scrubBytesPerSecond: number;
  readonly unindexedBytesMax: number;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly recallTimeShare: number;
  /** Where threads open its files. */
  readonly filesDir: string;
  readonly links: ReplicaLinks;
  readonly meta: ShardMeta;
  readonly env: Env;
  readonly log: Log;
  readonly onThreadDeath: (name: string, error: Error | undefined) => void;
}

export interface RunningShard {
  readonly control: ShardControl;
  /** What a serve thread is started with, and how it is tied in once replicas are open. */
  forServe(index: number): { data: ServeShardData; transfer: MessagePort[]; attach: () => void };
}

export async function startShard(options: ShardOptions): Promise<RunningShard> {
  const { env, log, serveThreads, buildThreads } = options;
  const threads = 1 + serveThreads + buildThreads;
  const shared = createSharedState(threads);
  const control = await createShardControl({
    nodeId: options.nodeId,
    store: options.store,
    blobs: options.blobs,
    shared,
    threads,
    budgetBytes: options.budgetBytes,
    processBytesMax: options.processBytesMax,
    residentBytes,
    discardPages: await openDiscardPages(),
    trimHeaps: await openTrim(),
    copyBytesPerSecond: options.copyBytesPerSecond,
    fetchesSegments: options.fetchesSegments,
    scrubBytesPerSecond: options.scrubBytesPerSecond,
    unindexedBytesMax: options.unindexedBytesMax,
    links: options.links,
    meta: options.meta,
    env,
    log,
    startBuildThreads,
  });

  /** With the first work for them: a start, and a node of small collections, do without. */
  function startBuildThreads(): void {
    for (let i = 0; i < buildThreads; i += 1) {
      const name = `build-${i}`;
      const [near, far] = openChannel<FromBuild, ToBuild>();
      const thread = 1 + serveThreads + i;
      const { filesDir } = options;
      const data: BuildThreadData = { name, thread, filesDir, port: far.raw };
      const started = startThread(new URL('./build-thread.ts', import.meta.url), data, {
        name,
        transfer: [far.raw],
      });
      started.onExit(({ error }) => options.onThreadDeath(name, error));
      control.attachBuild(near);
    }
  }

  return {
    control,
    forServe(index) {
      const [near, far] = openChannel<ToControl, ToServe>();
      const [fromPeers, toControl] = openChannel<ReplicationMessage, never>();
      fromPeers.onMessage(({ from, bytes }) => control.receive(from, bytes));
      return {
        data: {
          nodeId: options.nodeId,
          thread: 1 + index,
          filesDir: options.filesDir,
          sharedState: shared.buffer,
          port: far.raw,
          recallTimeShare: options.recallTimeShare,
          replicationPort: toControl.raw,
        },
        transfer: [far.raw, toControl.raw],
        attach: () => control.attachServe(near),
      };
    },
  };
}
