// Rows of four bits an element: blocks of 32 elements, each a scale (the upper half of an f32, so that its products with levels are exact)
// and 16 bytes, whose low nibbles are the first 16 elements and whose high ones the others. Element = scale * (nibble - 8).
// Always: every element is exactly a float, and sums run in the order of f32 rows, so the same values give the same score
// bit for bit, stored as either. Zeroed blocks are zeros.
import { DOT, EUCLID, MANHATTAN, term } from './metric-term';
import { sumF32 } from './score';
import { CONSTANTS, EIGHTS, NIBBLES } from './scratch';

const BLOCK_BYTES: usize = 18;

/** The low nibbles of sixteen bytes as signed levels. */
// @ts-ignore: decorator
@inline
function lowLevels(bytes: v128, mask: v128, eights: v128): v128 {
  return i8x16.sub(v128.and(bytes, mask), eights);
}
/** The high ones: there is no shift of bytes. */
// @ts-ignore: decorator
@inline
function highLevels(bytes: v128, mask: v128, eights: v128): v128 {
  return lowLevels(i16x8.shr_u(bytes, 4), mask, eights);
}

// The four elements of each quarter of sixteen levels.
// @ts-ignore: decorator
@inline
function first(levels: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(levels))), scale);
}
// @ts-ignore: decorator
@inline
function second(levels: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(i16x8.extend_low_i8x16_s(levels))), scale);
}
// @ts-ignore: decorator
@inline
function third(levels: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_high_i8x16_s(levels))), scale);
}
// @ts-ignore: decorator
@inline
function fourth(levels: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(i16x8.extend_high_i8x16_s(levels))), scale);
}

// @ts-ignore: decorator
@inline
function scaleOf(block: usize): v128 {
  return f32x4.splat(reinterpret<f32>(<u32>load<u16>(block) << 16));
}

/** The blocks that hold the first `count` elements, whole. */
export function unpackFourBits(source: usize, target: usize, count: usize): void {
  const end = target + (count << 2),
    mask = v128.load(CONSTANTS, NIBBLES),
    eights = v128.load(CONSTANTS, EIGHTS);
  while (target < end) {
    const scale = scaleOf(source),
      bytes = v128.load(source, 2);
    const low = lowLevels(bytes, mask, eights);
    v128.store(target, first(low, scale));
    v128.store(target, second(low, scale), 16);
    v128.store(target, third(low, scale), 32);
    v128.store(target, fourth(low, scale), 48);
    const high = highLevels(bytes, mask, eights);
    v128.store(target, first(high, scale), 64);
    v128.store(target, second(high, scale), 80);
    v128.store(target, third(high, scale), 96);
    v128.store(target, fourth(high, scale), 112);
    target += 128;
    source += BLOCK_BYTES;
  }
}

/** Of a query of floats and a row. REQUIRES: the query is zero from `count` to a multiple of 32. */
// @ts-ignore: decorator
@inline
function sumOf(metric: i32, query: usize, row: usize, count: usize): f32 {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  const end = query + (count << 2),
    mask = v128.load(CONSTANTS, NIBBLES),
    eights = v128.load(CONSTANTS, EIGHTS);
  while (query < end) {
    const scale = scaleOf(row),
      bytes = v128.load(row, 2);
    const low = lowLevels(bytes, mask, eights);
    s0 = f32x4.add(s0, term(metric, query, first(low, scale)));
    s1 = f32x4.add(s1, term(metric, query + 16, second(low, scale)));
    s2 = f32x4.add(s2, term(metric, query + 32, third(low, scale)));
    s3 = f32x4.add(s3, term(metric, query + 48, fourth(low, scale)));
    const high = highLevels(bytes, mask, eights);
    s0 = f32x4.add(s0, term(metric, query + 64, first(high, scale)));
    s1 = f32x4.add(s1, term(metric, query + 80, second(high, scale)));
    s2 = f32x4.add(s2, term(metric, query + 96, third(high, scale)));
    s3 = f32x4.add(s3, term(metric, query + 112, fourth(high, scale)));
    query += 128;
    row += BLOCK_BYTES;
  }
  return sumF32(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

export function dotFourBits(query: usize, row: usize, count: usize): f32 {
  return sumOf(DOT, query, row, count);
}

export function euclidFourBits(query: usize, row: usize, count: usize): f32 {
  return sumOf(EUCLID, query, row, count);
}

export function manhattanFourBits(query: usize, row: usize, count: usize): f32 {
  return sumOf(MANHATTAN, query, row, count);
}
