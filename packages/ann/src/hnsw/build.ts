/**
 * Building a graph over rows that already lie in the arena, by steps of the caller's size. Always: one thread builds, and others
 * may help it in its longest stages (`help.ts`); without help the same rows, parameters and seed give the same bytes; when
 * `step` has returned true every row that has the vector can be reached from where searches start, or is equal to one that can.
 *
 * Stages: sample (mean and range) -> encode (codes of all rows) -> discern (are codes enough?) -> upper list -> the other rows -> reach (rows that no
 * link leads to are adopted) -> rows to measure by and their nearest (`calibration.ts`) -> neighbour codes (`neighbour-codes.ts`) or quantised rows (`quantise.ts`), where asked for
 * -> recall curves (`calibration.ts`).
 */
import {
  accessRows,
  createRng,
  isFloat,
  modeOf,
  segmentRowsMax,
  type ByteFile,
  type Region,
  type Rows,
  type SimdKernel,
} from '@quiver/kernel';
import { askOwn, calibrate, nothingAsked, usualCrowding } from './calibration.ts';
import { encodeShare, makeCodes } from './codes.ts';
import {
  builtBytesOf,
  headerBytes,
  hnswBytes,
  layoutOf,
  magic,
  mMax,
  none,
  persistedBytesOf,
  projectedPlacesOf,
  storedHnswBytes,
  version,
  type HnswLayout,
  type HnswShape,
  type NeighbourCodesWish,
  type ProjectionWish,
  type PayloadLinksShape,
} from './format.ts';
import { viewGraph, type GraphView } from './graph-view.ts';
import { writeMean } from './mean.ts';
import { replacesCodes, type Quantization } from '../quantization.ts';
import { addNeighbourCodes } from './neighbour-codes.ts';
import { chooseBeam } from './projection-beam.ts';
import { buildPayloadLinks, linkingRows, type LinkedField } from './payload-links.ts';
import { placeProjection } from './projection.ts';
import { quantiseGraph } from './quantise.ts';
import { Reach } from './reach.ts';
import { carryLinks, isWorthReusing, rowStates, type ReusedGraph } from './reuse.ts';
import { visitedAddress } from './search.ts';
import { forgetHelp, helpedUnits, isShared, shareStage } from './shared-stage.ts';

export interface HnswParams {
  /** In the same arena as the region, unless they are in a file. */
  readonly rows: Rows;
  /** Rows of floats or halves that are in a file and not in the arena; REQUIRES: no neighbour codes. */
  readonly file?: ByteFile | null;
  readonly count: number;
  /** As given to `hnswBytes`. */
  readonly m: number;
  readonly threads: number;
  /** Beam width while building: 1..4096. */
  readonly efConstruct: number;
  readonly seed: number;
  /** Address of the bitset of rows that have the vector, 0 = all. */
  readonly present: number;
  /** As given to `hnswBytes`. */
  readonly neighbourCodes: NeighbourCodesWish;
  /** As given to `hnswBytes`. */
  readonly quantization: Quantization | null;
  /** As given to `hnswBytes`. */
  readonly projection?: ProjectionWish;
  /** As given to `hnswBytes`. */
  readonly payloadLinks?: PayloadLinksShape | null;
  /** Fields whose blocks get links, at most as many as there are tables. */
  readonly linkedFields?: readonly LinkedField[];
  /** The graph has codes and payload links only: no walk of all rows may be asked of it. REQUIRES: no neighbour codes, no projection. */
  readonly isUnlinked?: boolean;
  /** A graph over many of the rows to go on from. */
  readonly reused?: ReusedGraph | null;
}

/** Codes cannot tell the rows apart, and the rows are not in memory: nothing was built. */
export class RowsNeededError extends Error {
  constructor() {
    super('walks need the rows in memory: codes of one byte cannot tell them apart');
    this.name = 'RowsNeededError';
  }
}

export interface HnswBuilder {
  /** Does about `rows` rows' worth of work; true when the graph is complete. @throws {RowsNeededError} */
  step(rows: number): boolean;
  /** Rows' worth of work done, by helpers too, and to do, for progress. */
  readonly done: number;
  readonly total: number;
  /** Helpers may come now. */
  readonly isShared: boolean;
}

