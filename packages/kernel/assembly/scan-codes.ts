// Codes of four bits an element for rows of floats that are scanned: an eighth of the bytes, and a bound of how near the row can be. A row
// whose bound is beyond the farthest of the best k is passed over; any other is scored by what is stored.
// Always: a scan finds what it would find without codes. Rows that codes cannot bound (not finite, or too large) are never passed over.
//
// A row's record: f32 factor, f32 most of |r|, f32 |v|, f32 |v|^2, then its codes w, with v = factor * w + r and r at right angles to w.
// With the query q, its own codes q' of a byte and u the unit vector along w, by Cauchy and Schwarz
//   <q, v>  <=  factor * <q', w> + |q - q'| * |v| + sqrt(|q|^2 - <q, u>^2) * |r|.
// Sixteen bytes have 32 elements: byte b the elements b (low half) and 16 + b, each worth its code less 8, so that zeros are exact.
import { INTEGERS, QUERY } from './scratch';
import { sumF32, sumI32 } from './score';

export const TERM_BYTES: usize = 16;
/** Elements of a larger or smaller largest one have no codes: nothing in between can overflow. */
const LARGEST: f32 = 1e15;
const LEAST: f32 = 1e-15;
/** Behind the query's codes. */
const MASK_AT: usize = 65_536;
/** Of a query's codes. */
const QUERY_MOST: f64 = 127;
const LEVEL_LEAST: f32 = -8;
const LEVEL_MOST: f32 = 7;

// @ts-ignore: decorator
@inline
function largestOf(source: usize, bytes: usize): f32 {
  let most = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) most = f32x4.max(most, f32x4.abs(v128.load(source + i)));
  const a = max<f32>(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    b = max<f32>(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3));
  return max<f32>(a, b);
}

let along: f32 = 0;
let square: f32 = 0;
// @ts-ignore: decorator
@inline
function levels(at: usize, inverse: v128): v128 {
  const v = f32x4.mul(v128.load(at), inverse);
  return f32x4.nearest(f32x4.min(f32x4.max(v, f32x4.splat(LEVEL_LEAST)), f32x4.splat(LEVEL_MOST)));
}
/** Product of the row with its codes on a grid of one step, and the squared length of the codes. */
function measure(source: usize, bytes: usize, step: f32): void {
  const inverse = f32x4.splat(1 / step);
  let a = f32x4.splat(0),
    b = a,
    s = a,
    t = a;
  for (let i: usize = 0; i < bytes; i += 32) {
    const v = levels(source + i, inverse),
      w = levels(source + i + 16, inverse);
    a = f32x4.add(a, f32x4.mul(v, v128.load(source + i)));
    b = f32x4.add(b, f32x4.mul(w, v128.load(source + i, 16)));
    s = f32x4.add(s, f32x4.mul(v, v));
    t = f32x4.add(t, f32x4.mul(w, w));
  }
  along = sumF32(f32x4.add(a, b));
  square = sumF32(f32x4.add(s, t));
}

/** Steps to try, by the root of the mean square of the elements: 0.34 is best for normal ones, others have longer tails. */
const STEPS: i32 = 2;
// @ts-ignore: decorator
@inline
function stepAt(i: i32): f32 {
  return i == 0 ? <f32>0.34 : <f32>0.48;
}

/** What sums of so many terms in f32 may be wrong by, of the product of two lengths. */
// @ts-ignore: decorator
@inline
function roundingOf(padded: usize): f64 {
  return (<f64>(padded >> 3) + 32) * 2.4e-7;
}

// @ts-ignore: decorator
@inline
function narrowed(at: usize, inverse: v128): v128 {
  const a = i16x8.narrow_i32x4_s(
      i32x4.trunc_sat_f32x4_s(levels(at, inverse)),
      i32x4.trunc_sat_f32x4_s(levels(at + 16, inverse)),
    ),
    b = i16x8.narrow_i32x4_s(
      i32x4.trunc_sat_f32x4_s(levels(at + 32, inverse)),
      i32x4.trunc_sat_f32x4_s(levels(at + 48, inverse)),
    );
  return i8x16.add(i8x16.narrow_i16x8_s(a, b), i8x16.splat(8));
}

/** Record of the row at `source`, f32[padded], a multiple of 16. */
export function encodeScanned(source: usize, padded: usize, record: usize): void {
  const bytes = padded << 2,
    largest = largestOf(source, bytes),
    codes = record + TERM_BYTES;
  if (!(largest <= LARGEST && largest >= LEAST)) {
    // A row of zeros is worth its codes; of any other nothing is known.
    const unknown: f32 = largest == 0 ? 0 : Infinity;
    store<f32>(record, 0);
    store<f32>(record, unknown, 4);
    store<f32>(record, unknown, 8);
    store<f32>(record, unknown, 12);
    memory.fill(codes, 0x88, ((padded + 31) & ~31) >> 1);
    return;
  }
  let squares = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16)
    squares = f32x4.add(squares, f32x4.mul(v128.load(source + i), v128.load(source + i)));
  const length2 = sumF32(squares),
    length = sqrt<f32>(length2),
    unit: f32 = length / sqrt<f32>(<f32>padded);
  let step: f32 = unit,
    factor: f32 = 0,
    best: f64 = -1;
  for (let i = 0; i < STEPS; i++) {
    measure(source, bytes, stepAt(i) * unit);
    const taken = (<f64>along * <f64>along) / <f64>square;
    if (taken > best) {
      best = taken;
      factor = along / square;
      step = stepAt(i) * unit;
    }
  }
  const inverse = f32x4.splat(1 / step);
  for (let i: usize = 0; i < padded; i += 32) {
    const low = narrowed(source + (i << 2), inverse),
      high = i + 16 < padded ? narrowed(source + (i << 2) + 64, inverse) : i8x16.splat(8);
    v128.store(codes + (i >> 1), v128.or(low, i8x16.shl(high, 4)));
  }
  store<f32>(record, factor);
  // What rounding may have taken of the sums is less than what is added.
  store<f32>(record, <f32>(sqrt(max<f64>(0, <f64>length2 - best) + 4 * roundingOf(padded) * <f64>length2) * 1.000001), 4);
  store<f32>(record, length, 8);
  store<f32>(record, length2, 12);
}

