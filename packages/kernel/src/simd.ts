/**
 * The kernels in WebAssembly SIMD over one arena, and the only caller of the module's exports.
 * Always: one instance per arena and thread; arguments are checked here, the module checks nothing.
 */
import type { Arena } from './arena.ts';
import { assert } from './assert.ts';
import type { Kernel, ScanRange } from './kernel.ts';
import { scoreRowsMax } from './kernel.ts';
import { kernelModule } from './load-wasm.ts';
import { modeOf } from './metric.ts';
import { paddedDimOf, type Rows } from './rows.ts';
import { hasScanCodes, scanRecordBytes } from './scan-codes.ts';
import { scratchOf, stageBytes } from './scratch.ts';
import { topKMax, type TopK } from './top-k.ts';

/** The module's exports. Addresses and counts are u32, passed as JS numbers. */
export interface KernelExports {
  placeScratch(...addresses: number[]): void;
  prepareQuery(mode: number, dim: number): void;
  scoreList(mode: number, rows: number, stride: number, padded: number, count: number): void;
  scoreRange(mode: number, rows: number, stride: number, padded: number, from: number, to: number): void;
  scanTop(...numbers: number[]): number;
  /** src/scan-codes.ts is the only caller. */
  encodeScanned(row: number, padded: number, record: number): void;
  /** src/staged.ts is the only caller. */
  stagedTop(...numbers: number[]): number;
  /** Selects a graph for the calls below: its header, its rows and this thread's visited marks. */
  openGraph(header: number, rows: number, rowStride: number, visited: number): void;
  /** The next search of the open graph reads the stored rows instead of codes. */
  ignoreCodes(): void;
  /** Searches of the open graph pass over a row, as if it had not been inserted. */
  hideRow(row: number): void;
  /** Links within blocks of rows; assembly/payload-links.ts. What is offered holds for the calls below and a search, until the next offer. */
  offerBlocks(...numbers: number[]): void;
  insertLinked(row: number, ef: number, entries: number): void;
  fillLinked(row: number): void;
  adoptLinked(row: number, ef: number): number;
  encodeRows(from: number, to: number): void;
  /** Quantised rows: new blocks with codes in place of those there are; the codes of one row, at the returned address. */
  quantiseRows(...numbers: number[]): void;
  encodeAlone(row: number): number;
  /** Coordinates of a row along the open graph's directions, at the returned address; the row less the mean at `vectorAddress`. */
  projectRow(row: number): number;
  /** Adds that vector times each of these coordinates to directions. */
  addProjected(directions: number): void;
  insertUpper(node: number, ef: number): void;
  /** Rows of layer 0 marked as pending; 0: it was not. */
  insertPending(row: number, ef: number): number;
  adopt(row: number, ef: number): number;
  /** Candidates in `list`. */
  patchLinks(row: number, count: number, wanted: number): void;
  readonly searchGraph: (...numbers: number[]) => number;
  /** The rows that `searchGraph` would score exactly, to `list`. */
  readonly listCandidates: (...numbers: number[]) => number;
  /** What the last search did; assembly/graph-search.ts numbers the facts. */
  searchFact(index: number): number;
  /** Bytes of blocks and codes that the last walk read. */
  walkedBytes(): number;
  /** Neighbour codes, in this order: the free links of a row, a larger block for each, the codes. */
  fillLinks(row: number, places: number): void;
  spreadBlocks(from: number, to: number, oldStride: number, newStride: number): void;
  encodeNeighbours(row: number): void;
  /** Undoes `spreadBlocks`. */
  gatherBlocks(from: number, to: number, oldStride: number, newStride: number): void;
  estimateTop(k: number, from: number, to: number, present: number, count: number): number;
  /** src/max-sim.ts is the only caller. */
  maxSim(queryRows: number, rows: number, count: number, stride: number): number;
  /** src/max-sim-codes.ts is the only caller of these. */
  encodeMaxSim(metric: number, rows: number, count: number, stride: number, codes: number): void;
  estimateMaxSim(queryRows: number, points: number, stride: number, ...bound: number[]): void;
  /** src/sparse.ts is the only caller of these. */
  sparseBest(terms: number, to: number, filter: number, k: number): number;
  sparseCandidates(...numbers: number[]): number;
}

