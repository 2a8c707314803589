// Codes of 1, 1.5, 2 or 4 bits an element: an even grid about zero, of a step chosen for each row. Which step makes the
// code point along the row, and the factor that its length is corrected by, are RaBitQ's (Gao and Long 2024, arXiv
// 2405.12497) and its extension's (Gao et al. 2024, arXiv 2409.09913); over turned rows an even grid is within 20 % of
// the best quantiser's error (TurboQuant, Zandieh et al. 2025, arXiv 2504.19874, takes that one).
//
// With code u of a wide element (2 or 4 bits) worth u - (levels - 1) / 2 and of a narrow one (1 bit) worth
// weight * (u - 1/2), a row c is factor * worth; the sum that estimates need is worth * query. At 1.5 bits the first half
// of the elements is wide, the second narrow.
//
// Bytes: 16-byte words, first those of wide elements, then those of narrow ones. A word holds 128 / bits elements: byte b
// has elements b, 16 + b, 32 + b, ... from its lowest bits up. Always: the integers of the query are zero beyond the
// elements there are, so that what pads a word counts nothing.
import { INTEGERS, VECTOR } from './scratch';
import { sumF32, sumI32 } from './score';

/** Worth of a narrow element beside wide ones: what one bit of a normal element is worth in steps of two bits. */
const NARROW_WEIGHT: f32 = 1.6026;

let wideBits: u32 = 0;
let wideDims: usize = 0;
let narrowDims: usize = 0;
let wideWords: usize = 0;
let narrowWords: usize = 0;
/** Where the query's integers of narrow elements begin. */
let narrowAt: usize = 0;
let weight: f32 = 1;
/** Worth of the highest wide level. */
let half: f32 = 0;
/** What the query's integers add to every sum because codes are not signed. */
let offset: f32 = 0;

/** Of the row encoded last: product of its worth with itself less the mean, and squared length of its worth. */
export let fit: f32 = 0;
export let size2: f32 = 0;

/** bits: 1, 2, 4, or 3 for one and a half. */
export function openGrid(dim: usize, bits: u32): void {
  wideBits = bits == 1 ? 0 : bits == 3 ? 2 : bits;
  wideDims = bits == 1 ? 0 : bits == 3 ? min<usize>(dim, ((dim >> 1) + 63) & ~63) : dim;
  narrowDims = dim - wideDims;
  wideWords = (wideDims * wideBits + 127) >> 7;
  narrowWords = (narrowDims + 127) >> 7;
  narrowAt = wideBits == 0 ? 0 : (wideWords << 7) / wideBits;
  weight = wideBits == 0 ? 1 : NARROW_WEIGHT;
  half = <f32>((1 << wideBits) - 1) * 0.5;
}

export function gridBytes(): usize {
  return (wideWords + narrowWords) << 4;
}

let along: f32 = 0;
let square: f32 = 0;
/** Product and squared length of the wide elements' worth on a grid of one step. REQUIRES: zeros to a multiple of 4. */
function measureWide(step: f32): void {
  const inverse = f32x4.splat(1 / step),
    middle = f32x4.splat(half),
    low = f32x4.splat(0),
    high = f32x4.splat(half * 2);
  let a = low,
    s = low;
  for (let i: usize = 0; i < wideDims; i += 4) {
    const v = v128.load(VECTOR + (i << 2));
    const level = f32x4.nearest(f32x4.min(f32x4.max(f32x4.add(f32x4.mul(v, inverse), middle), low), high));
    const worth = f32x4.sub(level, middle);
    a = f32x4.add(a, f32x4.mul(worth, v));
    s = f32x4.add(s, f32x4.mul(worth, worth));
  }
  along = sumF32(a);
  square = sumF32(s);
}

/** Steps to try, in standard deviations of the wide elements: 2 bits, 4 bits. */
const STEPS: i32 = 12;
// @ts-ignore: decorator
@inline
function stepAt(i: i32): f32 {
  return wideBits == 2 ? <f32>0.6 + <f32>i * <f32>0.1 : <f32>0.2 + <f32>i * <f32>0.035;
}

// @ts-ignore: decorator
@inline
function put(codes: usize, bits: u32, element: usize, code: u32): void {
  const perWord: usize = 128 / bits;
  const word = element / perWord,
    place = element - word * perWord;
  const at = codes + (word << 4) + (place & 15);
  store<u8>(at, <u8>(load<u8>(at) | (code << ((<u32>place >> 4) * bits))));
}

