/**
 * Searching one segment: plan, then an exact scan by chunks or one walk of the graph. Always: hits were visible at the
 * group, pass the filter and have the vector; scores are as Qdrant reports them, and exact (computed from the stored rows)
 * unless the request asks a quantised graph for those of its codes.
 */
import { openHnsw, type LinkedBlocks, type SearchFacts, type VectorIndex } from '@quiver/ann';
import {
  chunkRows,
  compareScores,
  createTopK,
  distanceAtMost,
  foundIn,
  scanRecordBytes,
  subregion,
  topKMax,
  type ArenaDirectory,
  type Found,
  type SimdKernel,
  type TopK,
  type Visibility,
} from '@quiver/kernel';
import { assert, ClusterError, type SearchParams, type Vector } from '@quiver/model';
import { chooseBeam, type BeamSource } from './beam.ts';
import { builtGraphOf } from './built-graph.ts';
import { copyFilter } from './copy-filter.ts';
import type { GraphDescriptor } from './descriptor.ts';
import type { FilterNode } from './filter-node.ts';
import { requiredBlocks } from './linked-blocks.ts';
import { planSearch, rowsOfKib, scanExpansions, type SearchPlan } from './plan.ts';
import { prepareQuery } from './prepare-vector.ts';
import { searchMulti } from './search-multi.ts';
import { searchSparse } from './search-sparse.ts';
import { scanFile } from './scan-file.ts';
import type { SegmentReader } from './segment.ts';
import { relativeGroup, type DenseView } from './segment-views.ts';
import type { Steps } from './steps.ts';

export interface SegmentSearch {
  /** As the client gave it: normalised here when the metric asks for it. */
  readonly vector: Vector;
  /** Vector name; '' = unnamed. */
  readonly name: string;
  readonly k: number;
  /** Beam width; null = as wide as the graph was built. */
  readonly ef: number | null;
  /** Share of the true neighbours to be found, 0..1, in place of a width; null = none was asked for. */
  readonly targetRecall: number | null;
  readonly exact: boolean;
  /** KiB of vectors below which a filtered search scans. */
  readonly fullScanThresholdKib: number;
  /** Of rows that the collection wants quantised; null = the index's own choice. */
  readonly quantization: SearchParams['quantization'];
  /** Bit = row, little-endian words; rows beyond them do not pass. Null = all rows. */
  readonly filter: Uint32Array | null;
  /** What it was evaluated from; absent: only its rows are known. */
  readonly filterNode?: FilterNode | null;
  /** Rows that pass the filter, counted or estimated; ignored without one. */
  readonly passing: number;
  /**
   * Rows of worse scores may be left out, as other segments have enough better ones; null = none. Walks of graphs and scans of files do not.
   */
  readonly floor: number | null;
  /** ACORN's max_selectivity when the client set it. */
  readonly filteredWalkBelow: number | null;
}

/** Nearest first: rows and reported scores. */
export type Hits = Found;

const noHits: Hits = { rows: new Uint32Array(0), scores: new Float32Array(0), count: 0 };

/**
 * @param group - absolute group that the query sees
 * @throws ClusterError invalid_argument for an unknown name, another kind of vector or another dim
 */
export function* searchSegment(
  reader: SegmentReader,
  directory: ArenaDirectory,
  request: SegmentSearch,
  group: number,
): Steps<Hits> {
  const { descriptor, views } = reader;
  const view = views.vectors.find((vector) => vector.schema.name === request.name);
  if (view === undefined)
    throw new ClusterError('invalid_argument', `Not existing vector name error: ${request.name}`);
  const { vector } = request;
  const rowCount = coveredRows(reader, request.filter);
  if (rowCount === 0 || request.k === 0) return noHits;
  if (view.kind === 'sparse') {
    if (vector.kind !== 'sparse') throw wrongKind(request.name, 'sparse', vector.kind);
    return yield* searchSparse(reader, directory, view, { ...request, vector }, group);
  }
  if (view.kind === 'multi') {
    if (vector.kind === 'sparse') throw wrongKind(request.name, 'multi', vector.kind);
    return yield* searchMulti(reader, directory, view, { ...request, values: vector.values }, group);
  }
  if (vector.kind !== 'dense') throw wrongKind(request.name, 'dense', vector.kind);
  if (vector.values.length !== view.schema.dim)
    throw new ClusterError(
      'invalid_argument',
      `Vector dimension error: expected dim: ${view.schema.dim}, got ${vector.values.length}`,
    );
  const query = prepareQuery(view.schema, vector.values);
  const visibility = visibilityOf(reader, group);
  const kernel = directory.kernel(descriptor.core.arena);
  const plan = planOf(reader, request);
  if (plan.kind === 'scan')
    return yield* scanDense(reader, kernel, view, {
      query,
      k: request.k,
      filter: request.filter,
      farthest: request.floor === null ? Infinity : distanceAtMost(view.rows.metric, request.floor),
      visibility,
      rowCount,
    });
  return walkGraph(reader, kernel, view, { request, plan, query, visibility });
}

