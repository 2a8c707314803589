// The open graph: where its parts lie, read from its header before every call, and the cheap estimate of distances
// from codes of one byte an element. Layout of the header: packages/ann/src/hnsw/format.ts, docs/formats/hnsw.md.
// Always: an estimate orders as the distance does, up to quantisation; it may be negative.
import { QUERY, QUERY16 } from './scratch';
import { difference, differenceRows, product, productRows } from './code-sums';
import { openVisited } from './visited';
import { distance, distanceBetween, isByteMode, sumF32, unpackRow } from './score';
import {
  COMPONENTS,
  length2 as projectedLength2,
  openProjection,
  projectQuery,
  queryMean as projectedMean,
  rest as projectedRest,
} from './projection';
import {
  KIND,
  PROJECTED,
  base as quantisedBase,
  openQuantised,
  prepareQuantised,
  quantisedBytes,
  quantisedEstimate,
  queryLength as quantisedLength,
  queryMean as quantisedMean,
} from './quantised';

export const NONE: u32 = 0xffffffff;
/** Coarse codes put the best estimates too low (they are the luckiest), which asks for some more candidates. */
const QUANTISED_ERRORS: f32 = 1.5;

export let COUNT: u32 = 0;
export let DIM: usize = 0;
export let MODE: i32 = 0;
export let M: u32 = 0;
export let M0: u32 = 0;
export let UPPER: u32 = 0;
export let LAYERS: i32 = 0;
export let CODES: usize = 0;
export let CODE_STRIDE: usize = 0;
export let TERMS: usize = 0;
export let LINKS: usize = 0;
/** Bytes from one row's block (terms, codes, links, neighbour codes) to the next. */
export let BLOCK_STRIDE: usize = 0;
/** Bytes from one row's links in layer 0 to the next's: the blocks', or those of a table of links (payload-links.ts). */
export let LINK_STRIDE: usize = 0;
/** Row 0's links of the graph itself, whatever table was taken, and how many a row has at most. */
export let GRAPH_LINKS: usize = 0;
export let GRAPH_M0: u32 = 0;
/** Row 0's neighbour codes, 0 = none. */
export let NEIGHBOUR_CODES: usize = 0;
export let LANES: u32 = 0;
export let CODEBOOK: usize = 0;
export let SUBSPACES: usize = 0;
export let SUBSPACE_DIMS: usize = 0;
/** Beam of a walk by neighbour codes, or by codes of components, for one by int8 codes. */
export let BEAM_SCALE: f32 = 0;
/** Of walks by neighbour codes: how far beyond the k-th answer rows are expanded where the beam is of k places; 0 = walks have a beam. */
export let REACH: f32 = 0;
/** How crowded distances around the graph's own rows are, 0 = not measured. */
export let CROWDING: f32 = 0;
/** Rows of the upper list that such a walk picks its start from; 0 = it descends through the layers. */
export let ENTRY_TABLE: u32 = 0;
export let UPPER_ROWS: usize = 0;
export let NEXT: usize = 0;
export let MEAN: usize = 0;
export let SCALE: f32 = 0;
/** Elements of int8 codes are cut at this, 0 = none is. */
export let CUT: f32 = 0;
export let HEADER: usize = 0;
export let ROWS: usize = 0;
export let ROW_STRIDE: usize = 0;

/** Elements that estimates read: dim rounded up to 16, or the components. */
let CODE_DIM: usize = 0;
/** Bytes a walk reads of a row. */
let WALK_BYTES: usize = 0;
/** Walks read the f32 rows themselves: the builder found that codes cannot tell the set's neighbours apart. */
let isExact: bool = false;
/** Estimates are of quantised rows, not of int8 codes. */
export let isQuantised: bool = false;
/** Int8 codes are of components of the rows. */
export let isProjected: bool = false;
let isByte: bool = false;
let isUnsigned: bool = false;
let isManhattan: bool = false;
/** 2 where the estimate is a squared Euclidean distance, 1 where it is a negated product. */
let WEIGHT: f32 = 1;
let queryBase: f32 = 0;
let queryScale: f32 = 0;
/** Standard error of an estimate for a row of step 1: rounding a row's elements errs by step / sqrt(12) each. */
let queryError: f32 = 0;
/** Product of the query with the mean, which int8 estimates of products lack. */
let queryMean: f32 = 0;

