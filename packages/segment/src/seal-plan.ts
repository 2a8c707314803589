/**
 * Sizing a merge before it runs: on the control thread, in time that does not grow with the rows (but for presence
 * bitsets). The control thread allocates what is planned; the build thread fills it (seal.ts).
 */
import type { NeighbourCodesWish } from '@quiver/ann';
import {
  arenaBytesMax,
  scratchBytesPerThread,
  segmentRowsMax,
  strideOf,
  type ArenaPool,
  type Region,
} from '@quiver/kernel';
import type { RowFileDescriptor, SegmentDescriptor } from './descriptor.ts';
import {
  canBeInFile,
  isSmallerCompact,
  mayHaveNeighbourCodes,
  payloadLinksPlan,
  placeGraphs,
  sizedGraph,
  wantsGraph,
  type GraphParams,
  type SizedGraph,
} from './graph-plan.ts';
import { headerWords } from './layout.ts';
import type { DenseSchema, SegmentSchema } from './schema.ts';
import type { SegmentReader } from './segment.ts';
import { presentCount } from './segment-views.ts';

export interface SealOptions {
  /** Id of the new segment. */
  readonly id: number;
  /**
   * Group the merge takes its snapshot at. REQUIRES: all rows and deaths of the inputs up to it are in place and none
   * above it, which holds when it is the `applied` of this moment and no group is half applied.
   */
  readonly asOf: number;
  readonly schema: SegmentSchema;
  /** By vector name; a missing name gets no graph. */
  readonly graphs: ReadonlyMap<string, GraphParams>;
  /**
   * What the memory budget has left. Graphs get room for neighbour codes where the segment then takes half of it at most;
   * rows are in memory where it does so without.
   */
  readonly freeBytes: number;
  /**
   * What the segment may take with codes of a byte an element. Beyond it the engine's own choice for a vector whose rows are not in memory
   * is codes of half a byte.
   */
  readonly fullCodesBytesMax: number;
  readonly rowFiles: {
    /** Number of a new file; null: there is no place for files, all rows stay in memory. */
    readonly take: (() => number) | null;
    /**
     * Vectors whose rows should not be in memory, and those that must. Where a graph is to be inline they are there while it is built, if
     * there is room: whoever sealed it moves them out.
     */
    readonly cold: ReadonlySet<string>;
    readonly resident: ReadonlySet<string>;
  };
  /** KiB of vectors from which a graph is built; 0 = never. */
  readonly indexingThresholdKib: number;
  /** Threads of the process that search (scratch slots). */
  readonly threads: number;
}

export interface SealPlan {
  readonly options: SealOptions;
  /** Ids of the inputs, in the order of the offset maps. */
  readonly inputs: readonly number[];
  /** Deaths of each input at the snapshot. */
  readonly inputDeadRows: readonly number[];
  /** Rows alive at `asOf`; when 0 there is nothing to build and the inputs are just dropped. */
  readonly rows: number;
  readonly coreBytes: number;
  readonly blobBytes: number;
  readonly graphs: SegmentDescriptor['graphs'];
  readonly rowFiles: readonly RowFileDescriptor[];
}

/** REQUIRES: the inputs are closed (no further appends). */
export function planSeal(inputs: readonly SegmentReader[], options: SealOptions): SealPlan {
  let rows = 0;
  let blobBytes = 0;
  for (const { views } of inputs) {
    const { header } = views;
    rows += header[headerWords.rows]! - header[headerWords.dead]!;
    blobBytes +=
      header[headerWords.blobUsed]! + header[headerWords.codesUsed]! - header[headerWords.blobDead]!;
  }
  const wanted = new Map<string, GraphParams>();
  for (const vector of options.schema.vectors) {
    const params = options.graphs.get(vector.name);
    if (vector.kind !== 'dense' || params === undefined || !wantsGraph(params)) continue;
    const present = Math.min(rows, presentRows(inputs, vector));
    if (isLargeEnough(present, vector.dim, options.indexingThresholdKib)) wanted.set(vector.name, params);
  }
  const { graphs, bytes, cold } = placeWanted(options, rows, blobBytes, wanted);
  const { take } = options.rowFiles;
  return {
    options,
    inputs: inputs.map(({ descriptor }) => descriptor.id),
    inputDeadRows: inputs.map((reader) => reader.deadCount()),
    rows,
    coreBytes: bytes,
    blobBytes,
    graphs,
    rowFiles:
      take === null
        ? []
        : graphs
            .filter(({ vector }) => canBeInFile(options.schema, vector))
            .map(({ vector }) => ({ vector, file: take(), isResident: !cold.has(vector) })),
  };
}

/**
 * KiB of f32 vectors, the largest of the vectors that are to have a graph: a merge of this segment alone makes one when they are no
 * less than the threshold.
 */
export function wantedGraphKib(reader: SegmentReader, graphs: ReadonlyMap<string, GraphParams>): number {
  const alive = reader.rowCount() - reader.deadCount();
  let kib = 0;
  for (const vector of reader.descriptor.schema.vectors) {
    const params = graphs.get(vector.name);
    if (vector.kind !== 'dense' || params === undefined || !wantsGraph(params)) continue;
    kib = Math.max(kib, (Math.min(alive, presentRows([reader], vector)) * vector.dim * 4) / 1024);
  }
  return kib;
}