/** Rows that a search looks at: a head may have grown since the filter was evaluated, by rows the group cannot see. */
function coveredRows(reader: SegmentReader, filter: Uint32Array | null): number {
  const rowCount = reader.rowCount();
  return filter === null ? rowCount : Math.min(rowCount, 32 * filter.length);
}

/** A plan, and where its beam comes from; of a scan why there is none, null where that is not the reason. */
export interface SegmentPlan extends SearchPlan {
  /** What a walk of links within values walks. */
  readonly links: LinkedBlocks | null;
  readonly efFrom: BeamSource | null;
}

/** How `searchSegment` would search; for explaining. */
export function planOf(reader: SegmentReader, request: SegmentSearch): SegmentPlan {
  const graph = reader.descriptor.graphs.find(({ vector }) => vector === request.name);
  const view = reader.views.vectors.find(({ schema }) => schema.name === request.name);
  if (graph === undefined || view?.kind !== 'dense')
    return { kind: 'scan', ef: 0, fallback: null, links: null, efFrom: null };
  const built = builtGraphOf(reader, graph);
  const beam = chooseBeam(
    { ...request, isFiltered: request.filter !== null },
    graph.efConstruct,
    built.curves,
  );
  const required =
    request.filter === null ? null : requiredBlocks(request.filterNode ?? null, built.linkedFields);
  const plan = planSearch({
    hasGraph: true,
    isUnlinked: graph.m === 0,
    hasNeighbourCodes: built.hasNeighbourCodes && request.quantization?.ignore !== true,
    exact: request.exact || beam.ef === null || readsAbsentRows(view, request),
    rowCount: reader.rowCount(),
    passing: request.filter === null ? null : request.passing,
    k: request.k,
    // What was measured may be narrower than the answer: a walk by coarse codes has several places for one.
    ef: beam.from === 'calibration' ? beam.ef! : Math.max(candidatesOf(request), beam.ef ?? 0),
    fullScanRows: rowsOfKib(request.fullScanThresholdKib, view.schema.dim),
    filteredWalkBelow: request.filteredWalkBelow,
    linked: required === null ? null : { blocks: required.count, rows: required.rows },
  });
  // A walk of links has a scan behind it where few of their rows pass.
  const links =
    required === null
      ? null
      : { ...required, expansionsMax: scanExpansions(request.passing, required.count) };
  const isScan = plan.kind === 'scan' || plan.kind === 'scan_codes';
  return { ...plan, links, efFrom: isScan && beam.ef !== null ? null : beam.from };
}

/** A walk by the stored rows themselves would wait for the disk at each step; a scan reads what it needs once. */
function readsAbsentRows({ file }: DenseView, { quantization }: SegmentSearch): boolean {
  return file !== null && quantization?.ignore === true;
}

/** Null when every row of the segment is visible: a sealed segment without deaths. */
function visibilityOf(reader: SegmentReader, group: number): Visibility | null {
  const { descriptor, views } = reader;
  // Deaths up to `group` were counted before `group` was published, so 0 here means none of them.
  if (descriptor.kind === 'sealed' && reader.deadCount() === 0) return null;
  return {
    born: descriptor.core.offset + views.layout.born,
    death: descriptor.core.offset + views.layout.death,
    group: relativeGroup(descriptor.baseGroup, group),
  };
}

interface DenseScan {
  readonly query: Float32Array;
  readonly k: number;
  readonly filter: Uint32Array | null;
  readonly visibility: Visibility | null;
  /** Inner distance: rows that are farther may be left out. */
  readonly farthest: number;
  readonly rowCount: number;
}

function* scanDense(
  reader: SegmentReader,
  kernel: SimdKernel,
  view: DenseView,
  scan: DenseScan,
): Steps<Hits> {
  const { rowCount } = scan;
  const k = Math.min(scan.k, rowCount);
  // More than a kernel's heap holds: whole stretches are ranked, then put together.
  const stretch = k > topKMax ? topKMax : rowCount;
  const parts: Hits[] = [];
  for (let start = 0; start < rowCount; start += stretch) {
    const end = Math.min(rowCount, start + stretch);
    const top = createTopK(Math.min(k, topKMax));
    if (view.file !== null)
      yield* scanFile(reader, kernel, { ...view, file: view.file }, { ...scan, from: start, to: end }, top);
    else yield* scanMemory(kernel, view, scan, start, end, top);
    parts.push(foundIn(top, view.rows.metric));
  }
  return parts.length === 1 ? parts[0]! : joinHits(view, parts, k);
}

