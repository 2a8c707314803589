/**
 * A closed segment on disk: a record for the manifest, and parts whose bytes are the regions' own, so that loading
 * copies and builds nothing. Always: header and deaths are not among the parts; deaths are saved by themselves
 * (`savedDeaths`) with every manifest; the blob store checks the parts' bytes. docs/formats/segment.md.
 */
import {
  canLackRows,
  storedHnswBytes,
  viewGraph,
  type NeighbourCodesWish,
  type Quantization,
} from '@quiver/ann';
import { subregion, type ArenaDirectory, type ArenaPool, type Region } from '@quiver/kernel';
import { assert, ClusterError, type PayloadFieldSchema } from '@quiver/model';
import { codesEnd } from './blob.ts';
import {
  coldVectors,
  type ColumnDescriptor,
  type GraphDescriptor,
  type PayloadLinksPlan,
  type RowFileDescriptor,
  type SegmentDescriptor,
  type SegmentKind,
  type SparseDescriptor,
} from './descriptor.ts';
import { align64, coreLayout, headerWords } from './layout.ts';
import type { DenseSchema, SegmentSchema } from './schema.ts';
import { placeGraphs } from './graph-plan.ts';
import type { SegmentReader } from './segment.ts';
import { blobBytesOfRow, openSegment } from './segment-reader.ts';

/** Rises when layout.ts or a part's meaning changes; rows in parts of their own came with the last one. */
export const segmentLayoutVersion = 5;
const rowsInCoreVersion = 4;

/** Plain JSON for the manifest. */
export interface StoredSegment {
  readonly layoutVersion: number;
  readonly id: number;
  readonly kind: SegmentKind;
  readonly baseGroup: number;
  readonly rows: number;
  readonly capacityRows: number;
  readonly blobUsedBytes: number;
  /** Of the blob, at its end. */
  readonly codeBytes: number;
  readonly schema: SegmentSchema;
  readonly graphs: readonly {
    readonly vector: string;
    readonly m: number;
    readonly efConstruct: number;
    readonly neighbourCodes: NeighbourCodesWish;
    /** Absent in records from before collections could ask for codes. */
    readonly quantization?: Quantization | null;
    /** Absent in records from before memory could be short. */
    readonly isCompact?: boolean;
    /** Absent in records from before it was heeded. */
    readonly isInline?: boolean;
    /** Absent in records from before there were any. */
    readonly payloadLinks?: PayloadLinksPlan | null;
    readonly persistedBytes: number;
  }[];
  /** Dense vectors whose rows are a part of their own, not one with the core. Absent in records from before there were any. */
  readonly rowFiles?: readonly {
    readonly vector: string;
    /** Walks do without the rows in memory. */
    readonly canBeCold: boolean;
  }[];
  readonly columns:
    readonly { readonly key: string; readonly schema: PayloadFieldSchema; readonly bytes: number }[] | null;
  /** Absent in records from before there were any. */
  readonly sparse?: readonly { readonly vector: string; readonly bytes: number }[] | null;
}

/** One part: a name that is unique in the segment, and its bytes in shared memory, to be written or to be read into. */
export interface SegmentPart {
  readonly name: string;
  /** In order; null: they are in the file only. */
  readonly bytes: readonly Uint8Array<SharedArrayBuffer>[] | null;
  /** It lies in this file (and blob); null: it is a blob of records. */
  readonly file: number | null;
}

/** Of the part that has the rows of a vector. */
const rowsPrefix = 'rows/';
const graphPrefix = 'graph/';

export function rowsPart(vector: string): string {
  return `${rowsPrefix}${vector}`;
}

/** Parts that lie in files, so that reads at any place are cheap. */
export function isInFile(partName: string): boolean {
  return partName.startsWith(rowsPrefix);
}

/** Parts that lie in the core region of a segment in memory. */
export function isInCore(partName: string): boolean {
  return partName === 'core' || partName.startsWith(rowsPrefix) || partName.startsWith(graphPrefix);
}

