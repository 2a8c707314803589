/**
 * What of a replica is saved as segments: one record names the whole set. Always: parts are durable in the blob store
 * before the manifest names them; every change up to `replaySeq` is in the named segments.
 */
import { ArenaBudgetError, strideOf, type ArenaDirectory, type ArenaPool } from '@quiver/kernel';
import { ClusterError, type CollectionRecord } from '@quiver/model';
import {
  allocateStored,
  finishLoad,
  regionsOf,
  rowsPart,
  savedDeaths,
  segmentParts,
  storedSegment,
  type SegmentDescriptor,
  type SegmentReader,
  type StoredSegment,
} from '@quiver/segment';
import { blobChunkBytes, StorageError, type BlobStore, type Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import type { Progress } from './progress-line.ts';
import { decodeJson, keys } from './records.ts';

export interface SavedSegment {
  readonly stored: StoredSegment;
  /** Part name -> blob. */
  readonly parts: Readonly<Record<string, number>>;
  /** Rows dead when the manifest was written, base64 of a bitset. */
  readonly deaths: string;
}

export interface Manifest {
  readonly generation: number;
  readonly replaySeq: number;
  /** The newest group that rows and deaths of the segments may be of. */
  readonly asOf: number;
  readonly nextSegmentId: number;
  readonly segments: readonly SavedSegment[];
}

export const emptyManifest: Manifest = {
  generation: 0,
  replaySeq: 0,
  asOf: 0,
  nextSegmentId: 1,
  segments: [],
};

/** Manifests read at a time. */
const manifestsMax = 256;

/** Of each replica, with what it is asked for by; those that have none have an empty one. @throws StorageError */
export async function* manifestsOf<Asked extends { readonly number: number }>(
  store: Store,
  asked: readonly Asked[],
): AsyncGenerator<readonly [Asked, Manifest], void, undefined> {
  const snapshot = store.snapshot();
  try {
    for (let from = 0; from < asked.length; from += manifestsMax) {
      const some = asked.slice(from, from + manifestsMax);
      const stored = await snapshot.getMany(some.map(({ number }) => keys.manifest(number)));
      for (const [i, one] of some.entries()) {
        const bytes = stored[i];
        yield [one, bytes === undefined ? emptyManifest : (decodeJson(bytes) as Manifest)];
      }
    }
  } finally {
    await snapshot.close();
  }
}

/** Blobs that a manifest needs. */
export function blobsOf(manifest: Manifest): number[] {
  return manifest.segments.flatMap(({ parts }) => Object.values(parts));
}

/** Writes the parts that are not saved yet; returns part name -> blob. */
export async function saveParts(
  reader: SegmentReader,
  before: SavedSegment | undefined,
  blobs: BlobStore,
  directory: ArenaDirectory,
  takeBlobId: () => number,
): Promise<Record<string, number>> {
  const saved: Record<string, number> = {};
  for (const { name, bytes, file } of segmentParts(reader.descriptor, storedSegment(reader), directory)) {
    const known = before?.parts[name];
    if (known !== undefined) {
      saved[name] = known;
      continue;
    }
    // The builder wrote it; only a damaged one is written again.
    if (file !== null && (bytes === null || before === undefined)) {
      saved[name] = file;
      continue;
    }
    const blob = takeBlobId();
    await blobs.put(blob, bytes!, { dutyFraction: 0.7, inFile: file !== null });
    saved[name] = blob;
  }
  return saved;
}

export function encodeDeaths(reader: SegmentReader, group: number): string {
  return Buffer.from(savedDeaths(reader, group)).toString('base64');
}

function isCorruption(error: unknown): boolean {
  return (error instanceof StorageError || error instanceof ClusterError) && error.code === 'corruption';
}

export interface LoadedSegments {
  readonly readers: SegmentReader[];
  /** Without segments that are damaged. */
  readonly manifest: Manifest;
}

export async function loadManifestSegments(
  manifest: Manifest,
  options: {
    readonly record: CollectionRecord;
    readonly blobs: BlobStore;
    readonly pool: ArenaPool;
    readonly directory: ArenaDirectory;
    readonly threads: number;
    /** Vectors of a segment whose rows are to stay in their files. */
    readonly coldOf: (stored: StoredSegment) => ReadonlySet<string>;
    readonly onProgress: Progress;
    readonly log: Log;
  },
): Promise<LoadedSegments> {
  const { blobs, directory, log } = options;
  const readers: SegmentReader[] = [];
  const whole: SavedSegment[] = [];
  const total = manifest.segments.reduce((sum, { parts }) => sum + Object.keys(parts).length, 0);
  let done = 0;
  for (const saved of manifest.segments) {
    const { stored, parts, deaths } = saved;
    let descriptor: SegmentDescriptor | null = null;
    try {
      descriptor = allocate(saved, options);
      for (const { name, bytes } of segmentParts(descriptor, stored, directory)) {
        if (bytes === null) await assertWhole(saved, name, blobs);
        else await blobs.read(parts[name]!, bytes);
        options.onProgress('segments', ++done, total);
      }
      readers.push(finishLoad(descriptor, stored, directory, Buffer.from(deaths, 'base64')));
      whole.push(saved);
    } catch (error) {
      if (descriptor !== null) for (const region of regionsOf(descriptor)) options.pool.release(region);
      if (!isCorruption(error)) {
        for (const reader of readers)
          for (const region of regionsOf(reader.descriptor)) options.pool.release(region);
        throw error;
      }
      log.error('a saved segment is damaged or of another version: it is built anew from the records', {
        collection: options.record.name,
        segment: stored.id,
        error,
      });
    }
  }
  return { readers, manifest: { ...manifest, segments: whole } };
}

/** Where there is no room for all rows, those that can stay in their files do. @throws ArenaBudgetError */
function allocate(
  { stored, parts }: SavedSegment,
  { pool, threads, coldOf }: Pick<Parameters<typeof loadManifestSegments>[1], 'pool' | 'threads' | 'coldOf'>,
): SegmentDescriptor {
  const place = (cold: ReadonlySet<string>): SegmentDescriptor =>
    allocateStored(pool, stored, threads, { fileOf: (vector) => parts[rowsPart(vector)]!, cold });
  try {
    return place(coldOf(stored));
  } catch (error) {
    if (!(error instanceof ArenaBudgetError) || (stored.rowFiles ?? []).length === 0) throw error;
    return place(new Set(stored.rowFiles!.map(({ vector }) => vector)));
  }
}

/** What stays in its file is not read through at the start; the background check does that. */
async function assertWhole({ stored, parts }: SavedSegment, name: string, blobs: BlobStore): Promise<void> {
  const vector = stored.schema.vectors.find((one) => rowsPart(one.name) === name);
  const want = vector?.kind === 'dense' ? stored.capacityRows * strideOf(vector.element, vector.dim) : -1;
  const found = await blobs.size(parts[name]!);
  const last = found === undefined ? undefined : await blobs.readChunk(parts[name]!, chunkCount(found) - 1);
  if (found !== want || last === undefined)
    throw new StorageError(
      'corruption',
      `rows of segment ${stored.id} take ${found ?? 0} bytes, not ${want}`,
    );
}

function chunkCount(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / blobChunkBytes));
}

/** Parts but for those in damaged files. */
export function without(
  parts: Readonly<Record<string, number>>,
  damaged: ReadonlySet<number>,
): Record<string, number> {
  return Object.fromEntries(Object.entries(parts).filter(([, blob]) => !damaged.has(blob)));
}

/** Parts but for payload columns. */
export function withoutColumns(parts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(parts).filter(([name]) => !name.startsWith('column/')));
}