/** Codes of VECTOR to zeroed bytes. */
export function encodeGrid(codes: usize): void {
  let squares: f32 = 0,
    narrowAlong: f32 = 0;
  for (let i: usize = 0; i < wideDims; i++) {
    const v = load<f32>(VECTOR + (i << 2));
    squares += v * v;
  }
  for (let i: usize = 0; i < narrowDims; i++) {
    const v = load<f32>(VECTOR + ((wideDims + i) << 2));
    narrowAlong += abs<f32>(v);
    put(codes + (wideWords << 4), 1, i, v > 0 ? 1 : 0);
  }
  fit = narrowAlong * weight * 0.5;
  size2 = <f32>narrowDims * weight * weight * 0.25;
  if (wideDims == 0) return;
  const deviation = squares > 0 ? sqrt<f32>(squares / <f32>wideDims) : 1;
  let best: f32 = -1,
    step: f32 = deviation;
  const narrowSize2 = size2,
    narrowFit = fit;
  for (let i = 0; i < STEPS; i++) {
    measureWide(stepAt(i) * deviation);
    const f = narrowFit + along,
      s = narrowSize2 + square;
    if (f * f > best * s) {
      best = (f * f) / s;
      step = stepAt(i) * deviation;
    }
  }
  measureWide(step);
  // Elements of VECTOR beyond the wide ones may have been measured with them; what is stored counts them exactly.
  const inverse: f32 = 1 / step;
  fit = narrowFit;
  size2 = narrowSize2;
  for (let i: usize = 0; i < wideDims; i++) {
    const v = load<f32>(VECTOR + (i << 2));
    const level = nearest<f32>(min<f32>(max<f32>(v * inverse + half, 0), half * 2));
    put(codes, wideBits, i, <u32>level);
    fit += (level - half) * v;
    size2 += (level - half) * (level - half);
  }
}

// @ts-ignore: decorator
@inline
function odd(y: f32): f32 {
  return floor<f32>(y * 0.5) * 2 + 1;
}

/** Half the steps between 16 levels to try, in standard deviations; the best of a normal element is 0.168 (Max 1960). */
const HALF_STEPS: i32 = 8;
// @ts-ignore: decorator
@inline
function halfStepAt(i: i32): f32 {
  return <f32>0.11 + <f32>i * <f32>0.02;
}

/** Product of 16 levels with the query's elements as rows weigh them, and the levels' squared length, to `along` and `square`. */
function measureQuery(step: f32): void {
  const inverse = f32x4.splat(1 / step),
    half = f32x4.splat(0.5),
    one = f32x4.splat(1),
    low = f32x4.splat(-15),
    high = f32x4.splat(15),
    narrow = f32x4.splat(weight);
  let a = f32x4.splat(0),
    s = a;
  // Zeros behind the last element, at most three, add to the squares alone.
  for (let i: usize = 0, dim = wideDims + narrowDims; i < dim; i += 4) {
    const y = f32x4.mul(v128.load(VECTOR + (i << 2)), i < wideDims ? one : narrow);
    const below = f32x4.floor(f32x4.mul(f32x4.mul(y, inverse), half));
    const level = f32x4.min(f32x4.max(f32x4.add(f32x4.add(below, below), one), low), high);
    a = f32x4.add(a, f32x4.mul(level, y));
    s = f32x4.add(s, f32x4.mul(level, level));
  }
  along = sumF32(a);
  square = sumF32(s);
}

/** Half the step between 16 levels that leaves the direction of the query at VECTOR closest to what it was. */
function halfStepOf(deviation: f32): f32 {
  let best: f32 = 0,
    step: f32 = deviation;
  for (let i = 0; i < HALF_STEPS; i++) {
    measureQuery(halfStepAt(i) * deviation);
    if (along * along <= best * square) continue;
    best = (along * along) / square;
    step = halfStepAt(i) * deviation;
  }
  return step;
}

/** Rounds the query's elements from..to-1 to integers at INTEGERS + at; returns their sum. */
function roundQuery(from: usize, to: usize, at: usize, inverse: f32, bits: u32, limit: f32): i32 {
  let sum = 0;
  for (let i = from; i < to; i++) {
    const y = load<f32>(VECTOR + (i << 2)) * inverse;
    // Of few bits no level is spent on zero: -3, -1, 1, 3, as rows of two bits have them.
    const rounded = bits == 8 ? nearest<f32>(y) : odd(y);
    const value = <i32>min<f32>(max<f32>(rounded, -limit), limit);
    store<i8>(INTEGERS + at + (i - from), <i8>value);
    sum += value;
  }
  return sum;
}

/**
 * Makes integers of the query at VECTOR: bits 8, 4 or 2, or 1 to compare signs only (codes of one bit).
 * Returns what one unit of `gridSum` (or of `gridAgreement`) is worth.
 */
