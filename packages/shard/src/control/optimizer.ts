/**
 * The life of one replica's segments: merges by the policy, columns for payload indexes, the manifest. One task at a
 * time for each replica. Always: a new set is published only when deaths that came meanwhile are in it; memory leaves
 * with the epoch; the manifest names a set only when its parts are durable.
 */
import type { Env } from '@quiver/env';
import type { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import type { OptimizationTask } from '@quiver/rpc';
import {
  allocateSealed,
  carryDeaths,
  filesOf,
  finishRepack,
  openSegment,
  regionsOf,
  storedSegment,
  type SegmentDescriptor,
  type SegmentReader,
} from '@quiver/segment';
import type { BlobStore, Change, Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import type { BuildQueue } from './build-queue.ts';
import {
  blobsOf,
  emptyManifest,
  encodeDeaths,
  saveParts,
  without,
  withoutColumns,
  type Manifest,
  type SavedSegment,
} from './manifest.ts';
import type { Progress } from './progress-line.ts';
import { encodeJson, keys } from './records.ts';
import type { Replica } from './replica.ts';
import type { RetiredRegions } from './retired-regions.ts';
import {
  buildColumns,
  buildSparseIndexes,
  hasSparseIndexes,
  hasWantedColumns,
  type SealedIndexBuild,
} from './sealed-indexes.ts';
import { planMerge } from './merge-plan.ts';
import { policyInput } from './policy-input.ts';
import { decideMerge, isMergeDue, type Decision, type PolicyInput } from './segment-policy.ts';
import { rewriteRows } from './rewrite-rows.ts';
import { assertRoom, dueEviction, hasSlack, noVectors, repack, type Eviction } from './segment-space.ts';
import { createTaskLog } from './task-log.ts';
import { indexingThreadsOf, inlineVectorsOf } from './wanted-graphs.ts';

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
  let { manifest } = options;
  let lastWriteMs = -Infinity;
  let work: Promise<void> | null = null;
  let isStopped = false;
  let forgotten = 0;
  /** Vectors whose graphs cannot be without their rows in memory. */
  const needingRows = new Set<string>();
  /** Segments for whose smaller core there was no room. */
  const uncrowded = new Set<number>();
  /** Saved parts that are not what was written. */
  const damaged = new Set<number>();
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
    if (damaged.size > 0) {
      run(saveManifest());
      return;
    }
    const eviction = dueEviction(pool, replica.segments, inlineVectorsOf(replica.record), uncrowded);
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
      await seal(inputs, task.progress);
      inputs.length = 0;
      task.progress('save', 0, 1);
      await saveManifest();
      task.finish(null);
    } catch (thrown) {
      task.finish(thrown instanceof Error ? thrown.message : String(thrown));
      throw thrown;
    }
  }

  async function seal(inputs: readonly SegmentReader[], progress: Progress): Promise<void> {
    const { record } = replica;
    const descriptors = inputs.map(({ descriptor }) => descriptor);
    const plan = planMerge(replica, inputs, { ...options, needingRows });
    if (plan.rows === 0) {
      swap(inputs, null);
      return;
    }
    assertRoom(pool, plan);
    let target = allocateSealed(pool, plan);
    const threadsMax = indexingThreadsOf(record);
    try {
      const result = await build.build(
        replica,
        { inputs: descriptors, target, seed: target.id, threadsMax },
        ({ stage, done, total }) => progress(stage, done, total),
      );
      if (result.needsRows !== null) {
        needingRows.add(result.needsRows);
        throw new Error(`codes of vector "${result.needsRows}" are too coarse: its rows stay in memory`);
      }
      for (const { file, digest } of result.files) await options.blobs.adoptFile(file, digest);
      target = await shrunk(target);
      const indexes = indexBuild(progress);
      target = { ...target, sparse: await buildSparseIndexes(target, indexes) };
      target = { ...target, columns: await buildColumns(target, record, indexes) };
      if (replica.isDropped || isStopped) throw new Error('the collection was dropped');
      const reader = openSegment(target, directory);
      carryDeaths(plan, inputs, result.offsetMaps, reader);
      swap(inputs, reader);
    } catch (thrown) {
      for (const region of regionsOf(target)) pool.release(region);
      for (const file of filesOf(target)) directory.dropFile(file);
      const files = target.rowFiles.map(({ file }) => file);
      if (files.length > 0) await options.blobs.delete(files).catch(() => undefined);
      throw thrown;
    }
  }

  function swap(inputs: readonly SegmentReader[], result: SegmentReader | null): void {
    const gone = new Set(inputs);
    const at = replica.segments.findIndex((reader) => gone.has(reader));
    const kept = replica.segments.filter((reader) => !gone.has(reader));
    if (result !== null) kept.splice(at, 0, result);
    replica.segments = kept;
    const epoch = options.publish(replica);
    const descriptors = inputs.map(({ descriptor }) => descriptor);
    retired.retire({ regions: descriptors.flatMap(regionsOf), files: descriptors.flatMap(filesOf) }, epoch);
  }

  /** What was just built, in a core of its size: nobody reads it yet. */
  async function shrunk(target: SegmentDescriptor): Promise<SegmentDescriptor> {
    const built = openSegment(target, directory);
    if (!hasSlack(built, options.threads)) return target;
    const small = await repack(built, noVectors, options);
    if (small === null) return target;
    finishRepack(built, small, directory);
    pool.release(target.core);
    return small;
  }

  async function evictRows({ reader, vectors }: Eviction): Promise<void> {
    const moved = await repack(reader, vectors, options);
    const index = replica.segments.indexOf(reader);
    if (moved === null || index < 0 || replica.isDropped) {
      if (moved === null) uncrowded.add(reader.descriptor.id);
      else pool.release(moved.core);
      return;
    }
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
      await saveManifest();
      task.finish(null);
    } catch (thrown) {
      task.finish(thrown instanceof Error ? thrown.message : String(thrown));
      throw thrown;
    }
  }

  function indexBuild(progress: Progress): SealedIndexBuild {
    return { owner: replica, build, pool, directory, progress };
  }

  /** Rows that only a damaged file has are written to another one, from the records. */
  async function mendRows(): Promise<void> {
    for (const reader of replica.segments) {
      const { descriptor } = reader;
      if (!filesOf(descriptor).some((file) => damaged.has(file))) continue;
      const rowFiles = await rewriteRows(reader, damaged, { ...options, number: replica.number });
      const index = replica.segments.indexOf(reader);
      if (index < 0 || replica.isDropped) return;
      replica.segments = replica.segments.with(index, openSegment({ ...descriptor, rowFiles }, directory));
      const left = filesOf(descriptor).filter((file) => damaged.has(file));
      retired.retire({ regions: [], files: left }, options.publish(replica));
    }
  }

  async function saveManifest(): Promise<void> {
    await mendRows();
    const sealed = replica.segments.filter(({ descriptor }) => descriptor.kind === 'sealed');
    const oldestPlain = replica.allSegments().find(({ descriptor }) => descriptor.kind === 'plain');
    const replaySeq = oldestPlain?.descriptor.baseGroup ?? replica.applied.load();
    const group = replica.applied.load();
    const forgottenBefore = forgotten;
    const gone = [...damaged];
    const before = new Map(
      manifest.segments.map((saved) => [saved.stored.id, { ...saved, parts: without(saved.parts, damaged) }]),
    );
    const segments: SavedSegment[] = [];
    for (const reader of sealed) {
      const known = before.get(reader.descriptor.id);
      const sameColumns =
        JSON.stringify(known?.stored.columns) === JSON.stringify(storedSegment(reader).columns);
      const reusable =
        known === undefined || sameColumns ? known : { ...known, parts: withoutColumns(known.parts) };
      const parts = await saveParts(reader, reusable, options.blobs, directory, options.takeBlobId);
      segments.push({ stored: storedSegment(reader), parts, deaths: encodeDeaths(reader, group) });
    }
    if (replica.isDropped) return;
    if (forgotten !== forgottenBefore) throw new Error('what was being saved is not true any more');
    const next: Manifest = {
      generation: manifest.generation + 1,
      replaySeq,
      asOf: group,
      nextSegmentId: replica.takeSegmentId(),
      segments,
    };
    const change: Change = { kind: 'put', key: keys.manifest(replica.number), value: encodeJson(next) };
    await options.store.commit([change], { essential: true });
    const needed = new Set(blobsOf(next));
    const unneeded = [...blobsOf(manifest), ...gone].filter((blob) => !needed.has(blob));
    manifest = next;
    for (const blob of gone) damaged.delete(blob);
    if (unneeded.length > 0) await options.blobs.delete(unneeded);
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
    manifest: () => manifest,
    saveAgain(blob) {
      if (!blobsOf(manifest).includes(blob)) return false;
      damaged.add(blob);
      schedule(0);
      return true;
    },
    forgetSaved() {
      forgotten += 1;
      manifest = { ...emptyManifest, generation: manifest.generation };
    },
  };
}