const repairRoundsMax = 8;
/** In a row's terms; see assembly/row-lock.ts. */
const pendingAt = 14;

export function createHnsw(kernel: SimdKernel, region: Region, params: HnswParams): HnswBuilder {
  const { count, m } = params;
  if (m < 2 || m > mMax) throw new Error(`invariant broken: m ${m} is outside 2..${mMax}`);
  if (count > segmentRowsMax) throw new Error(`invariant broken: ${count} rows, most is ${segmentRowsMax}`);
  const { buffer } = kernel.arena.memory;
  const total = count + Math.ceil(count / encodeShare) + linkingRows(params);
  let done = 0;
  const stages = build(kernel, region, params, (rows) => (done += rows));
  let isComplete = false;
  return {
    total,
    get done() {
      return done === 0 ? 0 : Math.min(done + helpedUnits(buffer, region), total);
    },
    get isShared() {
      return done > 0 && !isComplete && isShared(buffer, region);
    },
    step(rows) {
      // A stage yields after every row's worth of work.
      for (let i = 0; i < rows && !isComplete; i += 1) {
        isComplete = stages.next().done === true;
        done += 1;
      }
      return isComplete;
    },
  };
}

function* build(
  kernel: SimdKernel,
  region: Region,
  params: HnswParams,
  onDone: (rows: number) => void,
): Generator<undefined, void, undefined> {
  if (yield* buildOnce(kernel, region, params, true, onDone)) return;
  yield* buildOnce(kernel, region, params, false, onDone);
}

/**
 * @param triesProjection - where the shape is one for it
 * @returns false: no beam of codes of components keeps the recall, and the graph is to be built without them
 */
function* buildOnce(
  kernel: SimdKernel,
  region: Region,
  params: HnswParams,
  triesProjection: boolean,
  onDone: (rows: number) => void,
): Generator<undefined, boolean, undefined> {
  const { count, seed } = params;
  const access = accessRows(kernel, params.rows, params.file ?? null);
  const { rows } = access;
  if (access.file !== null && (!isFloat(rows.element) || params.neighbourCodes !== 'never'))
    throw new Error('invariant broken: a graph that reads rows is built without them');
  const { exports } = kernel;
  const { buffer } = kernel.arena.memory;
  const isPresent = presenceOf(buffer, params);
  let presentCount = 0;
  for (let row = 0; row < count; row += 1) if (isPresent(row)) presentCount += 1;
  const shape = shapeOf(params);
  const layout = layoutOf(shape, presentCount);
  const { bytes } = hnswBytes(shape);
  if (bytes > region.bytes)
    throw new Error(`invariant broken: graph of ${bytes} bytes in a region of ${region.bytes}`);
  const upper = pickUpper(seed, count, presentCount, layout.layerCounts[0]!, isPresent);
  writeHeader(buffer, region, params, layout, presentCount);
  new Uint32Array(buffer, region.offset + layout.upper, upper.length).set(upper);
  writeMean(kernel, region, params, access, layout, isPresent);
  yield;

  const visited = visitedAddress(region, builtBytesOf(layout, shape), count, kernel.thread);
  // Other users of this thread's kernel may open other graphs between steps.
  const open = (): void => exports.openGraph(region.offset, rows.address, rows.stride, visited);
  const openRows = (from: number, to: number): void =>
    exports.openGraph(region.offset, access.window(from, to).address, rows.stride, visited);
  const isProjected = yield* makeCodes(
    kernel,
    region,
    { params, access, layout, upper, isPresent, triesProjection },
    { open, openRows },
  );
  if (access.file !== null && viewGraph(buffer, region).walksRows) throw new RowsNeededError();
  const { isUnlinked = false } = params;
  if (isUnlinked) onDone(count);
  else yield* insertRows(kernel, region, params, layout, upper, isPresent, open, onDone);
  const own = isUnlinked ? nothingAsked : yield* askOwn(kernel, region, params, access, upper);
  new Float32Array(buffer, region.offset, 64)[148 / 4] = usualCrowding(own);
  if (isProjected) {
    yield* shareStage(buffer, region, 'fill', count, (row) => {
      open();
      exports.fillLinks(row, projectedPlacesOf(params.m));
      return true;
    });
    placeProjection(kernel, region, params, layout);
  } else if (params.neighbourCodes !== 'never')
    yield* addNeighbourCodes(kernel, region, params, layout, own, open);
  const link = (): Generator<undefined, void, undefined> =>
    buildPayloadLinks(kernel, region, params, layout, isPresent, open, onDone);
  if (!isProjected) yield* link();
  const { quantization } = params;
  if (replacesCodes(quantization))
    yield* quantiseGraph(kernel, region, { ...params, quantization }, layout, isPresent, access, openRows);
  // What helpers did stays done.
  onDone(helpedUnits(buffer, region));
  forgetHelp(buffer, region);
  // Complete but for its curves: they are measured by searching it.
  new Uint32Array(buffer, region.offset, 64)[44 / 4] = 1;
  if (isUnlinked) return true;
  if (isProjected) {
    if (!(yield* chooseBeam(kernel, region, access, own.known))) return false;
    yield* link();
  }
  yield* calibrate(kernel, region, access, layout, own);
  return true;
}

