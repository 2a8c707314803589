// Rows quantised as a collection asked for: their codes lie in the blocks in place of the int8 codes that the graph was
// built over. Every kind estimates alike, out of the sum of its own kernel:
//
//   estimate(q, x) = base(q) + term(x) - weight * step(q) * factor(x) * sum(x),
//
// with c = x less the mean, term = |c|^2 (dot: -mean * c) and factor = |c|^2 / <c, worth of the codes>, which makes the
// estimate right for c itself and without bias for others (RaBitQ). Manhattan estimates are sums of differences.
// A block's terms are {term, factor, error, 0}: error is the standard error of an estimate for a query of length one.
// Always: nothing here is used while a graph is built.
import { encodeGrid, fit as gridFit, gridAgreement, gridBytes, gridDifference, gridSum, openGrid, prepareGrid, size2 as gridSize2 } from './grid-codes';
import { BLOCK_STRIDE, DIM, MEAN, MODE, ROWS, ROW_STRIDE, TERMS } from './graph';
import { encodeProduct, fit as productFit, openProduct, prepareProduct, productSum, size2 as productSize2 } from './product-codes';
import { QUERY, QUERY16, VECTOR, WORK } from './scratch';
import { isByteMode, unpackRow } from './score';
import { turn } from './turn';

/** 0: none, 1: a grid, 2: product codes, 3: none, but int8 codes are of components (see projection.ts). */
export let KIND: u32 = 0;
export const PROJECTED: u32 = 3;
let queryBits: u32 = 0;
/** Signs of the rotation, 0 = rows are not turned. */
let signs: usize = 0;
let productBytes: usize = 0;

/** Of the vector centred last: squared length, and product with the mean. */
let length2: f32 = 0;
let meanProduct: f32 = 0;

/** A row that codes point along as little as this is taken at its own length. */
const COSINE_MIN: f32 = 0.05;

export function openQuantised(header: usize): void {
  KIND = load<u32>(header, 224);
  if (KIND == 0 || KIND == PROJECTED) return;
  const trained = load<u32>(header, 236);
  queryBits = load<u32>(header, 232);
  signs = 0;
  if (KIND == 1) {
    openGrid(DIM, load<u32>(header, 228));
    if (trained != 0) signs = header + trained;
    return;
  }
  productBytes = load<u32>(header, 240);
  openProduct(header + trained, productBytes, load<u32>(header, 244));
}

/** Bytes of a row's codes. */
export function quantisedBytes(): usize {
  return KIND == 1 ? gridBytes() : productBytes;
}

/** Takes the mean off VECTOR, and turns it where codes are of turned rows. */
function centre(): void {
  const end = DIM << 2;
  memory.fill(VECTOR + end, 0, 256);
  let squares: f64 = 0,
    product: f64 = 0;
  for (let i: usize = 0; i < end; i += 4) {
    const mean = load<f32>(MEAN + i),
      c = load<f32>(VECTOR + i) - mean;
    store<f32>(VECTOR + i, c);
    squares += <f64>c * <f64>c;
    product += <f64>c * <f64>mean;
  }
  length2 = <f32>squares;
  meanProduct = <f32>product;
  if (signs != 0) turn(signs, DIM);
}

/** Byte rows have a cosine by their direction only. */
function normalise(): void {
  let squares: f64 = 0;
  for (let i: usize = 0; i < DIM << 2; i += 4) squares += <f64>load<f32>(VECTOR + i) * <f64>load<f32>(VECTOR + i);
  if (!(squares > 0)) return;
  const inverse = <f32>(1 / sqrt(squares));
  for (let i: usize = 0; i < DIM << 2; i += 4) store<f32>(VECTOR + i, load<f32>(VECTOR + i) * inverse);
}

function centreRow(row: u32): void {
  const source = ROWS + <usize>row * ROW_STRIDE;
  if (MODE < 4) {
    memory.copy(VECTOR, source, DIM << 2);
  } else if (MODE >= 12) {
    unpackRow(MODE, source, VECTOR, (DIM + 3) & ~3);
  } else {
    for (let i: usize = 0; i < DIM; i++) {
      const value = MODE < 8 ? <f32>load<u8>(source + i) : <f32>load<i8>(source + i);
      store<f32>(VECTOR + (i << 2), value);
    }
    if ((MODE & 3) == 3) normalise();
  }
  centre();
}