export function prepareGrid(bits: u32): f32 {
  memory.fill(INTEGERS, 0, narrowAt + (narrowWords << 7));
  let peak: f32 = 0,
    squares: f32 = 0,
    sum: f32 = 0;
  const dim = wideDims + narrowDims;
  for (let i: usize = 0; i < dim; i++) {
    const y = abs<f32>(load<f32>(VECTOR + (i << 2))) * (i < wideDims ? 1 : weight);
    peak = max<f32>(peak, y);
    squares += y * y;
    sum += y;
  }
  if (!(peak > 0 && peak < Infinity)) peak = 1;
  const isMeasured = bits == 4 && squares > 0 && squares < Infinity;
  if (bits == 1) {
    for (let i: usize = 0; i < dim; i++) if (load<f32>(VECTOR + (i << 2)) > 0) put(INTEGERS, 1, i, 1);
    return sum / <f32>dim;
  }
  const deviation = sqrt<f32>(squares / <f32>dim);
  const limit: f32 = bits == 8 ? 127 : bits == 4 ? 15 : 3;
  // Few levels are better spent on the many elements than on the largest.
  const step: f32 = bits == 8 ? peak / 127 : isMeasured ? halfStepOf(deviation) : min<f32>(peak, deviation) / 2;
  const inverse: f32 = 1 / step;
  const wide = roundQuery(0, wideDims, 0, inverse, bits, limit);
  const narrow = roundQuery(wideDims, dim, narrowAt, inverse * weight, bits, limit);
  offset = <f32>wide * half + <f32>narrow * 0.5;
  if (!isMeasured) return step;
  // Levels are nearer zero than what they stand for: this makes the product with the query itself right, as a row's factor does.
  measureQuery(step);
  return along > 0 ? squares / along : step;
}

// The second operand is 0..15, where a relaxed product is the plain one on every machine.
// @ts-ignore: decorator
@inline
function add(sum: v128, query: v128, codes: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(query, codes, sum);
}

/** Product of a row's worth with the query's integers. */
export function gridSum(codes: usize): f32 {
  let s = i32x4.splat(0),
    t = s,
    query = INTEGERS;
  const middle = codes + (wideWords << 4),
    end = middle + (narrowWords << 4);
  if (wideBits == 4) {
    const mask = i8x16.splat(15);
    while (codes < middle) {
      const v = v128.load(codes);
      s = add(s, v128.load(query), v128.and(v, mask));
      t = add(t, v128.load(query, 16), v128.and(i16x8.shr_u(v, 4), mask));
      query += 32;
      codes += 16;
    }
  } else if (wideBits == 2) {
    const mask = i8x16.splat(3);
    while (codes < middle) {
      const v = v128.load(codes);
      s = add(s, v128.load(query), v128.and(v, mask));
      t = add(t, v128.load(query, 16), v128.and(i16x8.shr_u(v, 2), mask));
      s = add(s, v128.load(query, 32), v128.and(i16x8.shr_u(v, 4), mask));
      t = add(t, v128.load(query, 48), v128.and(i16x8.shr_u(v, 6), mask));
      query += 64;
      codes += 16;
    }
  }
  const mask = i8x16.splat(1);
  while (codes < end) {
    const v = v128.load(codes);
    s = add(s, v128.load(query), v128.and(v, mask));
    t = add(t, v128.load(query, 16), v128.and(i16x8.shr_u(v, 1), mask));
    s = add(s, v128.load(query, 32), v128.and(i16x8.shr_u(v, 2), mask));
    t = add(t, v128.load(query, 48), v128.and(i16x8.shr_u(v, 3), mask));
    s = add(s, v128.load(query, 64), v128.and(i16x8.shr_u(v, 4), mask));
    t = add(t, v128.load(query, 80), v128.and(i16x8.shr_u(v, 5), mask));
    s = add(s, v128.load(query, 96), v128.and(i16x8.shr_u(v, 6), mask));
    t = add(t, v128.load(query, 112), v128.and(i16x8.shr_u(v, 7), mask));
    query += 128;
    codes += 16;
  }
  return <f32>sumI32(i32x4.add(s, t)) - offset;
}

/** Half the elements less those whose sign differs from the query's: the product of worth and signs. */
export function gridAgreement(codes: usize): f32 {
  let s = i32x4.splat(0),
    query = INTEGERS;
  const end = codes + (narrowWords << 4);
  while (codes < end) {
    const differing = i8x16.popcnt(v128.xor(v128.load(codes), v128.load(query)));
    s = i32x4.add(s, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(differing)));
    query += 16;
    codes += 16;
  }
  return <f32>narrowDims * 0.5 - <f32>sumI32(s);
}

// @ts-ignore: decorator
@inline
function codeAt(codes: usize, bits: u32, element: usize): f32 {
  const perWord: usize = 128 / bits;
  const word = element / perWord,
    place = element - word * perWord;
  const byte = <u32>load<u8>(codes + (word << 4) + (place & 15));
  return <f32>((byte >> ((<u32>place >> 4) * bits)) & ((1 << bits) - 1));
}

/** Sum of the differences between the query at VECTOR and factor times a row's worth (Manhattan). */
export function gridDifference(codes: usize, factor: f32): f32 {
  let sum: f32 = 0;
  for (let i: usize = 0; i < wideDims; i++)
    sum += abs<f32>(load<f32>(VECTOR + (i << 2)) - factor * (codeAt(codes, wideBits, i) - half));
  codes += wideWords << 4;
  for (let i: usize = 0; i < narrowDims; i++)
    sum += abs<f32>(
      load<f32>(VECTOR + ((wideDims + i) << 2)) - factor * weight * (codeAt(codes, 1, i) - <f32>0.5),
    );
  return sum;
}