function* scanMemory(
  kernel: SimdKernel,
  view: DenseView,
  { query, filter, visibility, farthest }: DenseScan,
  start: number,
  end: number,
  top: TopK,
): Steps<void> {
  const { codesAddress: codes } = view;
  const { dim, stride } = view.rows;
  // Where codes rule little out the rows are read, too.
  const chunk = chunkRows(codes === 0 ? stride : Math.max(scanRecordBytes(dim), stride / 4));
  for (let from = start; from < end; from += chunk) {
    const to = Math.min(end, from + chunk);
    // Another query of this thread may have used the bitset since: each chunk brings its own part.
    const address = filter === null ? 0 : copyFilter(kernel, filter, from, to);
    kernel.scan(
      view.rows,
      query,
      { from, to, visibility, filter: address, present: view.presentAddress, codes, farthest },
      top,
    );
    yield;
  }
}

function joinHits(view: DenseView, parts: readonly Hits[], k: number): Hits {
  const all = parts.flatMap((part) => Array.from(part.rows, (row, i) => ({ row, score: part.scores[i]! })));
  all.sort((a, b) => compareScores(view.rows.metric, a.score, b.score) || a.row - b.row);
  const best = all.slice(0, k);
  return {
    rows: Uint32Array.from(best, ({ row }) => row),
    scores: Float32Array.from(best, ({ score }) => score),
    count: best.length,
  };
}

/** The walk of a graph that each kind of plan is. */
export const walkOfPlan = {
  scan_codes: 'codes',
  graph: 'plain',
  filtered_graph: 'filtered',
  linked_graph: 'linked',
} as const;

interface GraphSearch {
  readonly request: SegmentSearch;
  readonly plan: SegmentPlan;
  readonly query: Float32Array;
  readonly visibility: Visibility | null;
}

function walkGraph(
  reader: SegmentReader,
  kernel: SimdKernel,
  view: DenseView,
  { request, plan, query, visibility }: GraphSearch,
): Hits {
  assert(plan.kind !== 'scan', 'an exact scan asked of a graph');
  const graph = reader.descriptor.graphs.find(({ vector }) => vector === request.name)!;
  const { k, filter, quantization } = request;
  const { fallback } = plan;
  return openGraph(reader, kernel, view).search({
    query,
    k: Math.min(k, topKMax),
    ef: plan.ef,
    ...rescoring(graph, request),
    ignoresCodes: quantization?.ignore ?? false,
    visibility,
    filter: filter === null ? 0 : copyPresent(kernel, view, filter, coveredRows(reader, filter)),
    links: plan.links,
    walk: walkOfPlan[plan.kind],
    fallback:
      fallback === null ? null : { walk: walkOfPlan[fallback.kind], expansionsMax: fallback.expansionsMax },
  });
}

/** Copies a filter's first `rowCount` rows to scratch, less the rows without the vector; returns the bitset's address. */
function copyPresent(kernel: SimdKernel, view: DenseView, filter: Uint32Array, rowCount: number): number {
  const address = copyFilter(kernel, filter, 0, rowCount);
  const words = new Uint32Array(kernel.arena.memory.buffer, address, (rowCount + 31) >>> 5);
  const { present } = view;
  for (let i = 0; i < words.length; i += 1) words[i]! &= present[i]!;
  return address;
}

/** Candidates that are asked of the codes. */
function candidatesOf({ k, quantization }: SegmentSearch): number {
  return Math.max(k, Math.floor(k * (quantization?.oversampling ?? 1)));
}

/**
 * How many of them are scored exactly. Without a word about it, as many as the errors of the codes ask for; collections
 * that asked for no quantisation are always rescored, because nobody said that they had codes.
 */
function rescoring(graph: GraphDescriptor, request: SegmentSearch): { rescore?: number } {
  const { quantization } = request;
  if (graph.quantization !== null && quantization?.rescore === false) return { rescore: 0 };
  return (quantization?.oversampling ?? null) === null ? {} : { rescore: candidatesOf(request) };
}

const opened = new WeakMap<SegmentReader, Map<string, VectorIndex>>();

/** The index of a reader's graph, opened once. */
function openGraph(reader: SegmentReader, kernel: SimdKernel, view: DenseView): VectorIndex {
  let byName = opened.get(reader);
  if (byName === undefined) {
    byName = new Map();
    opened.set(reader, byName);
  }
  const { name } = view.schema;
  let index = byName.get(name);
  if (index === undefined) {
    const graph = reader.descriptor.graphs.find(({ vector }) => vector === name)!;
    const region = subregion(reader.descriptor.core, graph.offset, graph.bytes);
    index = openHnsw(kernel, region, view.rows, view.file);
    byName.set(name, index);
  }
  return index;
}

/** What the last walk or scan of codes of a segment's vector did on this thread. REQUIRES: one was done. */
export function searchFactsOf(reader: SegmentReader, name: string): SearchFacts {
  const index = opened.get(reader)?.get(name);
  assert(index !== undefined, `no graph of vector "${name}" was searched`);
  return index.facts();
}

function wrongKind(name: string, want: string, got: string): ClusterError {
  return new ClusterError('invalid_argument', `vector "${name}" is ${want}, the query is ${got}`);
}