/** Links all rows. */
function* insertRows(
  kernel: SimdKernel,
  region: Region,
  params: HnswParams,
  layout: HnswLayout,
  upper: Uint32Array,
  isPresent: (row: number) => boolean,
  open: () => void,
  onDone: (rows: number) => void,
): Generator<undefined, void, undefined> {
  const { count, efConstruct } = params;
  const { exports } = kernel;
  const { buffer } = kernel.arena.memory;
  const linked = yield* prepareRows(kernel, region, params, layout, upper, isPresent, open);
  onDone(linked);
  for (let node = 0; node < upper.length; node += 1) {
    open();
    exports.insertUpper(node, efConstruct);
    yield;
  }
  yield* shareStage(buffer, region, 'insert', count, (row) => {
    open();
    return exports.insertPending(row, efConstruct) === 1;
  });
  yield* adoptUnreached(viewGraph(buffer, region), isPresent, (row) => {
    open();
    exports.adopt(row, efConstruct);
  });
}

/**
 * Says of every row whether it is to be inserted, after carrying over what an older graph has.
 * @param upper - a row that stays linked comes first, and rows that others stand for give way to them
 * @returns rows that need nothing
 */
function* prepareRows(
  kernel: SimdKernel,
  region: Region,
  { count, reused = null }: HnswParams,
  layout: HnswLayout,
  upper: Uint32Array,
  isPresent: (row: number) => boolean,
  open: () => void,
): Generator<undefined, number, undefined> {
  const { buffer } = kernel.arena.memory;
  const graph = viewGraph(buffer, region);
  const isReused = reused !== null && isWorthReusing(reused, graph.presentCount);
  const { states, copies } = isReused
    ? yield* carryLinks(graph, reused, (row, candidates, lost) => {
        open();
        kernel.list.set(candidates);
        kernel.exports.patchLinks(row, candidates.length, lost);
      })
    : { states: new Uint8Array(count).fill(rowStates.insert), copies: new Map<number, number>() };
  const pending = new Uint16Array(buffer, region.offset + layout.blocks);
  let linked = 0;
  for (let row = 0; row < count; row += 1)
    if (!isPresent(row) || states[row] === rowStates.linked) linked += 1;
    else pending[(row * graph.blockBytes + pendingAt) / 2] = states[row]!;
  if (!isReused) return linked;
  for (const [i, row] of upper.entries()) upper[i] = copies.get(row) ?? row;
  const first = upper.findIndex((row) => states[row] === rowStates.linked);
  if (first >= 0) [upper[0], upper[first]] = [upper[first]!, upper[0]!];
  else {
    // None where nothing was carried over: rows that are all copies of one have no links.
    const other = states.findIndex(
      (state, row) => state === rowStates.linked && isPresent(row) && !copies.has(row),
    );
    if (other >= 0) upper[0] = other;
  }
  graph.upper.set(upper);
  return linked;
}