let queryStep: f64 = 0;
let queryLength: f64 = 0;
let queryLength2: f64 = 0;
let queryRest: f64 = 0;
/** What a code of 8 in each place, the zero, would add. */
let zeros: i32 = 0;
/** Of the product of two lengths: what f32 sums may be wrong by. */
let rounding: f64 = 0;
let isEuclid: bool = false;

/** Of the prepared query of floats at QUERY. */
export function prepareScanned(mode: i32, padded: usize): void {
  isEuclid = (mode & 3) == 1;
  // Of the distance itself, of a row's factor and of how far its rest is from a right angle.
  rounding = 4 * roundingOf(padded);
  const largest = largestOf(QUERY, padded << 2);
  const isBounded = largest <= LARGEST && largest >= LEAST;
  const step: f64 = isBounded ? <f64>largest / QUERY_MOST : 0,
    inverse: f64 = isBounded ? 1 / step : 0;
  let squares: f64 = 0,
    rest: f64 = 0,
    sum: i32 = 0;
  for (let i: usize = 0; i < padded; i++) {
    const q = <f64>load<f32>(QUERY + (i << 2)),
      code = isBounded ? nearest<f64>(q * inverse) : 0,
      left = q - code * step;
    store<i8>(INTEGERS + i, <i8>code);
    sum += <i32>code;
    squares += q * q;
    rest += left * left;
  }
  v128.store(INTEGERS + MASK_AT, i8x16.splat(15));
  if (padded & 16) v128.store(INTEGERS + padded, i32x4.splat(0));
  zeros = 8 * sum;
  queryStep = step;
  // Of a query without codes every row may be near.
  queryLength2 = isBounded || largest == 0 ? squares : Infinity;
  queryLength = sqrt(queryLength2);
  queryRest = sqrt(rest);
}

// The second operand is 0..15, where a relaxed product is the plain one on every machine. A sum of two is at most 3,810.
// @ts-ignore: decorator
@inline
function pairs(query: usize, codes: v128): v128 {
  return i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(query), codes);
}

/** Bytes of codes whose sums of pairs fit 16 bits. */
const NARROW_BYTES: usize = 128;

// @ts-ignore: decorator
@inline
function sumOfCodes(codes: usize, padded: usize): i32 {
  // From memory: V8 makes a constant anew at every use.
  const mask = v128.load(INTEGERS + MASK_AT),
    end = codes + (((padded + 31) & ~31) >> 1);
  let sum = i32x4.splat(0),
    q = INTEGERS;
  while (codes < end) {
    const stop = min<usize>(end, codes + NARROW_BYTES);
    let s = i16x8.splat(0),
      t = s;
    while (codes < stop) {
      const v = v128.load(codes);
      s = i16x8.add(s, pairs(q, v128.and(v, mask)));
      t = i16x8.add(t, pairs(q + 16, v128.and(i16x8.shr_u(v, 4), mask)));
      q += 32;
      codes += 16;
    }
    sum = i32x4.add(sum, i32x4.add(i32x4.extadd_pairwise_i16x8_s(s), i32x4.extadd_pairwise_i16x8_s(t)));
  }
  return sumI32(sum) - zeros;
}

/** No stored row of this record is as near to the query as `farthest`, an inner distance. */
// @ts-ignore: decorator
@inline
export function isBeyond(record: usize, padded: usize, farthest: f64): bool {
  const rest = <f64>load<f32>(record, 4),
    length = <f64>load<f32>(record, 8),
    product = queryStep * <f64>load<f32>(record) * <f64>sumOfCodes(record + TERM_BYTES, padded),
    most = product + queryRest * length + queryLength * (rest + rounding * length);
  // Not a number, or an infinite bound: not beyond.
  return isFar(record, most, farthest) || isFar(record, most - spared(product, length) * rest, farthest);
}

/** How much shorter than the query its part at right angles to a row's codes is, at least. */
// @ts-ignore: decorator
@inline
function spared(product: f64, length: f64): f64 {
  const a = max<f64>(0, abs<f64>(product) / length - queryRest - rounding * queryLength);
  return queryLength - sqrt(max<f64>(0, queryLength2 - a * a));
}

/** @param most - that the product with the row can be */
// @ts-ignore: decorator
@inline
function isFar(record: usize, most: f64, farthest: f64): bool {
  if (!isEuclid) return -most > farthest;
  const lengths2 = queryLength2 + <f64>load<f32>(record, 12);
  return lengths2 - 2 * most - rounding * lengths2 > farthest;
}
