/**
 * What lies beside the rows of a sealed segment in regions of their own: columns of payload indexes and the inverted
 * indexes of sparse vectors. Always: after a failure nothing stays allocated.
 */
import type { ArenaDirectory, ArenaPool, Region } from '@quiver/kernel';
import type { CollectionRecord } from '@quiver/model';
import {
  canonicalKey,
  type ColumnDescriptor,
  type SegmentDescriptor,
  type SegmentReader,
  type SparseDescriptor,
} from '@quiver/segment';
import type { BuildQueue } from './build-queue.ts';
import type { Progress } from './progress-line.ts';

export interface SealedIndexBuild {
  /** Whose task it is. */
  readonly owner: object;
  readonly build: BuildQueue;
  readonly pool: ArenaPool;
  readonly directory: ArenaDirectory;
  readonly progress: Progress;
}

/** Columns of the payload indexes that the collection asks for. */
export function buildColumns(
  segment: SegmentDescriptor,
  record: CollectionRecord,
  { owner, build, pool, directory, progress }: SealedIndexBuild,
): Promise<ColumnDescriptor[]> {
  return each(pool, Object.entries(record.payloadSchema), async ([key, schema]) => {
    const bytes = await build.column(owner, segment, key, schema, ({ done, total }) =>
      progress(`payload index ${key}`, done, total),
    );
    return { key, schema, ...place(pool, directory, bytes) };
  });
}

/** One index for each sparse vector of the segment. */
export function buildSparseIndexes(
  segment: SegmentDescriptor,
  { owner, build, pool, directory, progress }: SealedIndexBuild,
): Promise<SparseDescriptor[]> {
  return each(pool, sparseNames(segment), async (vector) => {
    progress(`sparse index ${vector}`, 0, segment.capacityRows);
    const bytes = await build.sparse(owner, segment, vector);
    return { vector, ...place(pool, directory, bytes) };
  });
}

function place(
  pool: ArenaPool,
  directory: ArenaDirectory,
  bytes: Uint8Array,
): { region: Region; bytes: number } {
  const region = pool.allocate(Math.max(64, bytes.length), { dirty: true });
  directory.bytes(region).set(bytes);
  return { region, bytes: bytes.length };
}

async function each<T, D extends { readonly region: Region }>(
  pool: ArenaPool,
  wanted: readonly T[],
  make: (one: T) => Promise<D>,
): Promise<D[]> {
  const made: D[] = [];
  try {
    for (const one of wanted) made.push(await make(one));
  } catch (thrown) {
    for (const { region } of made) pool.release(region);
    throw thrown;
  }
  return made;
}

export function sparseNames({ schema }: SegmentDescriptor): string[] {
  return schema.vectors.filter(({ kind }) => kind === 'sparse').map(({ name }) => name);
}

/** Whether a sealed segment has just the columns that the collection asks for. */
export function hasWantedColumns(reader: SegmentReader, record: CollectionRecord): boolean {
  const columns = new Map(
    (reader.descriptor.columns ?? []).map(({ key, schema }) => [canonicalKey(key), JSON.stringify(schema)]),
  );
  const wanted = Object.entries(record.payloadSchema);
  return (
    wanted.length === columns.size &&
    wanted.every(([key, schema]) => columns.get(canonicalKey(key)) === JSON.stringify(schema))
  );
}

/** False for a segment that was sealed before there were such indexes. */
export function hasSparseIndexes({ descriptor }: SegmentReader): boolean {
  return descriptor.sparse !== null || sparseNames(descriptor).length === 0;
}
