// Rows of half precision (IEEE 754 binary16). Always: a half is exactly a float, and sums run in the order of f32 rows, so the
// same values give the same score bit for bit, stored as either.
import { DOT, EUCLID, MANHATTAN, term } from './metric-term';
import { sumF32 } from './score';
import { CONSTANTS, HALF_BITS, MAGNITUDES, REBASE } from './scratch';

/** Halves from here on are infinite or no numbers. */
const FINITE_END: i16 = 0x7c00;

/** Four halves, sign-extended, as floats. REQUIRES: they are finite. */
// @ts-ignore: decorator
@inline
function floats(extended: v128, bits: v128, rebase: v128): v128 {
  // Sign extension leaves copies of the sign where the mask cuts all but the topmost.
  return f32x4.mul(v128.and(i32x4.shl(extended, 13), bits), rebase);
}

/** Four halves as floats, whatever they are. */
// @ts-ignore: decorator
@inline
function load4(at: usize): v128 {
  const bits = v128.and(i32x4.shl(v128.load_ext<i16>(at), 13), v128.load(CONSTANTS, HALF_BITS));
  const exponent = v128.and(bits, i32x4.splat(0x0f800000));
  // An exponent of all ones stays one: infinite, or no number.
  const special = v128.and(i32x4.eq(exponent, i32x4.splat(0x0f800000)), i32x4.splat(0x70000000));
  return f32x4.mul(v128.or(bits, special), v128.load(CONSTANTS, REBASE));
}

export function unpackHalves(source: usize, target: usize, count: usize): void {
  for (let i: usize = 0; i < count; i += 4) v128.store(target + (i << 2), load4(source + (i << 1)));
}

/** Of a query of floats and a row; count is a multiple of 16. */
// @ts-ignore: decorator
@inline
function sumOf(metric: i32, query: usize, row: usize, count: usize): f32 {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0,
    largest = s0;
  const magnitudes = v128.load(CONSTANTS, MAGNITUDES),
    bits = v128.load(CONSTANTS, HALF_BITS),
    rebase = v128.load(CONSTANTS, REBASE);
  const end = row + (count << 1);
  for (let q = query, r = row; r < end; r += 32, q += 64) {
    const a = v128.load(r),
      b = v128.load(r, 16);
    largest = i16x8.max_s(largest, i16x8.max_s(v128.and(a, magnitudes), v128.and(b, magnitudes)));
    s0 = f32x4.add(s0, term(metric, q, floats(i32x4.extend_low_i16x8_s(a), bits, rebase)));
    s1 = f32x4.add(s1, term(metric, q + 16, floats(i32x4.extend_high_i16x8_s(a), bits, rebase)));
    s2 = f32x4.add(s2, term(metric, q + 32, floats(i32x4.extend_low_i16x8_s(b), bits, rebase)));
    s3 = f32x4.add(s3, term(metric, q + 48, floats(i32x4.extend_high_i16x8_s(b), bits, rebase)));
  }
  if (v128.any_true(i16x8.ge_s(largest, i16x8.splat(FINITE_END)))) return specialSumOf(metric, query, row, count);
  return sumF32(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

/** The same of any halves. */
function specialSumOf(metric: i32, query: usize, row: usize, count: usize): f32 {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  const end = row + (count << 1);
  for (; row < end; row += 32, query += 64) {
    s0 = f32x4.add(s0, term(metric, query, load4(row)));
    s1 = f32x4.add(s1, term(metric, query + 16, load4(row + 8)));
    s2 = f32x4.add(s2, term(metric, query + 32, load4(row + 16)));
    s3 = f32x4.add(s3, term(metric, query + 48, load4(row + 24)));
  }
  return sumF32(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

export function dotHalf(query: usize, row: usize, count: usize): f32 {
  return sumOf(DOT, query, row, count);
}

export function euclidHalf(query: usize, row: usize, count: usize): f32 {
  return sumOf(EUCLID, query, row, count);
}

export function manhattanHalf(query: usize, row: usize, count: usize): f32 {
  return sumOf(MANHATTAN, query, row, count);
}