export function openGraph(header: usize, rows: usize, rowStride: usize, visited: usize): void {
  HEADER = header;
  ROWS = rows;
  ROW_STRIDE = rowStride;
  COUNT = load<u32>(header, 8);
  DIM = load<u32>(header, 12);
  MODE = load<u32>(header, 16);
  M = load<u32>(header, 20);
  M0 = load<u32>(header, 24);
  UPPER = load<u32>(header, 36);
  LAYERS = load<u32>(header, 40);
  isByte = isByteMode(MODE);
  isUnsigned = isByte && MODE < 8;
  const metric = MODE & 3;
  isManhattan = metric == 2;
  WEIGHT = metric == 1 || (metric == 3 && !isByte) ? 2 : 1;
  MEAN = header + load<u32>(header, 76);
  openQuantised(header);
  isProjected = KIND == PROJECTED;
  isQuantised = KIND != 0 && !isProjected;
  if (isProjected) openProjection(header);
  isExact = load<u32>(header, 92) != 0;
  const blocks = header + load<u32>(header, 48);
  BLOCK_STRIDE = load<u32>(header, 52);
  const readsRows = (isByte || isExact) && !isQuantised;
  CODES = readsRows ? rows : blocks + 16;
  CODE_STRIDE = readsRows ? rowStride : BLOCK_STRIDE;
  TERMS = blocks;
  LINKS = blocks + load<u32>(header, 56);
  LINK_STRIDE = BLOCK_STRIDE;
  GRAPH_LINKS = LINKS;
  GRAPH_M0 = M0;
  const neighbourCodes = load<u32>(header, 60);
  NEIGHBOUR_CODES = neighbourCodes == 0 ? 0 : blocks + neighbourCodes;
  LANES = load<u32>(header, 64);
  CODEBOOK = header + load<u32>(header, 192);
  SUBSPACES = load<u32>(header, 196);
  SUBSPACE_DIMS = load<u32>(header, 200);
  BEAM_SCALE = load<f32>(header, 208);
  REACH = load<f32>(header, 152);
  CROWDING = load<f32>(header, 148);
  ENTRY_TABLE = load<u32>(header, 220);
  UPPER_ROWS = header + load<u32>(header, 68);
  NEXT = header + load<u32>(header, 72);
  SCALE = load<f32>(header, 84);
  CUT = load<f32>(header, 248);
  CODE_DIM = isProjected ? COMPONENTS : (DIM + 15) & ~15;
  WALK_BYTES = isQuantised ? quantisedBytes() : isExact ? rowBytes() : CODE_DIM;
  openVisited(visited, COUNT);
}

/** Of a stored row, without what is padding. */
export function rowBytes(): usize {
  if (MODE >= 16) return ((DIM + 31) >> 5) * 18;
  return DIM * (MODE < 4 ? 4 : MODE < 12 ? 1 : 2);
}

/** Elements that kernels read of a row: whole blocks of 64 bytes, of four bits 64 elements. */
export function paddedDim(): usize {
  const block: usize = MODE < 4 ? 15 : MODE < 12 || MODE >= 16 ? 63 : 31;
  return (DIM + block) & ~block;
}

/** Makes walks of the open graph read the stored rows, whatever codes it has. */
export function ignoreCodes(): void {
  isQuantised = false;
  isProjected = false;
  isExact = true;
  CODE_DIM = (DIM + 15) & ~15;
  CODES = ROWS;
  CODE_STRIDE = ROW_STRIDE;
  WALK_BYTES = rowBytes();
}

/** Takes a table u32[rows][2m] for the links of layer 0, until a graph is opened again. Layers above are not to be asked for. */
export function useLinks(table: usize, m: u32): void {
  LINKS = table;
  M = m;
  M0 = 2 * m;
  LINK_STRIDE = (<usize>M0) << 2;
}

/** Rows of a layer above 0: the first ones of the upper list. */
// @ts-ignore: decorator
@inline
export function layerCount(layer: i32): u32 {
  return load<u32>(HEADER + (<usize>layer << 2), 96);
}
/** Address of a node's links: in layer 0 a node is a row, above it is an index of the upper list. */
// @ts-ignore: decorator
@inline
export function linksOf(layer: i32, node: u32): usize {
  if (layer == 0) return LINKS + <usize>node * LINK_STRIDE;
  return HEADER + <usize>load<u32>(HEADER + (<usize>layer << 2), 160) + ((<usize>node * <usize>M) << 2);
}
// @ts-ignore: decorator
@inline
export function rowOf(layer: i32, node: u32): u32 {
  return layer == 0 ? node : load<u32>(UPPER_ROWS + (<usize>node << 2));
}
// @ts-ignore: decorator
@inline
export function nextOf(row: u32): u32 {
  return load<u32>(NEXT + (<usize>row << 2));
}

