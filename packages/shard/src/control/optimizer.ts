/**
 * What is done next for one replica's segments: merges by the policy (segment-merge.ts), indexes that are lacking, rows that leave
 * scarce memory, and what is saved of it all (saved-segments.ts). Always: one task at a time for each replica; what failed is tried
 * again; memory leaves with the epoch.
 */
import type { Env } from '@quiver/env';
import type { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import type { OptimizationTask } from '@quiver/rpc';
import { finishRepack, openSegment, type SegmentReader } from '@quiver/segment';
import type { BlobStore, Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import type { BuildQueue } from './build-queue.ts';
import type { Manifest } from './manifest.ts';
import type { Progress } from './progress-line.ts';
import { RefusedMoves } from './refused-moves.ts';
import type { Replica } from './replica.ts';
import type { RetiredRegions } from './retired-regions.ts';
import {
  buildColumns,
  buildSparseIndexes,
  hasSparseIndexes,
  hasWantedColumns,
  type SealedIndexBuild,
} from './sealed-indexes.ts';
import { policyInput } from './policy-input.ts';
import { SavedSegments } from './saved-segments.ts';
import { decideMerge, isMergeDue, type Decision, type PolicyInput } from './segment-policy.ts';
import { mergeSegments } from './segment-merge.ts';
import { dueEviction, freeBytes, repack, type Eviction } from './segment-space.ts';
import { createTaskLog } from './task-log.ts';
import { inlineVectorsOf } from './wanted-graphs.ts';

export interface OptimizerOptions {
  readonly replica: Replica;
  readonly manifest: Manifest;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly pool: ArenaPool;
  readonly directory: ArenaDirectory;
  readonly threads: number;
  readonly build: BuildQueue;
  readonly retired: RetiredRegions;
  readonly publish: (replica: Replica) => number;
  readonly takeBlobId: () => number;
  readonly env: Env;
  readonly log: Log;
}

export interface Optimizer {
  /** Looks whether something should be done, soon: after writes, after a change of the collection. */
  poke(): void;
  /** Writes came: the idle time starts anew. */
  noteWrite(): void;
  stop(): Promise<void>;
  readonly error: string | null;
  readonly isBusy: boolean;
  isDue(): boolean;
  tasks(): { running: OptimizationTask[]; completed: OptimizationTask[] };
  manifest(): Manifest;
  /** A saved part is damaged: it is written anew from memory. @returns false: it is no part of what is saved */
  saveAgain(blob: number): boolean;
  /** What is saved is not true any more: nothing of it is kept, all is saved again. */
  forgetSaved(): void;
}

const lookEveryMs = 200;
const retryAfterMs = 5_000;

export function createOptimizer(options: OptimizerOptions): Optimizer {
  const { replica, pool, directory, build, retired, env, log } = options;
  const saved = new SavedSegments(options, options.manifest);
  let lastWriteMs = -Infinity;
  let work: Promise<void> | null = null;
  let isStopped = false;
  /** Vectors whose graphs cannot be without their rows in memory. */
  const needingRows = new Set<string>();
  const refused = new RefusedMoves();
  let error: string | null = null;
  let cancelTimer: (() => void) | null = null;
  const taskLog = createTaskLog({ env, log, collection: () => replica.record.name });

  const policy = (): PolicyInput =>
    policyInput(replica, {
      pool,
      threads: options.threads,
      needingRows,
      idleMs: env.now() - lastWriteMs,
    });

  /** A sealed segment that lacks an index, or whose columns are not those the collection asks for. */
  function indexesDue(): SegmentReader | null {
    return (
      replica.segments.find(
        (reader) =>
          reader.descriptor.kind === 'sealed' &&
          !(hasSparseIndexes(reader) && hasWantedColumns(reader, replica.record)),
      ) ?? null
    );
  }

  function look(): void {
    cancelTimer = null;
    if (isStopped || work !== null || replica.isDropped) return;
    if (saved.isDamaged) {
      run(saved.save());
      return;
    }
    const eviction = dueEviction(pool, replica.segments, inlineVectorsOf(replica.record), refused);
    if (eviction !== null) {
      run(evictRows(eviction));
      return;
    }
    const decision = decideMerge(policy());
    const lacking = decision === null ? indexesDue() : null;
    if (decision === null && lacking === null) {
      if (isMergeDue(policy())) schedule(lookEveryMs);
      return;
    }
    run(decision !== null ? merge(decision) : rebuildIndexes(lacking!));
  }

  function run(task: Promise<void>): void {
    work = task
      .then(() => {
        error = null;
        work = null;
        schedule(0);
      })
      .catch((thrown: unknown) => {
        work = null;
        if (isStopped || replica.isDropped) return;
        error = thrown instanceof Error ? thrown.message : String(thrown);
        log.warn('optimizing a collection failed; it is tried again', {
          collection: replica.record.name,
          error: thrown,
        });
        schedule(retryAfterMs);
      });
  }

  function schedule(delayMs: number): void {
    if (cancelTimer !== null || isStopped) return;
    cancelTimer = env.after(delayMs, look);
  }

  async function merge(decision: Decision): Promise<void> {
    if (decision.closeHead) {
      // Changes under way would go to a head of their own; what is applied is whole.
      replica.closeHead();
      replica.resetHeadSize();
    }
    const inputs = replica.segments.filter(({ descriptor }) => decision.inputs.includes(descriptor.id));
    const task = taskLog.start(decision.reason === 'index' ? 'indexing' : decision.reason, inputs);
    try {
      // Apart, so that nothing holds the inputs while the result is saved: their memory goes back meanwhile.
      const surroundings = { ...options, needingRows, isStopped: () => isStopped };
      await mergeSegments(inputs, surroundings, task.progress);
      inputs.length = 0;
      task.progress('save', 0, 1);
      await saved.save();
      task.finish(null);
    } catch (thrown) {
      task.finish(thrown instanceof Error ? thrown.message : String(thrown));
      throw thrown;
    }
  }

  async function evictRows({ reader, vectors }: Eviction): Promise<void> {
    const moved = await repack(reader, vectors, options);
    const index = replica.segments.indexOf(reader);
    if (moved === null || index < 0 || replica.isDropped) {
      if (moved === null) refused.note(reader.descriptor.id, freeBytes(pool));
      else pool.release(moved.core);
      return;
    }
    refused.forget(reader.descriptor.id);
    replica.segments = replica.segments.with(index, finishRepack(reader, moved, directory));
    retired.retire({ regions: [reader.descriptor.core] }, options.publish(replica));
    log.info('vectors of a segment left memory and stay on the disk', {
      collection: replica.record.name,
      segment: reader.descriptor.id,
      bytes: reader.descriptor.core.bytes - moved.core.bytes,
    });
  }

  /** Of one kind; what else a segment lacks is found at the next look. */
  async function rebuildIndexes(reader: SegmentReader): Promise<void> {
    const { descriptor } = reader;
    const isSparse = !hasSparseIndexes(reader);
    const task = taskLog.start(isSparse ? 'sparse_index' : 'payload_index', [reader]);
    try {
      const build = indexBuild(task.progress);
      const made = isSparse
        ? { sparse: await buildSparseIndexes(descriptor, build) }
        : { columns: await buildColumns(descriptor, replica.record, build) };
      const index = replica.segments.indexOf(reader);
      if (index < 0 || replica.isDropped) {
        for (const { region } of made.sparse ?? made.columns) pool.release(region);
        return;
      }
      replica.segments = replica.segments.with(index, openSegment({ ...descriptor, ...made }, directory));
      const epoch = options.publish(replica);
      const before = isSparse ? [] : (descriptor.columns ?? []);
      retired.retire({ regions: before.map(({ region }) => region) }, epoch);
      await saved.save();
      task.finish(null);
    } catch (thrown) {
      task.finish(thrown instanceof Error ? thrown.message : String(thrown));
      throw thrown;
    }
  }

  function indexBuild(progress: Progress): SealedIndexBuild {
    return { owner: replica, build, pool, directory, progress };
  }

  return {
    poke: () => schedule(0),
    noteWrite() {
      lastWriteMs = env.now();
      schedule(lookEveryMs);
    },
    async stop() {
      isStopped = true;
      cancelTimer?.();
      build.cancel(replica);
      await work;
    },
    get error() {
      return error;
    },
    get isBusy() {
      return work !== null;
    },
    isDue: () => isMergeDue(policy()) || indexesDue() !== null,
    tasks: () => taskLog.list(),
    manifest: () => saved.manifest,
    saveAgain(blob) {
      if (!saved.noteDamage(blob)) return false;
      schedule(0);
      return true;
    },
    forgetSaved: () => saved.forget(),
  };
}