/** REQUIRES: closed, no further appends. */
export function storedSegment({ descriptor, views }: SegmentReader): StoredSegment {
  const { id, kind, baseGroup, capacityRows, schema, graphs, rowFiles, columns, sparse } = descriptor;
  return {
    layoutVersion: rowFiles.length > 0 ? segmentLayoutVersion : rowsInCoreVersion,
    rowFiles: rowFiles.map(({ vector }) => {
      const graph = graphs.find((one) => one.vector === vector)!;
      const region = subregion(descriptor.core, graph.offset, graph.bytes);
      return { vector, canBeCold: canLackRows(viewGraph(views.memory.buffer, region)) };
    }),
    id,
    kind,
    baseGroup,
    rows: views.header[headerWords.rows]!,
    capacityRows,
    blobUsedBytes: views.header[headerWords.blobUsed]!,
    codeBytes: views.header[headerWords.codesUsed]!,
    schema,
    graphs: graphs.map(({ offset, bytes, ...graph }) => ({
      ...graph,
      // A region has room for neighbour codes; the graph may have been better off without.
      persistedBytes: viewGraph(views.memory.buffer, subregion(descriptor.core, offset, bytes))
        .persistedBytes,
    })),
    columns:
      columns === null
        ? null
        : columns.map(({ key, schema: field, bytes }) => ({ key, schema: field, bytes })),
    sparse: sparse === null ? null : sparse.map(({ vector, bytes }) => ({ vector, bytes })),
  };
}

/** The parts of a segment, the same list whether they are saved or loaded into freshly allocated regions. */
export function segmentParts(
  descriptor: SegmentDescriptor,
  stored: StoredSegment,
  directory: ArenaDirectory,
): SegmentPart[] {
  const { core, blob, graphs, rowFiles, columns, sparse, schema, capacityRows } = descriptor;
  const layout = coreLayout(schema, capacityRows, { cold: coldVectors(descriptor) });
  const coreBytes = directory.bytes(core);
  const coreParts: Uint8Array<SharedArrayBuffer>[] = [];
  const parts: SegmentPart[] = [{ name: 'core', bytes: coreParts, file: null }];
  let from = layout.born;
  for (const [index, { name }] of schema.vectors.entries()) {
    const own = rowFiles.find(({ vector }) => vector === name);
    if (own === undefined) continue;
    const { rows, stride } = layout.vectors[index]!;
    coreParts.push(coreBytes.subarray(from, rows));
    from = rows + (own.isResident ? align64(stride * capacityRows) : 0);
    const bytes = own.isResident ? [coreBytes.subarray(rows, rows + stride * capacityRows)] : null;
    parts.push({ name: rowsPart(name), bytes, file: own.file });
  }
  coreParts.push(coreBytes.subarray(from, layout.bytes));
  const add = (name: string, bytes: Uint8Array<SharedArrayBuffer>): void =>
    void parts.push({ name, bytes: [bytes], file: null });
  for (const [index, { vector, offset }] of graphs.entries()) {
    const { persistedBytes } = stored.graphs[index]!;
    add(`${graphPrefix}${vector}`, coreBytes.subarray(offset, offset + persistedBytes));
  }
  if (blob !== null && stored.blobUsedBytes > 0)
    add('blob', directory.bytes(blob).subarray(0, stored.blobUsedBytes));
  if (blob !== null && stored.codeBytes > 0) {
    const end = codesEnd(descriptor) - blob.offset;
    add('codes', directory.bytes(blob).subarray(end - stored.codeBytes, end));
  }
  for (const column of columns ?? [])
    add(`column/${column.key}`, directory.bytes(column.region).subarray(0, column.bytes));
  for (const { vector, region, bytes } of sparse ?? [])
    add(`sparse/${vector}`, directory.bytes(region).subarray(0, bytes));
  return parts;
}

/** Where the rows of a stored segment are to be. */
export interface RowPlacement {
  /** The file of a vector's rows. */
  readonly fileOf: (vector: string) => number;
  /** Vectors whose rows stay in their files; others of `rowFiles` are read into memory. */
  readonly cold: ReadonlySet<string>;
}

/** Stored segments without files of rows. */
export const allInMemory: RowPlacement = {
  fileOf(vector) {
    throw new Error(`invariant broken: no file has the rows of vector "${vector}"`);
  },
  cold: new Set(),
};

/**
 * Regions for a stored segment, on the control thread; fill `segmentParts` of it, then call `finishLoad`.
 * @throws ArenaBudgetError; ClusterError corruption when the record is of another layout version
 */
