/**
 * One merge: what some segments of a replica have becomes one sealed segment, with its indexes, in their place. Always: it is published
 * only when deaths that came meanwhile are in it; after a failure nothing of it is left, and the inputs stay.
 */
import type { Env } from '@quiver/env';
import type { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import {
  allocateSealed,
  carryDeaths,
  filesOf,
  finishRepack,
  openSegment,
  regionsOf,
  type SegmentDescriptor,
  type SegmentReader,
} from '@quiver/segment';
import type { BlobStore } from '@quiver/storage';
import type { BuildQueue } from './build-queue.ts';
import { planMerge } from './merge-plan.ts';
import type { Progress } from './progress-line.ts';
import type { Replica } from './replica.ts';
import type { RetiredRegions } from './retired-regions.ts';
import { buildColumns, buildSparseIndexes } from './sealed-indexes.ts';
import { assertRoom, hasSlack, noVectors, repack } from './segment-space.ts';
import { indexingThreadsOf } from './wanted-graphs.ts';

export interface SegmentMerge {
  readonly replica: Replica;
  readonly pool: ArenaPool;
  readonly directory: ArenaDirectory;
  /** That read segments. */
  readonly threads: number;
  readonly build: BuildQueue;
  readonly blobs: BlobStore;
  readonly retired: RetiredRegions;
  readonly publish: (replica: Replica) => number;
  readonly takeBlobId: () => number;
  /** Vectors whose graphs cannot be without their rows in memory; one that turns out to be such is added. */
  readonly needingRows: Set<string>;
  readonly isStopped: () => boolean;
  readonly env: Env;
}

/** @param inputs - closed segments of the replica. @throws ArenaBudgetError, StorageError, Error: it may be tried again */
export async function mergeSegments(
  inputs: readonly SegmentReader[],
  merge: SegmentMerge,
  progress: Progress,
): Promise<void> {
  const { replica, pool, directory, build, blobs, needingRows } = merge;
  const { record } = replica;
  const descriptors = inputs.map(({ descriptor }) => descriptor);
  const plan = planMerge(replica, inputs, merge);
  if (plan.rows === 0) {
    swap(inputs, null, merge);
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
    for (const { file, digest } of result.files) await blobs.adoptFile(file, digest);
    target = await shrunk(target, merge);
    const indexes = { owner: replica, build, pool, directory, progress };
    target = { ...target, sparse: await buildSparseIndexes(target, indexes) };
    target = { ...target, columns: await buildColumns(target, record, indexes) };
    if (replica.isDropped || merge.isStopped()) throw new Error('the collection was dropped');
    const reader = openSegment(target, directory);
    carryDeaths(plan, inputs, result.offsetMaps, reader);
    swap(inputs, reader, merge);
  } catch (thrown) {
    for (const region of regionsOf(target)) pool.release(region);
    for (const file of filesOf(target)) directory.dropFile(file);
    const files = target.rowFiles.map(({ file }) => file);
    if (files.length > 0) await blobs.delete(files).catch(() => undefined);
    throw thrown;
  }
}

function swap(
  inputs: readonly SegmentReader[],
  result: SegmentReader | null,
  { replica, retired, publish }: SegmentMerge,
): void {
  const gone = new Set(inputs);
  const at = replica.segments.findIndex((reader) => gone.has(reader));
  const kept = replica.segments.filter((reader) => !gone.has(reader));
  if (result !== null) kept.splice(at, 0, result);
  replica.segments = kept;
  const epoch = publish(replica);
  const descriptors = inputs.map(({ descriptor }) => descriptor);
  retired.retire({ regions: descriptors.flatMap(regionsOf), files: descriptors.flatMap(filesOf) }, epoch);
}

/** What was just built, in a core of its size: nobody reads it yet. */
async function shrunk(target: SegmentDescriptor, merge: SegmentMerge): Promise<SegmentDescriptor> {
  const { pool, directory, threads } = merge;
  const built = openSegment(target, directory);
  if (!hasSlack(built, threads)) return target;
  const small = await repack(built, noVectors, merge);
  if (small === null) return target;
  finishRepack(built, small, directory);
  pool.release(target.core);
  return small;
}
