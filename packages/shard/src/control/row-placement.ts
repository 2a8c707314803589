/**
 * Which rows stay in their files when everything that is stored does not fit the memory budget. Pure. Always: what a
 * collection asks to have on disk is there; of the rest the largest leave memory first, and only those that walks do
 * without.
 */
import { strideOf } from '@quiver/kernel';
import { coreLayout, type StoredSegment } from '@quiver/segment';

export interface PlacedSegment {
  /** Of the replica. */
  readonly replica: number;
  readonly stored: StoredSegment;
  /** What the collection asks for. */
  readonly cold: ReadonlySet<string>;
}

/** Names of vectors, by `placeKey`. */
export type RowPlacements = ReadonlyMap<string, ReadonlySet<string>>;

export function placeKey(replica: number, segmentId: number): string {
  return `${replica}/${segmentId}`;
}

export function placeRows(segments: readonly PlacedSegment[], budgetBytes: number): RowPlacements {
  const placements = new Map<string, Set<string>>();
  const movable: { readonly names: Set<string>; readonly vector: string; readonly bytes: number }[] = [];
  let total = 0;
  for (const { replica, stored, cold } of segments) {
    const names = new Set<string>();
    placements.set(placeKey(replica, stored.id), names);
    total += bytesInMemory(stored);
    for (const { vector, canBeCold } of stored.rowFiles ?? []) {
      if (!canBeCold) continue;
      const bytes = rowBytes(stored, vector);
      if (cold.has(vector)) {
        names.add(vector);
        total -= bytes;
      } else movable.push({ names, vector, bytes });
    }
  }
  for (const { names, vector, bytes } of movable.sort((a, b) => b.bytes - a.bytes)) {
    if (total <= budgetBytes) break;
    names.add(vector);
    total -= bytes;
  }
  return placements;
}

/** With all rows. */
function bytesInMemory({
  schema,
  capacityRows,
  blobUsedBytes,
  codeBytes,
  graphs,
  columns,
  sparse,
}: StoredSegment): number {
  let bytes = coreLayout(schema, capacityRows).bytes + blobUsedBytes + codeBytes;
  for (const { persistedBytes } of graphs) bytes += persistedBytes;
  for (const part of [...(columns ?? []), ...(sparse ?? [])]) bytes += part.bytes;
  return bytes;
}

function rowBytes({ schema, capacityRows }: StoredSegment, name: string): number {
  const vector = schema.vectors.find((one) => one.name === name);
  return vector?.kind === 'dense' ? capacityRows * strideOf(vector.element, vector.dim) : 0;
}
