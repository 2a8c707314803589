// Codes of a byte an element for rows of floats that are scanned: a quarter of the bytes, and a bound of how near the row can be. A row
// whose bound is beyond the farthest of the best k is passed over; any other is scored by what is stored.
// Always: a scan finds what it would find without codes. Rows that codes cannot bound (not finite, or too large) are never passed over.
//
// A row's record: f32 step, f32 most of |v - v'|, f32 |v|, f32 |v|^2, then its codes, v' = step * codes. With the query q and its own
// codes q' of two bytes, by Cauchy and Schwarz
//   |<q, v> - <q', v'>| <= |q - q'| * |v'| + |q| * |v - v'|.
import { QUERY, QUERY16 } from './scratch';
import { sumF32, sumI32 } from './score';

export const TERM_BYTES: usize = 16;
/** Elements of a larger or smaller largest one have no codes: nothing in between can overflow. */
const LARGEST: f32 = 1e15;
const LEAST: f32 = 1e-15;
/** Of a query's codes, as far as a sum of 32 bits allows. */
const QUERY_MOST: f64 = 32767;

// @ts-ignore: decorator
@inline
function largestOf(source: usize, bytes: usize): f32 {
  let most = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) most = f32x4.max(most, f32x4.abs(v128.load(source + i)));
  const a = max<f32>(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    b = max<f32>(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3));
  return max<f32>(a, b);
}

/** Record of the row at `source`, f32[padded], a multiple of 16. */
export function encodeScanned(source: usize, padded: usize, record: usize): void {
  const largest = largestOf(source, padded << 2),
    codes = record + TERM_BYTES;
  if (!(largest <= LARGEST && largest >= LEAST)) {
    // A row of zeros is worth its codes; of any other nothing is known.
    const unknown: f32 = largest == 0 ? 0 : Infinity;
    store<f32>(record, 0);
    store<f32>(record, unknown, 4);
    store<f32>(record, unknown, 8);
    store<f32>(record, unknown, 12);
    memory.fill(codes, 0, padded);
    return;
  }
  const step = largest / 127,
    steps = f32x4.splat(step),
    inverse = f32x4.splat(1 / step);
  let rest = f32x4.splat(0),
    squares = rest;
  for (let i: usize = 0; i < padded; i += 16) {
    const at = source + (i << 2);
    const v0 = v128.load(at),
      v1 = v128.load(at, 16),
      v2 = v128.load(at, 32),
      v3 = v128.load(at, 48);
    const n0 = f32x4.nearest(f32x4.mul(v0, inverse)),
      n1 = f32x4.nearest(f32x4.mul(v1, inverse)),
      n2 = f32x4.nearest(f32x4.mul(v2, inverse)),
      n3 = f32x4.nearest(f32x4.mul(v3, inverse));
    const d0 = f32x4.sub(v0, f32x4.mul(n0, steps)),
      d1 = f32x4.sub(v1, f32x4.mul(n1, steps)),
      d2 = f32x4.sub(v2, f32x4.mul(n2, steps)),
      d3 = f32x4.sub(v3, f32x4.mul(n3, steps));
    rest = f32x4.add(
      rest,
      f32x4.add(
        f32x4.add(f32x4.mul(d0, d0), f32x4.mul(d1, d1)),
        f32x4.add(f32x4.mul(d2, d2), f32x4.mul(d3, d3)),
      ),
    );
    squares = f32x4.add(
      squares,
      f32x4.add(
        f32x4.add(f32x4.mul(v0, v0), f32x4.mul(v1, v1)),
        f32x4.add(f32x4.mul(v2, v2), f32x4.mul(v3, v3)),
      ),
    );
    const low = i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(n0), i32x4.trunc_sat_f32x4_s(n1)),
      high = i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(n2), i32x4.trunc_sat_f32x4_s(n3));
    v128.store(codes + i, i8x16.narrow_i16x8_s(low, high));
  }
  const length2 = sumF32(squares),
    length = sqrt<f32>(length2);
  store<f32>(record, step);
  // What rounding may have taken of either sum is less than what is added.
  store<f32>(record, sqrt<f32>(sumF32(rest)) * 1.002 + length * 1e-6, 4);
  store<f32>(record, length, 8);
  store<f32>(record, length2, 12);
}

let queryStep: f64 = 0;
let queryLength: f64 = 0;
let queryLength2: f64 = 0;
let queryRest: f64 = 0;
/** Of the product of two lengths: what f32 sums may be wrong by. */
let rounding: f64 = 0;
let isEuclid: bool = false;

/** Of the prepared query of floats at QUERY. */
export function prepareScanned(mode: i32, padded: usize): void {
  isEuclid = (mode & 3) == 1;
  // A sum has padded / 16 terms in each of sixteen lanes.
  rounding = (<f64>(padded >> 4) + 32) * 2.4e-7;
  const largest = largestOf(QUERY, padded << 2);
  const most = min<f64>(QUERY_MOST, floor<f64>(2147483648.0 / (127.0 * <f64>padded)) - 1);
  const isBounded = largest <= LARGEST && largest >= LEAST;
  const step: f64 = isBounded ? <f64>largest / most : 0,
    inverse: f64 = isBounded ? 1 / step : 0;
  let squares: f64 = 0,
    rest: f64 = 0;
  for (let i: usize = 0; i < padded; i++) {
    const q = <f64>load<f32>(QUERY + (i << 2)),
      code = isBounded ? nearest<f64>(q * inverse) : 0,
      left = q - code * step;
    store<i16>(QUERY16 + (i << 1), <i16>code);
    squares += q * q;
    rest += left * left;
  }
  queryStep = step;
  // Of a query without codes every row may be near.
  queryLength2 = isBounded || largest == 0 ? squares : Infinity;
  queryLength = sqrt(queryLength2);
  queryRest = sqrt(rest);
}

// @ts-ignore: decorator
@inline
function sumOfCodes(codes: usize, padded: usize): i32 {
  let s0 = i32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0,
    q = QUERY16;
  const end = codes + (padded & ~31);
  while (codes < end) {
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(v128.load(q), v128.load_ext<i8>(codes)));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(v128.load(q, 16), v128.load_ext<i8>(codes, 8)));
    s2 = i32x4.add(s2, i32x4.dot_i16x8_s(v128.load(q, 32), v128.load_ext<i8>(codes, 16)));
    s3 = i32x4.add(s3, i32x4.dot_i16x8_s(v128.load(q, 48), v128.load_ext<i8>(codes, 24)));
    q += 64;
    codes += 32;
  }
  if (padded & 16) {
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(v128.load(q), v128.load_ext<i8>(codes)));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(v128.load(q, 16), v128.load_ext<i8>(codes, 8)));
  }
  return sumI32(i32x4.add(i32x4.add(s0, s1), i32x4.add(s2, s3)));
}

/** No stored row of this record is as near to the query as `farthest`, an inner distance. */
// @ts-ignore: decorator
@inline
export function isBeyond(record: usize, padded: usize, farthest: f64): bool {
  const rest = <f64>load<f32>(record, 4),
    length = <f64>load<f32>(record, 8),
    product = queryStep * <f64>load<f32>(record) * <f64>sumOfCodes(record + TERM_BYTES, padded);
  const most = product + queryRest * (length + rest) + queryLength * (rest + rounding * length);
  // Not a number, or an infinite bound: not beyond.
  if (!isEuclid) return -most > farthest;
  const lengths2 = queryLength2 + <f64>load<f32>(record, 12);
  return lengths2 - 2 * most - rounding * lengths2 > farthest;
}
