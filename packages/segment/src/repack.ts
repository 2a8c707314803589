/**
 * A sealed segment in a core of the size that it needs: graphs may have become smaller than the room they were built in, and
 * rows that lie in files may have to leave memory. Always: the new core has the bytes that a load from the disk would put
 * there; whoever reads the old one goes on doing so until it is retired.
 */
import { subregion, type ArenaDirectory, type ArenaPool } from '@quiver/kernel';
import { assert } from '@quiver/model';
import { coldVectors, type RowFileDescriptor, type SegmentDescriptor } from './descriptor.ts';
import { openSegment } from './segment-reader.ts';
import type { SegmentReader } from './segment.ts';
import type { Steps } from './steps.ts';
import {
  isInCore,
  placeStoredGraphs,
  segmentParts,
  storedSegment,
  type StoredSegment,
} from './stored-segment.ts';

const bytesPerStep = 1 << 20;

/** Vectors whose rows are in memory and need not be, with the bytes they take there. */
export function residentRows(reader: SegmentReader): { readonly vector: string; readonly bytes: number }[] {
  const { descriptor, views } = reader;
  const movable = storedSegment(reader).rowFiles ?? [];
  return descriptor.rowFiles
    .filter(
      ({ vector, isResident }) => isResident && movable.some((one) => one.vector === vector && one.canBeCold),
    )
    .map(({ vector }) => {
      const index = descriptor.schema.vectors.findIndex(({ name }) => name === vector);
      return { vector, bytes: descriptor.capacityRows * views.layout.vectors[index]!.stride };
    });
}

/** What a core would take in which rows of these vectors are not, beside those that are not there now. */
export function repackedCoreBytes(reader: SegmentReader, threads: number, cold: ReadonlySet<string>): number {
  const rowFiles = withCold(reader.descriptor, cold);
  return placeStoredGraphs(storedSegment(reader), threads, coldVectors({ rowFiles })).bytes;
}

/** @throws ArenaBudgetError, nothing stays allocated */
export function allocateRepacked(
  pool: ArenaPool,
  reader: SegmentReader,
  threads: number,
  cold: ReadonlySet<string>,
): SegmentDescriptor {
  const { descriptor } = reader;
  const rowFiles = withCold(descriptor, cold);
  const { graphs, bytes } = placeStoredGraphs(storedSegment(reader), threads, coldVectors({ rowFiles }));
  return { ...descriptor, core: pool.allocate(bytes, { dirty: true }), graphs, rowFiles };
}

function withCold(descriptor: SegmentDescriptor, cold: ReadonlySet<string>): RowFileDescriptor[] {
  return descriptor.rowFiles.map((one) => ({ ...one, isResident: one.isResident && !cold.has(one.vector) }));
}

/** Everything that does not change; about a MiB between two yields. */
export function* copyCore(
  reader: SegmentReader,
  target: SegmentDescriptor,
  directory: ArenaDirectory,
): Steps<void> {
  const stored: StoredSegment = storedSegment(reader);
  const sources = segmentParts(reader.descriptor, stored, directory);
  for (const { name, bytes } of segmentParts(target, stored, directory)) {
    if (!isInCore(name) || bytes === null) continue;
    const source = sources.find((part) => part.name === name)?.bytes;
    assert(source !== undefined && source !== null, `part ${name} is not in memory`);
    yield* copyBytes(joined(source), joined(bytes));
  }
  for (const { offset, bytes, persistedBytes } of target.graphs)
    directory.bytes(subregion(target.core, offset, bytes)).fill(0, persistedBytes);
}

/** REQUIRES: no death is set between this call and the swap of the segments. */
export function finishRepack(
  reader: SegmentReader,
  target: SegmentDescriptor,
  directory: ArenaDirectory,
): SegmentReader {
  const repacked = openSegment(target, directory);
  repacked.views.death.set(reader.views.death);
  repacked.views.header.set(reader.views.header);
  return repacked;
}

function joined(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  return parts.filter(({ length }) => length > 0);
}

/** Pieces may be cut at other places on the two sides. */
function* copyBytes(from: readonly Uint8Array[], to: readonly Uint8Array[]): Steps<void> {
  let [source, target, sourceAt, targetAt] = [0, 0, 0, 0];
  while (source < from.length && target < to.length) {
    const [piece, place] = [from[source]!, to[target]!];
    const count = Math.min(piece.length - sourceAt, place.length - targetAt, bytesPerStep);
    place.set(piece.subarray(sourceAt, sourceAt + count), targetAt);
    sourceAt += count;
    targetAt += count;
    if (sourceAt === piece.length) [source, sourceAt] = [source + 1, 0];
    if (targetAt === place.length) [target, targetAt] = [target + 1, 0];
    yield;
  }
  assert(source === from.length && target === to.length, 'a part has another size in the new core');
}