/** Bytes of cache lines that an estimate reads. */
export function walkBytes(): usize {
  return (WALK_BYTES + 63) & ~63;
}

// @ts-ignore: decorator
@inline
function codesOf(row: u32): usize {
  return CODES + <usize>row * CODE_STRIDE;
}
/** Additive term of a row's estimates. */
// @ts-ignore: decorator
@inline
export function termOf(row: u32): f32 {
  return load<f32>(TERMS + <usize>row * BLOCK_STRIDE);
}
/** What one step of a row's codes is worth. */
// @ts-ignore: decorator
@inline
function stepOf(row: u32): f32 {
  return load<f32>(TERMS + <usize>row * BLOCK_STRIDE, 4);
}

/** Estimated distance of the prepared query to a row. */
export function estimate(row: u32): f32 {
  const codes = codesOf(row);
  if (isQuantised) return quantisedEstimate(row);
  if (isExact) return distance(MODE, codes, CODE_DIM);
  if (isManhattan) {
    const sum = isUnsigned ? difference<u8>(QUERY16, codes, CODE_DIM) : difference<i8>(QUERY16, codes, CODE_DIM);
    return SCALE * sum;
  }
  const dot = isUnsigned ? product<u8>(QUERY16, codes, CODE_DIM) : product<i8>(QUERY16, codes, CODE_DIM);
  return queryBase + termOf(row) - queryScale * stepOf(row) * dot;
}

/** Estimated distance of two rows; bit for bit what `estimate` gives with either as the query. */
export function estimateRows(a: u32, b: u32): f32 {
  const x = codesOf(a),
    y = codesOf(b);
  if (isExact) return distanceBetween(MODE, x, y, CODE_DIM);
  if (isManhattan) return SCALE * (isUnsigned ? differenceRows<u8>(x, y, CODE_DIM) : differenceRows<i8>(x, y, CODE_DIM));
  const dot = isUnsigned ? productRows<u8>(x, y, CODE_DIM) : productRows<i8>(x, y, CODE_DIM);
  return termOf(a) + termOf(b) - WEIGHT * stepOf(a) * stepOf(b) * dot;
}

/** Whether two rows have the same codes and terms, and so the same estimates. */
export function equalCodes(a: u32, b: u32): bool {
  const s = TERMS + <usize>a * BLOCK_STRIDE,
    t = TERMS + <usize>b * BLOCK_STRIDE;
  // The fourth word is a lock.
  if (v128.any_true(v128.and(v128.xor(v128.load(s), v128.load(t)), i32x4(-1, -1, -1, 0)))) return false;
  const x = codesOf(a),
    y = codesOf(b);
  for (let i: usize = 0; i < CODE_DIM; i += 16)
    if (v128.any_true(v128.xor(v128.load(x + i), v128.load(y + i)))) return false;
  return true;
}

/** Loads one word of every cache line of a row's codes, so that the misses of several rows overlap. */
// @ts-ignore: decorator
@inline
export function touchCodes(row: u32): u32 {
  const codes = codesOf(row),
    end = codes + WALK_BYTES;
  let at = codes & ~63,
    sum: u32 = 0;
  while (at < end) {
    sum += load<u32>(at);
    at += 64;
  }
  return sum;
}

/** A row as the query: its own codes, or itself. */
export function queryFromRow(row: u32): void {
  const codes = codesOf(row);
  if (isExact) {
    if (MODE >= 12) unpackRow(MODE, codes, QUERY, CODE_DIM);
    else memory.copy(QUERY, codes, ROW_STRIDE);
    return;
  }
  for (let i: usize = 0; i < CODE_DIM; i += 8) {
    v128.store(
      QUERY16 + (i << 1),
      isUnsigned ? v128.load_ext<u8>(codes + i) : v128.load_ext<i8>(codes + i),
    );
  }
  queryBase = termOf(row);
  queryScale = WEIGHT * stepOf(row);
}