export function allocateStored(
  pool: ArenaPool,
  stored: StoredSegment,
  threads: number,
  { fileOf, cold }: RowPlacement = allInMemory,
): SegmentDescriptor {
  if (stored.layoutVersion !== segmentLayoutVersion && stored.layoutVersion !== rowsInCoreVersion)
    throw new ClusterError(
      'corruption',
      `segment ${stored.id} has layout ${stored.layoutVersion}, this version reads ${segmentLayoutVersion}`,
    );
  const rowFiles = (stored.rowFiles ?? []).map(({ vector, canBeCold }): RowFileDescriptor => ({
    vector,
    file: fileOf(vector),
    isResident: !(canBeCold && cold.has(vector)),
  }));
  const { graphs, bytes } = placeStoredGraphs(stored, threads, coldVectors({ rowFiles }));
  const taken: Region[] = [];
  const allocate = (size: number): Region => {
    const region = pool.allocate(size, { dirty: true });
    taken.push(region);
    return region;
  };
  try {
    const core = allocate(bytes);
    const capacityBlobBytes = stored.blobUsedBytes + stored.codeBytes;
    const blob = capacityBlobBytes > 0 ? allocate(capacityBlobBytes) : null;
    const columns = stored.columns?.map((column): ColumnDescriptor => ({
      ...column,
      region: allocate(column.bytes),
    }));
    const sparse = stored.sparse?.map((index): SparseDescriptor => ({
      ...index,
      region: allocate(index.bytes),
    }));
    const { id, kind, baseGroup, capacityRows, schema } = stored;
    return {
      id,
      kind,
      baseGroup,
      capacityRows,
      capacityBlobBytes,
      schema,
      isCoded: false,
      core,
      blob,
      graphs,
      rowFiles,
      columns: columns ?? null,
      sparse: sparse ?? null,
    };
  } catch (error) {
    for (const region of taken) pool.release(region);
    throw error;
  }
}

/** Where the graphs of a stored segment lie, and what its core takes. */
export function placeStoredGraphs(
  stored: StoredSegment,
  threads: number,
  cold: ReadonlySet<string>,
): { graphs: GraphDescriptor[]; bytes: number } {
  const sizeOf = ({ name }: DenseSchema): Omit<GraphDescriptor, 'vector' | 'offset'> | null => {
    const graph = stored.graphs.find(({ vector }) => vector === name);
    if (graph === undefined) return null;
    const shape = { count: stored.capacityRows, threads };
    return {
      ...graph,
      quantization: graph.quantization ?? null,
      isCompact: graph.isCompact ?? false,
      isInline: graph.isInline ?? false,
      payloadLinks: graph.payloadLinks ?? null,
      bytes: storedHnswBytes(graph.persistedBytes, shape),
    };
  };
  return placeGraphs(stored.schema, stored.capacityRows, sizeOf, cold);
}

/**
 * Completes a segment whose parts were read: header, deaths, scratch of the graphs.
 * @param deaths - as `savedDeaths` gave them
 */
export function finishLoad(
  descriptor: SegmentDescriptor,
  stored: StoredSegment,
  directory: ArenaDirectory,
  deaths: Uint8Array,
): SegmentReader {
  const reader = openSegment(descriptor, directory);
  const { header, death } = reader.views;
  header.fill(0);
  death.fill(0);
  for (const { offset, bytes, persistedBytes } of descriptor.graphs)
    directory.bytes(subregion(descriptor.core, offset, bytes)).fill(0, persistedBytes);
  header[headerWords.blobUsed] = stored.blobUsedBytes;
  header[headerWords.codesUsed] = stored.codeBytes;
  applyDeaths(reader, stored, deaths);
  Atomics.store(header, headerWords.rows, stored.rows);
  return reader;
}

function applyDeaths({ descriptor, views }: SegmentReader, stored: StoredSegment, deaths: Uint8Array): void {
  const bits = Math.ceil(stored.rows / 8);
  if (deaths.length !== 0 && deaths.length !== bits)
    throw new ClusterError(
      'corruption',
      `deaths of segment ${stored.id} are ${deaths.length} bytes, not ${bits}`,
    );
  let dead = 0;
  let blobDead = 0;
  for (const [index, byte] of deaths.entries()) {
    if (byte === 0) continue;
    for (let bit = 0; bit < 8; bit += 1) {
      if (((byte >>> bit) & 1) === 0) continue;
      const row = 8 * index + bit;
      assert(row < stored.rows, `death of row ${row}, segment ${stored.id} has ${stored.rows}`);
      // Any group of the time before the restart will do: every query comes after it.
      views.death[row] = 1;
      dead += 1;
      blobDead += blobBytesOfRow(descriptor, views, row);
    }
  }
  views.header[headerWords.dead] = dead;
  views.header[headerWords.blobDead] = blobDead;
}

/** Rows dead at `group` as a bitset (bit = row), empty when there are none: saved with the manifest. */
export function savedDeaths({ descriptor, views }: SegmentReader, group: number): Uint8Array {
  const rows = views.header[headerWords.rows]!;
  const relative = group - descriptor.baseGroup;
  const bitset = new Uint8Array(Math.ceil(rows / 8));
  let isAnyDead = false;
  for (let row = 0; row < rows; row += 1) {
    const dead = views.death[row]!;
    if (dead === 0 || dead > relative) continue;
    bitset[row >>> 3]! |= 1 << (row & 7);
    isAnyDead = true;
  }
  return isAnyDead ? bitset : new Uint8Array(0);
}
