// Codes of a vector's leading principal components, for graphs whose rows vary along few directions: with W the orthonormal
// directions, c the row less the mean, y = c W and r the length of what is left of c,
//
//   <c, c'>  ~  <y, y'> + share * r r',    share = what the rests of near rows have in common (their mean cosine).
//
// The second term is one more coordinate, sqrt(share) * r, so that estimates are made as those of int8 codes are, out of
// COMPONENTS bytes instead of DIM; lengths are exact. A row's terms note how far its estimates may be off.
// W lies as i16[COMPONENTS / 16][DIM / 2, rounded up][16][2], one being 16,384; its last direction is zero: that place is the rest's.
// Always: no relaxed instruction; the same vector gives the same codes.
import { CODES, CODE_STRIDE, DIM, BLOCK_STRIDE, MEAN, MODE, ROWS, ROW_STRIDE, TERMS } from './graph';
import { sumF32, unpackRow } from './score';
import { INTEGERS, QUERY, QUERY16, TABLES, VECTOR } from './scratch';

/** Bytes of a row's codes, a multiple of 16; 0 = the open graph has no such codes. */
export let COMPONENTS: usize = 0;
let DIRECTIONS: usize = 0;
/** What a direction's element of one is stored as, and the largest integer of a vector: sums stay below 2^31 up to 4,096 dimensions. */
const DIRECTION_ONE: f32 = 16_384;
const ROUNDED_MAX: f32 = 2047;
let shareRoot: f32 = 0;
/** Standard deviation of the cosine between the rests of near rows. */
let spread: f32 = 0;

/** Of the vector centred last: squared length, product with the mean, and the length that its components leave. */
export let length2: f32 = 0;
let meanProduct: f32 = 0;
export let rest: f32 = 0;
/** Product of the query with the mean. */
export let queryMean: f32 = 0;

export function openProjection(header: usize): void {
  DIRECTIONS = header + load<u32>(header, 236);
  COMPONENTS = load<u32>(header, 240);
  shareRoot = sqrt<f32>(load<f32>(header, 228));
  spread = load<f32>(header, 232);
}

// @ts-ignore: decorator
@inline
function highest(v: v128): f32 {
  return max<f32>(
    max<f32>(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max<f32>(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

/** The floats at `source` (zero-padded to four) less the mean, to VECTOR. */
function centre(source: usize): void {
  let squares = f32x4.splat(0),
    products = squares;
  const end = DIM << 2;
  for (let i: usize = 0; i < end; i += 16) {
    const mean = v128.load(MEAN + i),
      c = f32x4.sub(v128.load(source + i), mean);
    v128.store(VECTOR + i, c);
    squares = f32x4.add(squares, f32x4.mul(c, c));
    products = f32x4.add(products, f32x4.mul(c, mean));
  }
  length2 = sumF32(squares);
  meanProduct = sumF32(products);
}

/** VECTOR in integers of 12 bits to INTEGERS; returns what one is worth. */
function roundVector(): f32 {
  let largest = f32x4.splat(0);
  const end = DIM << 2;
  for (let i: usize = 0; i < end; i += 16) largest = f32x4.max(largest, f32x4.abs(v128.load(VECTOR + i)));
  const peak = highest(largest);
  const step: f32 = peak > 0 ? peak / ROUNDED_MAX : 1;
  const inverse = f32x4.splat(1 / step);
  // Of odd dims the last pair lacks one.
  v128.store(INTEGERS + ((DIM & ~3) << 1), i32x4.splat(0));
  for (let i: usize = 0; i < end; i += 16) {
    const x = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(VECTOR + i), inverse)));
    v128.store64_lane(INTEGERS + (i >> 1), i16x8.narrow_i32x4_s(x, x), 0);
  }
  return step;
}

/** Coordinates of VECTOR to TABLES: two elements of it and sixteen coordinates at a time. */
function project(): void {
  const unit = f32x4.splat(roundVector() / DIRECTION_ONE);
  const stop = INTEGERS + (((DIM + 1) & ~1) << 1);
  let w = DIRECTIONS,
    target = TABLES;
  const end = TABLES + (COMPONENTS << 2);
  while (target < end) {
    let a = i32x4.splat(0),
      b = a,
      c = a,
      d = a;
    for (let at = INTEGERS; at < stop; at += 4) {
      const x = v128.load32_splat(at);
      a = i32x4.add(a, i32x4.dot_i16x8_s(x, v128.load(w)));
      b = i32x4.add(b, i32x4.dot_i16x8_s(x, v128.load(w, 16)));
      c = i32x4.add(c, i32x4.dot_i16x8_s(x, v128.load(w, 32)));
      d = i32x4.add(d, i32x4.dot_i16x8_s(x, v128.load(w, 48)));
      w += 64;
    }
    v128.store(target, f32x4.mul(f32x4.convert_i32x4_s(a), unit));
    v128.store(target, f32x4.mul(f32x4.convert_i32x4_s(b), unit), 16);
    v128.store(target, f32x4.mul(f32x4.convert_i32x4_s(c), unit), 32);
    v128.store(target, f32x4.mul(f32x4.convert_i32x4_s(d), unit), 48);
    target += 64;
  }
}

/** Puts the rest's coordinate to its place; returns the largest coordinate. */
function completeCoordinates(): f32 {
  let squares = f32x4.splat(0),
    largest = squares;
  for (let i: usize = 0; i < COMPONENTS << 2; i += 16) {
    const y = v128.load(TABLES + i);
    squares = f32x4.add(squares, f32x4.mul(y, y));
    largest = f32x4.max(largest, f32x4.abs(y));
  }
  rest = sqrt<f32>(max<f32>(0, length2 - sumF32(squares)));
  const last = shareRoot * rest;
  store<f32>(TABLES + ((COMPONENTS - 1) << 2), last);
  return max<f32>(highest(largest), last);
}

// @ts-ignore: decorator
@inline
function rounded(at: usize, inverse: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(TABLES + at), inverse)));
}

