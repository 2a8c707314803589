/**
 * What writer and readers of the visibility stress share. Always: a set is posted before its epoch is stored; a reader
 * pins an epoch before it reads, and regions that left a set are released only when no pin is at or below its epoch.
 */
import type { Arena } from '@quiver/kernel';
import { segmentSchemaOf, type SegmentSchema } from '../schema.ts';
import type { SegmentDescriptor } from '../descriptor.ts';

/** Words of the control block; `pins` onwards is one word for each reader, 0 = idle. */
export const controlWords = { applied: 0, epoch: 1, stop: 2, pins: 4 } as const;

export type ToReader =
  | { readonly kind: 'arena'; readonly arena: Arena }
  | { readonly kind: 'set'; readonly epoch: number; readonly segments: readonly SegmentDescriptor[] };

export interface ReaderStart {
  readonly control: SharedArrayBuffer;
  /** 0.. */
  readonly reader: number;
  /** Points 0..points-1 are always alive. */
  readonly points: number;
}

export interface ReaderReport {
  readonly scans: number;
  /** Visible rows met, each of which was the one row of its point. */
  readonly sightings: number;
  /** First violation, or null. */
  readonly fault: string | null;
}

/** Of 16 dimensions, so that rows are one cache line. */
export const stressSchema: SegmentSchema = segmentSchemaOf({
  vectors: { size: 16, distance: 'Dot' },
  shard_number: 1,
  replication_factor: 1,
  write_consistency_factor: 1,
  on_disk_payload: false,
});