function centreQuery(): void {
  if (!isByteMode(MODE)) {
    memory.copy(VECTOR, QUERY, DIM << 2);
  } else {
    for (let i: usize = 0; i < DIM; i++) store<f32>(VECTOR + (i << 2), <f32>load<i16>(QUERY16 + (i << 1)));
    if ((MODE & 3) == 3) normalise();
  }
  centre();
}

/** Codes and terms of a row to its block. REQUIRES: the block is zero there. */
function encode(row: u32, block: usize): void {
  centreRow(row);
  let fit: f32, size2: f32;
  if (KIND == 1) {
    encodeGrid(block + 16);
    fit = gridFit;
    size2 = gridSize2;
  } else {
    encodeProduct(block + 16);
    fit = productFit;
    size2 = productSize2;
  }
  const length = sqrt<f32>(length2),
    cosine = size2 > 0 && length > 0 ? fit / (length * sqrt<f32>(size2)) : 0;
  const isManhattan = (MODE & 3) == 2;
  let factor: f32 = cosine > COSINE_MIN ? length2 / fit : size2 > 0 ? length / sqrt<f32>(size2) : 0;
  let error: f32 = length * sqrt<f32>(max<f32>(0, 1 / max<f32>(cosine * cosine, COSINE_MIN) - 1) / <f32>max<usize>(1, DIM - 1));
  if (isManhattan) {
    // The nearest of the worth's multiples, not the one that keeps the length.
    factor = KIND == 2 ? 1 : size2 > 0 ? fit / size2 : 0;
    error = length * sqrt<f32>(max<f32>(0, 1 - cosine * cosine));
  }
  store<f32>(block, (MODE & 3) == 0 ? -meanProduct : isManhattan ? 0 : length2);
  store<f32>(block, factor, 4);
  store<f32>(block, error, 8);
}

/**
 * Gives rows from..to-1 blocks with codes of the open kind in place of those they have, first row first: a new block is not
 * longer than an old one. REQUIRES: rows before from are done.
 */
export function quantiseRows(
  from: u32,
  to: u32,
  oldStride: usize,
  oldLinks: usize,
  newStride: usize,
  newLinks: usize,
  linkBytes: usize,
): void {
  for (let row = from; row < to; row++) {
    memory.copy(WORK, TERMS + <usize>row * oldStride + oldLinks, linkBytes);
    const block = TERMS + <usize>row * newStride;
    memory.fill(block, 0, newStride);
    memory.copy(block + newLinks, WORK, linkBytes);
    encode(row, block);
  }
}

/** Codes alone of a row, to WORK; returns their address. The row less the mean stays at VECTOR. */
export function encodeAlone(row: u32): usize {
  memory.fill(WORK, 0, quantisedBytes());
  centreRow(row);
  if (KIND == 1) encodeGrid(WORK);
  else encodeProduct(WORK);
  return WORK;
}

/** Of the query: what its estimates start from, what a unit of a sum is worth, its length, what the mean adds to products. */
export let base: f32 = 0;
export let unit: f32 = 0;
export let queryLength: f32 = 0;
export let queryMean: f32 = 0;

/** Prepares the query for `quantisedEstimate`. */
export function prepareQuantised(): void {
  centreQuery();
  const metric = MODE & 3;
  const weight: f32 = metric == 0 ? 1 : 2;
  base = metric == 0 ? 0 : length2;
  queryLength = metric == 2 ? 1 : weight * sqrt<f32>(length2);
  let mean2: f64 = 0;
  for (let i: usize = 0; i < DIM << 2; i += 4) mean2 += <f64>load<f32>(MEAN + i) * <f64>load<f32>(MEAN + i);
  queryMean = <f32>((<f64>meanProduct) + mean2);
  if (metric == 2) {
    if (KIND == 2) prepareProduct(true);
    return;
  }
  if (KIND == 1) {
    unit = weight * prepareGrid(queryBits);
  } else {
    prepareProduct(false);
    unit = weight;
  }
}

// @ts-ignore: decorator
@inline
function estimateOf(block: usize, sum: f32): f32 {
  return base + load<f32>(block) - unit * load<f32>(block, 4) * sum;
}

/** Estimated distance of the query to a row. */
export function quantisedEstimate(row: u32): f32 {
  const block = TERMS + <usize>row * BLOCK_STRIDE;
  if ((MODE & 3) == 2) return KIND == 1 ? gridDifference(block + 16, load<f32>(block, 4)) : productSum(block + 16);
  if (KIND == 2) return estimateOf(block, productSum(block + 16));
  return estimateOf(block, queryBits == 1 ? gridAgreement(block + 16) : gridSum(block + 16));
}