/** Qdrant's rule: KiB of f32 vectors, whatever the datatype. */
export function isLargeEnough(rows: number, dim: number, thresholdKib: number): boolean {
  return thresholdKib > 0 && rows > 0 && rows * dim * 4 >= thresholdKib * 1024;
}

interface Placed {
  readonly graphs: SegmentDescriptor['graphs'];
  readonly bytes: number;
  /** Vectors whose rows are in files only. */
  readonly cold: ReadonlySet<string>;
}

/** Rows in memory, and graphs with neighbour codes, where there is room for them; small codes where there is little. */
function placeWanted(
  { schema, threads, freeBytes, fullCodesBytesMax, rowFiles }: SealOptions,
  rows: number,
  blobBytes: number,
  wanted: ReadonlyMap<string, GraphParams>,
): Placed {
  const place = (
    neighbourCodes: NeighbourCodesWish,
    cold: ReadonlySet<string>,
    { compact = noVectors, hasLinks = false } = {},
  ): Placed => {
    const graphOf = (vector: DenseSchema): SizedGraph | null => {
      const params = wanted.get(vector.name);
      if (params === undefined) return null;
      return sizedGraph(vector, params, {
        rows,
        threads,
        isCompact: compact.has(vector.name),
        neighbourCodes: cold.has(vector.name) ? 'never' : neighbourCodes,
        payloadLinks: hasLinks ? payloadLinksPlan(params, vector.dim, rows) : null,
      });
    };
    return { ...placeGraphs(schema, rows, graphOf, cold), cold };
  };
  const hasRoom = ({ bytes }: Placed): boolean =>
    bytes + blobBytes <= freeBytes / 2 && bytes <= arenaBytesMax - threads * scratchBytesPerThread;
  const movable = schema.vectors
    .filter((vector) => vector.kind === 'dense')
    .filter(({ name }) => rowFiles.take !== null && wanted.has(name) && canBeInFile(schema, name))
    .sort((a, b) => strideOf(b.element, b.dim) - strideOf(a.element, a.dim));
  const cold = new Set(
    movable.map(({ name }) => name).filter((name) => rowFiles.cold.has(name) && !rowFiles.resident.has(name)),
  );
  let small = place('never', new Set(cold));
  for (const { name } of movable) {
    if (hasRoom(small) || rowFiles.resident.has(name)) continue;
    cold.add(name);
    small = place('never', new Set(cold));
  }
  if (small.bytes + blobBytes > fullCodesBytesMax) {
    const compact = schema.vectors
      .filter((vector) => vector.kind === 'dense')
      .filter(({ name }) => small.cold.has(name) && wanted.get(name)?.quantization === null)
      .filter((vector) => isSmallerCompact(vector, wanted.get(vector.name)!.m, threads));
    return place('never', small.cold, { compact: new Set(compact.map(({ name }) => name)) });
  }
  const hasLinks = [...wanted.values()].some(({ payloadLinks }) => (payloadLinks ?? null) !== null);
  const inline = new Set(
    schema.vectors
      .filter((vector) => vector.kind === 'dense' && wanted.get(vector.name)?.isInline === true)
      .filter((vector) => mayHaveNeighbourCodes(vector as DenseSchema, wanted.get(vector.name)!))
      .map(({ name }) => name),
  );
  const built = small.cold.difference(inline);
  for (const [wish, inFile] of [
    ['measured', built],
    ['never', small.cold],
  ] as const)
    for (const choice of hasLinks ? [true, false] : [false]) {
      const placed = place(wish, inFile, { hasLinks: choice });
      if (hasRoom(placed)) return placed;
    }
  return small;
}

const noVectors: ReadonlySet<string> = new Set();

/** Rows with a vector, dead ones included. */
function presentRows(inputs: readonly SegmentReader[], { name, dim }: DenseSchema): number {
  let count = 0;
  for (const reader of inputs) {
    const view = reader.views.vectors.find(({ schema }) => schema.name === name);
    if (view?.kind !== 'dense' || view.schema.dim !== dim) continue;
    count += presentCount(view, reader.rowCount());
  }
  return count;
}

/** Most rows one segment can have; a policy stays below it and below an arena's bytes. */
export const sealedRowsMax = segmentRowsMax;

/**
 * Allocates the planned regions, unfilled. REQUIRES: plan.rows > 0. Give the descriptor to the build thread.
 * @throws ArenaBudgetError, nothing stays allocated
 */
export function allocateSealed(pool: ArenaPool, plan: SealPlan): SegmentDescriptor {
  const { id, asOf, schema } = plan.options;
  const core = pool.allocate(plan.coreBytes, { dirty: true });
  let blob: Region | null = null;
  try {
    if (plan.blobBytes > 0) blob = pool.allocate(plan.blobBytes, { dirty: true });
  } catch (error) {
    pool.release(core);
    throw error;
  }
  return {
    id,
    kind: 'sealed',
    baseGroup: asOf,
    capacityRows: plan.rows,
    capacityBlobBytes: plan.blobBytes,
    schema,
    isCoded: false,
    core,
    blob,
    graphs: plan.graphs,
    rowFiles: plan.rowFiles,
    columns: null,
    sparse: null,
  };
}