/** Gives every unreached row a link from a near one, and looks again: that one may itself have been cut off. */
function* adoptUnreached(
  graph: GraphView,
  isPresent: (row: number) => boolean,
  adopt: (row: number) => void,
): Generator<undefined, void, undefined> {
  for (let round = 0; round < repairRoundsMax; round += 1) {
    const reach = new Reach(graph);
    if (graph.presentCount > 0) reach.add(graph.upper[0]!);
    while (!reach.step(4096)) yield;
    let isSettled = true;
    for (let row = 0; row < graph.count; row += 1) {
      if (reach.has(row) || !isPresent(row)) continue;
      isSettled = false;
      adopt(row);
      reach.add(row);
      while (!reach.step(4096)) yield;
      yield;
    }
    if (isSettled) return;
  }
}

export function shapeOf(params: HnswParams): HnswShape {
  const { dim, element } = params.rows;
  return { ...params, dim, element };
}

export function presenceOf(
  buffer: ArrayBuffer | SharedArrayBuffer,
  { present, count }: HnswParams,
): (row: number) => boolean {
  if (present === 0) return () => true;
  const bits = new Uint32Array(buffer, present, Math.ceil(count / 32));
  return (row) => ((bits[row >>> 5]! >>> (row & 31)) & 1) === 1;
}

/** An even draw without repetition of the rows that also live in upper layers. */
function pickUpper(
  seed: number,
  count: number,
  presentCount: number,
  wanted: number,
  isPresent: (row: number) => boolean,
): Uint32Array {
  const pool = new Uint32Array(presentCount);
  for (let row = 0, at = 0; row < count; row += 1)
    if (isPresent(row)) {
      pool[at] = row;
      at += 1;
    }
  const rng = createRng(seed);
  const picked = Math.min(wanted, presentCount);
  for (let i = 0; i < picked; i += 1) {
    const j = i + rng.below(presentCount - i);
    [pool[i], pool[j]] = [pool[j]!, pool[i]!];
  }
  return pool.slice(0, picked);
}

/** The header, and empty lists. */
function writeHeader(
  buffer: ArrayBuffer | SharedArrayBuffer,
  region: Region,
  params: HnswParams,
  layout: HnswLayout,
  presentCount: number,
): void {
  const { rows, count, m, efConstruct, seed } = params;
  new Uint8Array(buffer, region.offset, headerBytes).fill(0);
  const header = new Uint32Array(buffer, region.offset, headerBytes / 4);
  const isEmpty = presentCount === 0;
  header.set([magic, version, count, rows.dim, modeOf(rows.metric, rows.element), m, 2 * m, efConstruct]);
  header.set([seed, isEmpty ? 0 : layout.layerCounts[0]!, layout.layerCounts.length, 0], 8);
  header.set([layout.blocks, layout.plain.stride, layout.plain.links, 0, layout.lanes], 12);
  const persistedBytes = persistedBytesOf(layout, layout.plain, count);
  header.set([layout.upper, layout.next, layout.mean, persistedBytes, 0, presentCount], 17);
  header.set(isEmpty ? [0] : layout.layerCounts, 25);
  header.set(layout.upperLinks.slice(0, layout.layerCounts.length - 1), 41);
  const lists = new Uint32Array(buffer, region.offset + layout.upper, (layout.blocks - layout.upper) / 4);
  lists.fill(none);
  const blocksEnd = layout.blocks + layout.plain.stride * count;
  new Uint8Array(buffer, region.offset + blocksEnd, persistedBytes - blocksEnd).fill(0);
  clearMarks(buffer, region, builtBytesOf(layout, shapeOf(params)), params);
}

/** The threads' visited marks lie behind what is stored. */
export function clearMarks(
  buffer: ArrayBuffer | SharedArrayBuffer,
  region: Region,
  persistedBytes: number,
  shape: { readonly count: number; readonly threads: number },
): void {
  const bytes = storedHnswBytes(persistedBytes, shape) - persistedBytes;
  new Uint8Array(buffer, region.offset + persistedBytes, bytes).fill(0);
}
