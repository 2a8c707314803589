/** A small arena with rows and a graph in it, for tests and benchmarks of this package. */
import {
  createArena,
  createSimdKernel,
  scratchBytesPerThread,
  strideOf,
  writeRow,
  type Element,
  type Metric,
  type Region,
  type Rows,
  type SimdKernel,
} from '@quiver/kernel';
import { createFlat } from '../flat.ts';
import { createHnsw } from '../hnsw/build.ts';
import {
  hnswBytes,
  type NeighbourCodesWish,
  type PayloadLinksShape,
  type ProjectionWish,
} from '../hnsw/format.ts';
import type { LinkedField } from '../hnsw/payload-links.ts';
import type { ReusedGraph } from '../hnsw/reuse.ts';
import { openHnsw } from '../hnsw/search.ts';
import type { Quantization } from '../quantization.ts';
import type { VectorIndex } from '../vector-index.ts';

export interface IndexStage {
  readonly kernel: SimdKernel;
  readonly rows: Rows;
  readonly count: number;
  readonly region: Region;
  /** Free space for columns and bitsets: 16 bytes a row. */
  readonly columns: number;
  readonly neighbourCodes: NeighbourCodesWish;
  readonly quantization: Quantization | null;
  readonly projection: ProjectionWish;
  readonly payloadLinks: PayloadLinksShape | null;
  readonly flat: VectorIndex;
}

export interface StageParams {
  readonly metric: Metric;
  readonly element?: Element;
  readonly vectors: readonly Float32Array[];
  readonly m?: number;
  readonly threads?: number;
  readonly neighbourCodes?: NeighbourCodesWish;
  readonly quantization?: Quantization | null;
  readonly projection?: ProjectionWish;
  readonly payloadLinks?: PayloadLinksShape | null;
  /** Bits of rows that have the vector. */
  readonly present?: (row: number) => boolean;
}

/** Rows in an arena, with room for a graph and columns. */
export function stageRows({
  metric,
  element = 'f32',
  vectors,
  m = 16,
  threads = 1,
  neighbourCodes = 'never',
  quantization = null,
  projection = 'measured',
  payloadLinks = null,
  present,
}: StageParams): IndexStage {
  const count = vectors.length;
  const dim = vectors[0]!.length;
  const stride = strideOf(element, dim);
  const { bytes } = hnswBytes({
    count,
    dim,
    element,
    m,
    threads,
    neighbourCodes,
    quantization,
    projection,
    payloadLinks,
  });
  const columnBytes = 16 * count + 256;
  const arena = createArena(1, stride * count + bytes + columnBytes, threads * scratchBytesPerThread);
  const rows: Rows = { metric, element, dim, stride, address: arena.scratchBytes };
  vectors.forEach((vector, row) => writeRow(arena.memory, rows, row, vector));
  const region = { arena: 1, offset: rows.address + stride * count, bytes };
  const columns = region.offset + Math.ceil(bytes / 64) * 64;
  const kernel = createSimdKernel(arena, 0);
  if (present !== undefined) writeBits(kernel, presentAddress(columns, count), count, present);
  const flat = createFlat(kernel, {
    rows,
    count,
    present: present === undefined ? 0 : presentAddress(columns, count),
  });
  return {
    kernel,
    rows,
    count,
    region,
    columns,
    neighbourCodes,
    quantization,
    projection,
    payloadLinks,
    flat,
  };
}

function presentAddress(columns: number, count: number): number {
  return columns + Math.ceil((12 * count) / 64) * 64;
}

export function buildIndex(
  stage: IndexStage,
  options: {
    m?: number;
    efConstruct?: number;
    seed?: number;
    hasAbsent?: boolean;
    threads?: number;
    stepRows?: number;
    reused?: ReusedGraph;
    linkedFields?: readonly LinkedField[];
  } = {},
): VectorIndex {
  const { kernel, region, rows, count, columns, neighbourCodes, quantization, projection, payloadLinks } =
    stage;
  const builder = createHnsw(kernel, region, {
    rows,
    count,
    m: options.m ?? 16,
    threads: options.threads ?? 1,
    efConstruct: options.efConstruct ?? 100,
    seed: options.seed ?? 1,
    present: options.hasAbsent === true ? presentAddress(columns, count) : 0,
    neighbourCodes,
    quantization,
    projection,
    reused: options.reused ?? null,
    payloadLinks,
    linkedFields: options.linkedFields ?? [],
  });
  while (!builder.step(options.stepRows ?? 256));
  return openHnsw(kernel, region, rows);
}

/** Writes a bitset into the arena. */
export function writeBits(
  kernel: SimdKernel,
  address: number,
  count: number,
  isSet: (row: number) => boolean,
): void {
  const words = new Uint32Array(kernel.arena.memory.buffer, address, Math.ceil(count / 32));
  words.fill(0);
  for (let row = 0; row < count; row += 1)
    if (isSet(row)) words[row >>> 5] = words[row >>> 5]! | (1 << (row & 31));
}

/** Share of the k nearest that a result has, equal scores counting as equal. */
export function recallOf(
  index: VectorIndex,
  flat: VectorIndex,
  queries: readonly Float32Array[],
  options: Partial<Omit<Parameters<VectorIndex['search']>[0], 'query'>> = {},
): number {
  let hits = 0;
  let wanted = 0;
  for (const query of queries) {
    const request = { k: 10, ef: 64, visibility: null, filter: 0, walk: 'plain', ...options, query } as const;
    const truth = flat.search(request);
    const found = index.search(request);
    wanted += truth.count;
    const known = new Set(truth.rows);
    const last = truth.scores[truth.count - 1]!;
    for (let i = 0; i < found.count; i += 1)
      if (known.has(found.rows[i]!) || found.scores[i] === last) hits += 1;
  }
  return hits / wanted;
}
