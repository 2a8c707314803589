/**
 * What sealed segments of a replica take, and how it is made less: rows that lie in files leave memory, and a core that is
 * larger than what was built in it is moved to one of its size. Always: nothing is read from the disk or built for it.
 */
import type { Env } from '@quiver/env';
import { ArenaBudgetError, type ArenaDirectory, type ArenaPool } from '@quiver/kernel';
import {
  allocateRepacked,
  copyCore,
  repackedCoreBytes,
  residentRows,
  type SealPlan,
  type SegmentDescriptor,
  type SegmentReader,
} from '@quiver/segment';
import type { RefusedMoves } from './refused-moves.ts';

export interface SegmentSpace {
  readonly pool: ArenaPool;
  readonly directory: ArenaDirectory;
  readonly threads: number;
  readonly env: Env;
}

/** Of the budget: while less is free, rows that need not be in memory leave it, and codes become small. */
const scarceShare = 1 / 4;
/** Of the budget: segments may take so much before new ones get small codes. */
const fullCodesShare = 1 / 4;
/** A core is moved when it becomes smaller by this share of itself. */
const shrinkShareMin = 1 / 8;
const stepsPerTurn = 4;
export const noVectors: ReadonlySet<string> = new Set();

export function freeBytes(pool: ArenaPool): number {
  const { budgetBytes, usedBytes, retiredBytes, leavingBytes } = pool.stats();
  return budgetBytes - usedBytes - retiredBytes - leavingBytes;
}

export function isScarce(pool: ArenaPool): boolean {
  return freeBytes(pool) < pool.stats().budgetBytes * scarceShare;
}

/** So small merges never wait for room: they give back more than they take, and with none of them nothing would be given back. */
const smallMergeBytes = 16 << 20;

/**
 * Before a merge: the result lies beside its inputs until it takes their place.
 * @throws ArenaBudgetError nothing is allocated: it is tried again when more is free
 */
export function assertRoom(
  pool: ArenaPool,
  { coreBytes, blobBytes }: Pick<SealPlan, 'coreBytes' | 'blobBytes'>,
): void {
  const [wanted, free] = [coreBytes + blobBytes, freeBytes(pool)];
  if (wanted > Math.max(free, smallMergeBytes))
    throw new ArenaBudgetError(
      `the merged segment takes ${wanted} bytes beside what it is made of, ${Math.max(0, free)} are free now: it waits`,
    );
}

/** What is free once closed and open heads were sealed: these are gone then. */
export function freeBeside(pool: ArenaPool, plain: readonly SegmentDescriptor[]): number {
  return freeBytes(pool) + plain.reduce((sum, { core, blob }) => sum + core.bytes + (blob?.bytes ?? 0), 0);
}

/** What a new segment may take with codes of a byte an element, in the place of its inputs. */
export function fullCodesBytesMax(
  pool: ArenaPool,
  segments: readonly SegmentReader[],
  inputs: readonly SegmentDescriptor[],
): number {
  const { budgetBytes } = pool.stats();
  const movable = segments.flatMap(residentRows).reduce((sum, { bytes }) => sum + bytes, 0);
  return budgetBytes * fullCodesShare - (budgetBytes - freeBeside(pool, inputs) - movable);
}

export interface Eviction {
  readonly reader: SegmentReader;
  /** Whose rows leave memory. */
  readonly vectors: ReadonlySet<string>;
}

/**
 * Rows of the segment that should leave memory: where memory is scarce all that need not be there, of the largest; else
 * those that were there only while their graph was built.
 * @param inline - vectors with such graphs
 */
export function dueEviction(
  pool: ArenaPool,
  segments: readonly SegmentReader[],
  inline: ReadonlySet<string>,
  refused: RefusedMoves,
): Eviction | null {
  const isShort = isScarce(pool);
  const free = freeBytes(pool);
  if (!isShort && inline.size === 0) return null;
  let found: Eviction | null = null;
  let most = 0;
  for (const reader of segments) {
    if (reader.descriptor.kind !== 'sealed' || refused.isLeft(reader.descriptor.id, free)) continue;
    const rows = residentRows(reader).filter(({ vector }) => isShort || inline.has(vector));
    const bytes = rows.reduce((sum, one) => sum + one.bytes, 0);
    if (bytes <= most) continue;
    most = bytes;
    found = { reader, vectors: new Set(rows.map(({ vector }) => vector)) };
  }
  return found;
}

/** Whether a core that was just filled has much room left over. */
export function hasSlack(reader: SegmentReader, threads: number): boolean {
  const { bytes } = reader.descriptor.core;
  return bytes - repackedCoreBytes(reader, threads, noVectors) > bytes * shrinkShareMin;
}

/**
 * The segment in a core of its own size; the caller ends it by `finishRepack`. The old one stays as it is.
 * @param cold - vectors whose rows are not in the new one
 * @returns null: there is no room for both
 */
export async function repack(
  reader: SegmentReader,
  cold: ReadonlySet<string>,
  { pool, directory, threads, env }: SegmentSpace,
): Promise<SegmentDescriptor | null> {
  let target: SegmentDescriptor;
  try {
    target = allocateRepacked(pool, reader, threads, cold);
  } catch (error) {
    if (error instanceof ArenaBudgetError) return null;
    throw error;
  }
  const steps = copyCore(reader, target, directory);
  for (let count = 1; steps.next().done !== true; count += 1)
    if (count % stepsPerTurn === 0) await new Promise<void>((resolve) => env.after(0, resolve));
  return target;
}