/** Makes the codes' query out of QUERY (prepared by `prepareQuery`). Sums of products stay below 2^31 at any dim. */
export function queryFromVector(): void {
  queryError = 0;
  if (isQuantised) {
    prepareQuantised();
    queryBase = quantisedBase;
    queryError = QUANTISED_ERRORS * quantisedLength;
    return;
  }
  if (isExact) return;
  if (isProjected) {
    queryScale = WEIGHT * projectQuery();
    queryBase = WEIGHT == 2 ? projectedLength2 : 0;
    queryError = WEIGHT * projectedRest;
    queryMean = projectedMean;
    return;
  }
  if (isByte) {
    // QUERY16 holds the integers already, and nothing was rounded.
    let length2: f64 = 0;
    for (let i: usize = 0; i < DIM; i++) {
      const value = <f64>load<i16>(QUERY16 + (i << 1));
      length2 += value * value;
    }
    const metric = MODE & 3;
    queryBase = metric == 1 ? <f32>length2 : 0;
    queryScale = metric == 3 ? (length2 > 0 ? <f32>(1 / sqrt(length2)) : 0) : WEIGHT;
    return;
  }
  let largest = f32x4.splat(0),
    squares = largest;
  const end = DIM << 2;
  for (let i: usize = 0; i < end; i += 16) {
    const c = f32x4.sub(v128.load(QUERY + i), v128.load(MEAN + i));
    largest = f32x4.max(largest, f32x4.abs(c));
    squares = f32x4.add(squares, f32x4.mul(c, c));
  }
  const peak = max<f32>(
    max<f32>(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
    max<f32>(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
  );
  const limit: f32 = min<f32>(2047, <f32>0x7fffff00 / (<f32>127 * <f32>CODE_DIM));
  // Manhattan codes are a common lattice of step SCALE; the query is rounded to it, far beyond the codes' range, or cut as they are:
  // what is cut of the query and of the rows near it is about as much.
  const step: f32 = isManhattan ? SCALE : peak > 0 ? peak / limit : 1;
  const most: f32 = isManhattan && CUT > 0 ? 127 : 16000;
  const inverse = f32x4.splat(1 / step),
    low = f32x4.splat(-most),
    high = f32x4.splat(most);
  for (let i: usize = 0; i < CODE_DIM; i += 8) {
    const at = i << 2;
    const a = f32x4.mul(f32x4.sub(v128.load(QUERY + at), v128.load(MEAN + at)), inverse);
    const b = f32x4.mul(f32x4.sub(v128.load(QUERY + at, 16), v128.load(MEAN + at, 16)), inverse);
    const x = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.min(f32x4.max(a, low), high)));
    const y = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.min(f32x4.max(b, low), high)));
    v128.store(QUERY16 + (i << 1), i16x8.narrow_i32x4_s(x, y));
  }
  queryBase = WEIGHT == 2 ? sumF32(squares) : 0;
  queryScale = WEIGHT * step;
  if ((MODE & 3) == 0) {
    let product = f32x4.splat(0);
    for (let i: usize = 0; i < end; i += 16)
      product = f32x4.add(product, f32x4.mul(v128.load(QUERY + i), v128.load(MEAN + i)));
    queryMean = sumF32(product);
  }
  queryError = isManhattan ? sqrt<f32>(<f32>DIM / 12) : WEIGHT * sqrt<f32>(sumF32(squares) / 12);
}

/** Standard error of the query's estimate for a row, as far as the row's codes are to blame. */
export function errorOf(row: u32): f32 {
  const noted = load<f32>(TERMS + <usize>row * BLOCK_STRIDE, 8);
  return queryError * (isQuantised || noted > 0 ? noted : stepOf(row));
}

/** The distance that an estimate stands for: an estimate may be of another scale, or off by a constant of the query. */
export function distanceOfEstimate(estimated: f32): f32 {
  if (isExact && !isQuantised) return estimated;
  const metric = MODE & 3;
  if (metric == 1) return max<f32>(0, estimated);
  if (metric == 2 || (isByte && !isQuantised)) return estimated;
  if (metric == 0) return estimated - (isQuantised ? quantisedMean : queryMean);
  // Rows and query of length one: a squared distance is 2 - 2 cosine.
  return estimated * <f32>0.5 - 1;
}
