// Rows of half precision (IEEE 754 binary16). Always: a half is exactly a float, and sums run in the order of f32 rows, so the
// same values give the same score bit for bit, stored as either.
import { sumF32 } from './score';

/** Moves a half's exponent, taken for a float's, to where a float has it. */
const REBASE: f32 = 5.192296858534828e33; // 2^112

/** Four halves as floats. */
// @ts-ignore: decorator
@inline
function load4(at: usize): v128 {
  // Sign extension leaves copies of the sign where the mask cuts all but the topmost.
  const bits = v128.and(i32x4.shl(v128.load_ext<i16>(at), 13), i32x4.splat(0x8fffe000));
  const exponent = v128.and(bits, i32x4.splat(0x0f800000));
  // An exponent of all ones stays one: infinite, or no number.
  const special = v128.and(i32x4.eq(exponent, i32x4.splat(0x0f800000)), i32x4.splat(0x70000000));
  return f32x4.mul(v128.or(bits, special), f32x4.splat(REBASE));
}

export function unpackHalves(source: usize, target: usize, count: usize): void {
  for (let i: usize = 0; i < count; i += 4) v128.store(target + (i << 2), load4(source + (i << 1)));
}

/** Of a row of halves and a query of floats; count is a multiple of 16. */
export function dotHalf(query: usize, row: usize, count: usize): f32 {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  const end = row + (count << 1);
  while (row < end) {
    s0 = f32x4.add(s0, f32x4.mul(v128.load(query), load4(row)));
    s1 = f32x4.add(s1, f32x4.mul(v128.load(query, 16), load4(row + 8)));
    s2 = f32x4.add(s2, f32x4.mul(v128.load(query, 32), load4(row + 16)));
    s3 = f32x4.add(s3, f32x4.mul(v128.load(query, 48), load4(row + 24)));
    query += 64;
    row += 32;
  }
  return sumF32(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

export function euclidHalf(query: usize, row: usize, count: usize): f32 {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  const end = row + (count << 1);
  while (row < end) {
    const d0 = f32x4.sub(v128.load(query), load4(row));
    const d1 = f32x4.sub(v128.load(query, 16), load4(row + 8));
    const d2 = f32x4.sub(v128.load(query, 32), load4(row + 16));
    const d3 = f32x4.sub(v128.load(query, 48), load4(row + 24));
    s0 = f32x4.add(s0, f32x4.mul(d0, d0));
    s1 = f32x4.add(s1, f32x4.mul(d1, d1));
    s2 = f32x4.add(s2, f32x4.mul(d2, d2));
    s3 = f32x4.add(s3, f32x4.mul(d3, d3));
    query += 64;
    row += 32;
  }
  return sumF32(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

export function manhattanHalf(query: usize, row: usize, count: usize): f32 {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  const end = row + (count << 1);
  while (row < end) {
    s0 = f32x4.add(s0, f32x4.abs(f32x4.sub(v128.load(query), load4(row))));
    s1 = f32x4.add(s1, f32x4.abs(f32x4.sub(v128.load(query, 16), load4(row + 8))));
    s2 = f32x4.add(s2, f32x4.abs(f32x4.sub(v128.load(query, 32), load4(row + 16))));
    s3 = f32x4.add(s3, f32x4.abs(f32x4.sub(v128.load(query, 48), load4(row + 24))));
    query += 64;
    row += 32;
  }
  return sumF32(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}
