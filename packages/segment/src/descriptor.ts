/**
 * A segment as plain data: what a thread needs to read it out of shared memory. Structured-cloneable, posted to every
 * thread with the set of segments it belongs to; also written (without regions) into the manifest.
 * Always: a descriptor never changes; a payload index built later makes a new descriptor with the same regions.
 */
import type { NeighbourCodesWish, Quantization } from '@quiver/ann';
import type { Region } from '@quiver/kernel';
import type { PayloadFieldSchema } from '@quiver/model';
import type { SegmentSchema } from './schema.ts';

/**
 * plain: fixed capacity, append-only, its vectors are scanned; the newest one is the head.
 * sealed: built by merging; rows are compact and in id order; may have graphs and payload columns.
 */
export type SegmentKind = 'plain' | 'sealed';

/** A graph over the rows of one dense vector, in its own part of the core region. */
export interface GraphDescriptor {
  readonly vector: string;
  /** 0: it has codes, and links within the values of payload fields only. */
  readonly m: number;
  readonly efConstruct: number;
  /** What the builder was told; whether the graph has them is in its own header. */
  readonly neighbourCodes: NeighbourCodesWish;
  /** Codes other than int8 or with settings; null = int8, with neighbour codes where they were worth it. */
  readonly quantization: Quantization | null;
  /** The collection left its codes to the engine, which took these because memory was short. */
  readonly isCompact: boolean;
  /** The collection wants neighbour codes and the rows in a file only: they were in memory while it was built, if there was room. */
  readonly isInline: boolean;
  /** Links within the values of payload fields; null = none. */
  readonly payloadLinks: PayloadLinksPlan | null;
  /** Offset from the start of the core region, and size with the threads' visited marks. */
  readonly offset: number;
  readonly bytes: number;
  /** Most that is stored of it; a graph that did without neighbour codes is smaller (see stored-segment.ts). */
  readonly persistedBytes: number;
}

/** What the builder was told; which fields have links is in the graph itself. */
export interface PayloadLinksPlan {
  /** Half of a row's links. */
  readonly m: number;
  /** Fewest rows of a value that gets links. */
  readonly blockRowsMin: number;
  /** Fields whose rows are looked at. */
  readonly fields: readonly LinkedPath[];
}

/** A payload index. */
export interface LinkedPath {
  readonly key: string;
  readonly schema: PayloadFieldSchema;
}

/** A payload column over all rows of a segment; position-independent bytes in a region of its own. */
export interface ColumnDescriptor {
  /** Payload path */
  readonly key: string;
  readonly schema: PayloadFieldSchema;
  readonly region: Region;
  /** Used bytes of the region. */
  readonly bytes: number;
}

/** The inverted index of a sparse vector over all rows of a sealed segment; position-independent bytes in a region of its own. */
export interface SparseDescriptor {
  readonly vector: string;
  readonly region: Region;
  /** Used bytes of the region. */
  readonly bytes: number;
}

/**
 * The rows of a dense vector in a file of their own (a blob): one after another at their stride, zeros for a row without the
 * vector. Sealed segments only.
 */
export interface RowFileDescriptor {
  readonly vector: string;
  /** Number of the file, and of its blob. */
  readonly file: number;
  /** They are in the core as well, and read there; else only the file has them, and the core no room for them. */
  readonly isResident: boolean;
}

export interface SegmentDescriptor {
  /** Unique in the replica, never reused. */
  readonly id: number;
  readonly kind: SegmentKind;
  /** Commit group that `born` and `death` are relative to. */
  readonly baseGroup: number;
  readonly capacityRows: number;
  readonly capacityBlobBytes: number;
  readonly schema: SegmentSchema;
  /** Its rows of floats have the records that they are scanned by. Plain segments only. */
  readonly isCoded: boolean;
  /** Everything of fixed size for each row, and the graphs: see layout.ts. One arena, for the kernels. */
  readonly core: Region;
  /** Payloads, sparse vectors and multivectors; null when capacityBlobBytes is 0. */
  readonly blob: Region | null;
  readonly graphs: readonly GraphDescriptor[];
  /** Of vectors whose graph reads codes of its own. */
  readonly rowFiles: readonly RowFileDescriptor[];
  /** Null until payload columns were built; an empty list means built, none asked for. Sealed segments only. */
  readonly columns: readonly ColumnDescriptor[] | null;
  /** One for each sparse vector, null until they were built. Sealed segments only. */
  readonly sparse: readonly SparseDescriptor[] | null;
}

/** Files that reading the segment needs. */
export function filesOf({ rowFiles }: SegmentDescriptor): number[] {
  return rowFiles.filter(({ isResident }) => !isResident).map(({ file }) => file);
}

/** Vectors whose rows are in files only. */
export function coldVectors({ rowFiles }: Pick<SegmentDescriptor, 'rowFiles'>): Set<string> {
  return new Set(rowFiles.filter(({ isResident }) => !isResident).map(({ vector }) => vector));
}

/** Every region that must be released when the segment is dropped. */
export function regionsOf(segment: SegmentDescriptor): Region[] {
  const regions = [segment.core];
  if (segment.blob !== null) regions.push(segment.blob);
  for (const column of segment.columns ?? []) regions.push(column.region);
  for (const index of segment.sparse ?? []) regions.push(index.region);
  return regions;
}