function centreRow(row: u32): void {
  let source = ROWS + <usize>row * ROW_STRIDE;
  if (MODE >= 12) {
    unpackRow(MODE, source, VECTOR, (DIM + 3) & ~3);
    memory.fill(VECTOR + (DIM << 2), 0, 16);
    source = VECTOR;
  }
  centre(source);
}

/** Codes and terms of a row to its block. */
export function encodeProjected(row: u32): void {
  const codes = CODES + <usize>row * CODE_STRIDE,
    terms = TERMS + <usize>row * BLOCK_STRIDE;
  centreRow(row);
  project();
  const largest = completeCoordinates();
  const step: f32 = largest > 0 ? largest / 127 : 1;
  const inverse = f32x4.splat(1 / step);
  for (let i: usize = 0; i < COMPONENTS; i += 16) {
    const at = i << 2;
    const low = i16x8.narrow_i32x4_s(rounded(at, inverse), rounded(at + 16, inverse)),
      high = i16x8.narrow_i32x4_s(rounded(at + 32, inverse), rounded(at + 48, inverse));
    v128.store(codes + i, i8x16.narrow_i16x8_s(low, high));
  }
  store<f32>(terms, (MODE & 3) == 0 ? -meanProduct : length2);
  store<f32>(terms, step, 4);
  store<f32>(terms, spread * rest, 8);
}

/** Makes the codes' query out of QUERY, to QUERY16; returns what one step of it is worth. */
export function projectQuery(): f32 {
  centre(QUERY);
  let mean2 = f32x4.splat(0);
  for (let i: usize = 0; i < DIM << 2; i += 16) mean2 = f32x4.add(mean2, f32x4.mul(v128.load(MEAN + i), v128.load(MEAN + i)));
  queryMean = meanProduct + sumF32(mean2);
  project();
  const largest = completeCoordinates();
  const step: f32 = largest > 0 ? largest / ROUNDED_MAX : 1;
  const inverse = f32x4.splat(1 / step);
  for (let i: usize = 0; i < COMPONENTS; i += 8) {
    const at = i << 2;
    v128.store(QUERY16 + (i << 1), i16x8.narrow_i32x4_s(rounded(at, inverse), rounded(at + 16, inverse)));
  }
  return step;
}

// Training: the builder goes through a sample of rows with these.

/** Coordinates of a row by the open graph's directions; their address. The row less the mean stays at VECTOR. */
export function projectRow(row: u32): usize {
  centreRow(row);
  project();
  return TABLES;
}

/** Adds VECTOR times each coordinate at TABLES to f32[COMPONENTS / 16][DIM rounded up to 2][16] at `sums`. */
export function addProjected(sums: usize): void {
  const bytes = ((DIM + 1) & ~1) << 2;
  for (let from = TABLES, end = TABLES + (COMPONENTS << 2); from < end; from += 64) {
    const a = v128.load(from),
      b = v128.load(from, 16),
      c = v128.load(from, 32),
      d = v128.load(from, 48);
    for (let at = VECTOR, stop = VECTOR + bytes; at < stop; at += 4) {
      const x = v128.load32_splat(at);
      v128.store(sums, f32x4.add(v128.load(sums), f32x4.mul(x, a)));
      v128.store(sums, f32x4.add(v128.load(sums, 16), f32x4.mul(x, b)), 16);
      v128.store(sums, f32x4.add(v128.load(sums, 32), f32x4.mul(x, c)), 32);
      v128.store(sums, f32x4.add(v128.load(sums, 48), f32x4.mul(x, d)), 48);
      sums += 64;
    }
  }
}
