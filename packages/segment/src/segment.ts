/**
 * The read contract of a segment, for any thread. `group` is always an absolute commit-group number: the `applied`
 * value that a query loaded once.
 * REQUIRES for queries: `applied` is loaded while the set of segments is the current one: pin epoch E, have set E, load
 * `applied`, and start over when the epoch is no longer E. (With an older set a point can be missed, its new row being
 * in a head that the set lacks, or be seen twice, its death having been set in a merged segment only: both reproduced
 * by visibility-stress.ts.) REQUIRES of the writer: a set with a new head is published before a group that uses it, and
 * after a merge the new set before the next group.
 * Always: a reader holds views of shared memory and must not be used after its regions were released (pins).
 */
import type { PointId, Vector, VectorsByName } from '@quiver/model';
import type { SegmentDescriptor } from './descriptor.ts';
import type { SegmentViews } from './segment-views.ts';

export interface SegmentReader {
  readonly descriptor: SegmentDescriptor;
  /** The raw columns, for searches and builders of this package. */
  readonly views: SegmentViews;

  /** Published rows, now; rises while the segment is the head. */
  rowCount(): number;
  /** Rows with a death of any group, now. */
  deadCount(): number;
  /** Bytes of the blob region that are used, now. */
  blobUsedBytes(): number;

  isVisible(row: number, group: number): boolean;
  /** The row of a point as of `group`, or -1. */
  find(id: PointId, group: number): number;
  /** The newest row of a point that has no death yet, or -1. For the writer, whose appends may not be published yet. */
  findAlive(id: PointId): number;

  id(row: number): PointId;
  /** Sequence number of the point's last change. */
  version(row: number): number;
  /** Absolute group at which the row was published; for sealed segments the group of the merge (an upper bound). */
  bornGroup(row: number): number;
  /** UTF-8 JSON object as stored; empty = no payload. A view of shared memory. */
  payload(row: number): Uint8Array;
  payloadBytes(row: number): number;
  hasVector(row: number, name: string): boolean;
  /** As stored (cosine: normalised); f32 values may be views of shared memory. Null when absent or unknown. */
  vector(row: number, name: string): Vector | null;
  /** The named vectors that the row has; null = all. */
  vectors(row: number, names: readonly string[] | null): VectorsByName;

  /** Rows visible at `group`, in row order. */
  visibleRows(group: number): Generator<number, void, undefined>;
  /** All rows below `rowCount` in id order (rows of one id: oldest first), visible or not. Cached. */
  idOrder(): Uint32Array;
  /** First position in `order`, as `idOrder` gave it, whose id is `id` or above: rows may have come since. */
  lowerBound(order: Uint32Array, id: PointId): number;
}
