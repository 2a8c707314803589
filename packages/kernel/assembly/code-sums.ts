// Sums that estimates from codes of one byte an element are made of. Always: `dim` is a multiple of 16, and codes are zero where
// elements only pad; sums are of integers, exact.
import { sumF32 } from './score';

// @ts-ignore: decorator
@inline
export function product<T>(q: usize, c: usize, dim: usize): f32 {
  let s0 = i32x4.splat(0),
    s1 = s0;
  const end = c + dim;
  while (c < end) {
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(v128.load(q), v128.load_ext<T>(c)));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(v128.load(q, 16), v128.load_ext<T>(c, 8)));
    q += 32;
    c += 16;
  }
  return sumF32(f32x4.convert_i32x4_s(i32x4.add(s0, s1)));
}
// @ts-ignore: decorator
@inline
export function difference<T>(q: usize, c: usize, dim: usize): f32 {
  let s0 = i32x4.splat(0),
    s1 = s0;
  const end = c + dim;
  while (c < end) {
    const d0 = i16x8.abs(i16x8.sub(v128.load(q), v128.load_ext<T>(c)));
    const d1 = i16x8.abs(i16x8.sub(v128.load(q, 16), v128.load_ext<T>(c, 8)));
    s0 = i32x4.add(s0, i32x4.extadd_pairwise_i16x8_s(d0));
    s1 = i32x4.add(s1, i32x4.extadd_pairwise_i16x8_s(d1));
    q += 32;
    c += 16;
  }
  return sumF32(f32x4.convert_i32x4_s(i32x4.add(s0, s1)));
}
/** Rows a and b of codes against each other. */
// @ts-ignore: decorator
@inline
export function productRows<T>(a: usize, b: usize, dim: usize): f32 {
  let s0 = i32x4.splat(0),
    s1 = s0;
  const end = a + dim;
  while (a < end) {
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(v128.load_ext<T>(a), v128.load_ext<T>(b)));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(v128.load_ext<T>(a, 8), v128.load_ext<T>(b, 8)));
    a += 16;
    b += 16;
  }
  return sumF32(f32x4.convert_i32x4_s(i32x4.add(s0, s1)));
}
// @ts-ignore: decorator
@inline
export function differenceRows<T>(a: usize, b: usize, dim: usize): f32 {
  let s0 = i32x4.splat(0);
  const end = a + dim;
  while (a < end) {
    const d = i16x8.abs(i16x8.sub(v128.load_ext<T>(a), v128.load_ext<T>(b)));
    s0 = i32x4.add(s0, i32x4.extadd_pairwise_i16x8_s(d));
    a += 8;
    b += 8;
  }
  return sumF32(f32x4.convert_i32x4_s(s0));
}