/** The SIMD kernel; `exports` is for the graph kernels of `ann`, which share the instance and its scratch. */
export interface SimdKernel extends Kernel {
  readonly exports: KernelExports;
  /** Address of f32[65536]: the row that `encodeAlone` encoded last, less the mean. */
  readonly vectorAddress: number;
  /** Row numbers that a call left, or that are given to one. */
  readonly list: Uint32Array;
  /** Room for rows of a file, and its address: free between calls, and after a search has listed its candidates. */
  readonly stage: Uint8Array;
  readonly stageAddress: number;
  /** Writes a query to scratch and prepares it for rows of this kind. */
  setQuery(rows: Rows, query: Float32Array): void;
  /** As `scoreRange`, with the query that was set last. */
  scorePrepared(rows: Rows, from: number, to: number): Float32Array;
  /** Puts `top.count` keys into scratch, for a call that goes on from them. */
  writeTop(top: TopK): void;
  /** Copies `top.count` keys that a call left in scratch. */
  readTop(top: TopK): void;
}

export function createSimdKernel(arena: Arena, thread: number): SimdKernel {
  const instance = new WebAssembly.Instance(kernelModule(), { env: { memory: arena.memory } });
  const exports = instance.exports as unknown as KernelExports;
  const scratch = scratchOf(arena, thread);
  const { query, query16, top, open, list, scores, work, vector, integers, tables, constants } = scratch;
  exports.placeScratch(query, query16, top, open, list, scores, work, vector, integers, tables, constants);

  const { buffer } = arena.memory;
  const queryView = new Float32Array(buffer, scratch.query, 65_536);
  const listView = new Uint32Array(buffer, scratch.list, scoreRowsMax);
  const scoresView = new Float32Array(buffer, scratch.scores, scoreRowsMax);
  const topView = new BigUint64Array(buffer, scratch.top, topKMax);

  function setQuery(rows: Rows, vector: Float32Array): void {
    assert(vector.length === rows.dim, `query has dim ${vector.length}, rows have ${rows.dim}`);
    queryView.set(vector);
    exports.prepareQuery(modeOf(rows.metric, rows.element), rows.dim);
  }

  function scorePrepared(rows: Rows, from: number, to: number): Float32Array {
    assert(to - from <= scoreRowsMax, `${to - from} rows in one call, most is ${scoreRowsMax}`);
    const mode = modeOf(rows.metric, rows.element);
    const padded = paddedDimOf(rows.element, rows.dim);
    exports.scoreRange(mode, rows.address, rows.stride, padded, from, to);
    return scoresView.subarray(0, to - from);
  }

  return {
    arena,
    thread,
    exports,
    bitsetAddress: scratch.bitset,
    bitsetBytes: scratch.bitsetBytes,
    vectorAddress: scratch.vector,
    list: listView,
    stage: new Uint8Array(buffer, scratch.open, stageBytes),
    stageAddress: scratch.open,
    setQuery,

    writeTop(best) {
      if (best.count > 0) topView.set(best.heap.subarray(0, best.count));
    },

    readTop(best) {
      best.heap.set(topView.subarray(0, best.count));
    },

    score(rows, vector, rowList) {
      assert(rowList.length <= scoreRowsMax, `${rowList.length} rows in one call, most is ${scoreRowsMax}`);
      setQuery(rows, vector);
      listView.set(rowList);
      const mode = modeOf(rows.metric, rows.element);
      const padded = paddedDimOf(rows.element, rows.dim);
      exports.scoreList(mode, rows.address, rows.stride, padded, rowList.length);
      return scoresView.subarray(0, rowList.length);
    },

    scoreRange(rows, vector, from, to) {
      setQuery(rows, vector);
      return scorePrepared(rows, from, to);
    },
    scorePrepared,

    scan(rows, vector, range: ScanRange, best: TopK) {
      if (range.from >= range.to) return;
      setQuery(rows, vector);
      if (best.count > 0) topView.set(best.heap.subarray(0, best.count));
      const { visibility, codes = 0, farthest = Infinity } = range;
      assert(codes === 0 || hasScanCodes(rows), `no codes for ${rows.metric} over ${rows.element}`);
      best.count = exports.scanTop(
        modeOf(rows.metric, rows.element),
        rows.address,
        rows.stride,
        paddedDimOf(rows.element, rows.dim),
        range.from,
        range.to,
        visibility === null ? 0 : visibility.born,
        visibility === null ? 0 : visibility.death,
        visibility === null ? 0 : visibility.group,
        range.filter,
        range.present,
        codes,
        codes === 0 ? 0 : scanRecordBytes(rows.dim),
        farthest,
        best.k,
        best.count,
      );
      best.heap.set(topView.subarray(0, best.count));
    },
  };
}
