// A first pass of MaxSim over codes of one byte an element, and a bound on what they miss: |q||d - d'| + |q - q'||d'| for each
// pair of rows (Cauchy and Schwarz), of which a point keeps the largest |d - d'| and the largest |d'|.
//
// Codes of n rows, byte offsets: n code rows (elements rounded up to 64, the rest zero); 16 bytes of terms for each row: i32 64 times
// the sum of its codes, f32 step, f32 what is added to its product (Euclid: -|d|^2), zero; f32 largest |d - d'|, f32 largest |d'|.
//
// Codes of the query are 64 + c with |c| <= 63, so that vpmaddubsw and its like multiply them as they are. Always: products of four
// pieces of 16 elements are added in 16 bits, because a row's step is chosen so that the eight codes that meet in one such sum are
// 258 together at most, times 127. A row that is not of finite numbers has an infinite |d - d'|: nothing rules its point out.
import { LIST, SCORES, TABLES } from './scratch';

/** Largest |code|, and most that rounding leaves of eight |codes|, less what rounding adds to them. */
const CODE_MAX: f32 = 127;
const EIGHT_MAX: f32 = 253;
/** Rounding of f32 may make a bound lower than it is by no more than this share. */
const ROUNDED_UP: f64 = 1.000001;

// @ts-ignore: decorator
@inline
function largestOf(v: v128): f32 {
  return max<f32>(
    max<f32>(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max<f32>(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

/** Sums of neighbouring lanes, each twice. */
// @ts-ignore: decorator
@inline
function pairs(v: v128): v128 {
  return f32x4.add(v, v128.shuffle<i32>(v, v, 1, 0, 3, 2));
}

/** Squares of two lanes at a time, added in double precision. */
// @ts-ignore: decorator
@inline
function addSquares(sum: v128, v: v128): v128 {
  const low = f64x2.promote_low_f32x4(v),
    high = f64x2.promote_low_f32x4(v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f64x2.add(sum, f64x2.add(f64x2.mul(low, low), f64x2.mul(high, high)));
}

// @ts-ignore: decorator
@inline
function sumF64(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

let squares: f64 = 0;

/** Step of the codes of a row, before it is scaled; notes its squared length. Not a finite number when the row is not. */
function measure(row: usize, end: usize): f32 {
  let largest = f32x4.splat(0),
    eight = largest,
    a = largest,
    b = largest,
    c = largest,
    d = largest,
    sum = largest,
    pieces = 0;
  for (let at = row; at < end; at += 64) {
    const v0 = v128.load(at),
      v1 = v128.load(at, 16),
      v2 = v128.load(at, 32),
      v3 = v128.load(at, 48);
    sum = addSquares(addSquares(addSquares(addSquares(sum, v0), v1), v2), v3);
    const x0 = f32x4.abs(v0),
      x1 = f32x4.abs(v1),
      x2 = f32x4.abs(v2),
      x3 = f32x4.abs(v3);
    largest = f32x4.max(f32x4.max(largest, f32x4.max(x0, x1)), f32x4.max(x2, x3));
    a = f32x4.add(a, x0);
    b = f32x4.add(b, x1);
    c = f32x4.add(c, x2);
    d = f32x4.add(d, x3);
    if (++pieces != 4 && at + 64 < end) continue;
    eight = f32x4.max(f32x4.max(eight, f32x4.max(pairs(a), pairs(b))), f32x4.max(pairs(c), pairs(d)));
    pieces = 0;
    a = b = c = d = f32x4.splat(0);
  }
  squares = sumF64(sum);
  return max<f32>(largestOf(largest) / CODE_MAX, largestOf(eight) / EIGHT_MAX);
}

let rest: f64 = 0;
let codeSum: i32 = 0;
let codeSquares: i32 = 0;

/** Codes of the values from `row` on, times `scale`, at that step. */
function encodeRow(row: usize, end: usize, scale: f32, step: f32, codes: usize): void {
  const inverse = f32x4.splat(1 / step),
    width = f32x4.splat(step),
    times = f32x4.splat(scale);
  let left = f64x2.splat(0),
    sum = i32x4.splat(0),
    square = sum;
  const ones = i16x8.splat(1);
  for (let at = row; at < end; at += 64) {
    const v0 = f32x4.mul(v128.load(at), times),
      v1 = f32x4.mul(v128.load(at, 16), times),
      v2 = f32x4.mul(v128.load(at, 32), times),
      v3 = f32x4.mul(v128.load(at, 48), times);
    const w0 = f32x4.nearest(f32x4.mul(v0, inverse)),
      w1 = f32x4.nearest(f32x4.mul(v1, inverse)),
      w2 = f32x4.nearest(f32x4.mul(v2, inverse)),
      w3 = f32x4.nearest(f32x4.mul(v3, inverse));
    left = addSquares(left, f32x4.sub(v0, f32x4.mul(w0, width)));
    left = addSquares(left, f32x4.sub(v1, f32x4.mul(w1, width)));
    left = addSquares(left, f32x4.sub(v2, f32x4.mul(w2, width)));
    left = addSquares(left, f32x4.sub(v3, f32x4.mul(w3, width)));
    const low = i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(w0), i32x4.trunc_sat_f32x4_s(w1)),
      high = i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(w2), i32x4.trunc_sat_f32x4_s(w3));
    sum = i32x4.add(sum, i32x4.add(i32x4.dot_i16x8_s(low, ones), i32x4.dot_i16x8_s(high, ones)));
    square = i32x4.add(square, i32x4.add(i32x4.dot_i16x8_s(low, low), i32x4.dot_i16x8_s(high, high)));
    v128.store(codes, i8x16.narrow_i16x8_s(low, high));
    codes += 16;
  }
  rest = sumF64(left);
  codeSum = lanes(sum);
  codeSquares = lanes(square);
}

// @ts-ignore: decorator
@inline
function lanes(v: v128): i32 {
  return (
    i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + (i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3))
  );
}

/**
 * Makes the codes of `count` f32 rows.
 * @param metric - 0 products, 1 Euclid, 3 products of rows that are not of length one and are to be taken as such
 * @param stride - bytes of a row, elements rounded up to 16
 */
export function encodeMaxSim(metric: u32, rows: usize, count: u32, stride: usize, codes: usize): void {
  const codeStride = ((stride >> 2) + 63) & ~63;
  let terms = codes + <usize>count * codeStride,
    restMax: f64 = 0,
    lengthMax: f64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const end = rows + stride;
    let step = measure(rows, end),
      scale: f32 = 1;
    if (metric == 3 && squares > 0) {
      scale = <f32>(1 / sqrt(squares));
      step *= scale;
    }
    memory.fill(codes, 0, codeStride);
    memory.fill(terms, 0, 16);
    const length = metric == 3 ? 1 : sqrt(squares);
    if (!(step < Infinity && length < Infinity)) {
      restMax = Infinity;
    } else if (step > 0) {
      encodeRow(rows, end, scale, step, codes);
      store<i32>(terms, codeSum << 6);
      store<f32>(terms, step, 4);
      if (metric == 1) store<f32>(terms, -<f32>squares, 8);
      // What is left was computed in f32: it may be more by this.
      restMax = max(restMax, sqrt(rest) + length / 2097152);
      lengthMax = max(lengthMax, <f64>step * sqrt(<f64>codeSquares));
    }
    rows = end;
    codes += codeStride;
    terms += 16;
  }
  store<f32>(terms, <f32>(restMax * ROUNDED_UP));
  store<f32>(terms, <f32>(lengthMax * ROUNDED_UP), 4);
}

/** Sums of the lanes of four vectors, as one. */
// @ts-ignore: decorator
@inline
function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 2, 6), v128.shuffle<i32>(a, b, 1, 5, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 2, 6), v128.shuffle<i32>(c, d, 1, 5, 3, 7));
  return i32x4.add(v128.shuffle<i32>(ab, cd, 0, 1, 4, 5), v128.shuffle<i32>(ab, cd, 2, 3, 6, 7));
}

/** Adds the products of 64 codes with as many of a query row. */
// @ts-ignore: decorator
@inline
function add(sum: v128, c0: v128, c1: v128, c2: v128, c3: v128, q: usize, ones: v128): v128 {
  const low = i16x8.add(
    i16x8.relaxed_dot_i8x16_i7x16_s(c0, v128.load(q)),
    i16x8.relaxed_dot_i8x16_i7x16_s(c1, v128.load(q, 16)),
  );
  const high = i16x8.add(
    i16x8.relaxed_dot_i8x16_i7x16_s(c2, v128.load(q, 32)),
    i16x8.relaxed_dot_i8x16_i7x16_s(c3, v128.load(q, 48)),
  );
  return i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.add(low, high), ones));
}

/** Estimates of four rows of the query from `q` on, by lane. */
// @ts-ignore: decorator
@inline
function nearestOfFour(q: usize, steps: v128, mask: v128, codes: usize, count: u32, stride: usize): v128 {
  const q1 = q + stride,
    q2 = q1 + stride,
    q3 = q2 + stride,
    // Loaded, because a constant would be made anew for each use.
    ones = v128.load(TABLES);
  let best = f32x4.splat(-Infinity),
    terms = codes + <usize>count * stride;
  const last = terms;
  while (codes < last) {
    let a0 = i32x4.splat(0),
      a1 = a0,
      a2 = a0,
      a3 = a0;
    for (let i: usize = 0; i < stride; i += 64) {
      const c0 = v128.load(codes + i),
        c1 = v128.load(codes + i, 16),
        c2 = v128.load(codes + i, 32),
        c3 = v128.load(codes + i, 48);
      a0 = add(a0, c0, c1, c2, c3, q + i, ones);
      a1 = add(a1, c0, c1, c2, c3, q1 + i, ones);
      a2 = add(a2, c0, c1, c2, c3, q2 + i, ones);
      a3 = add(a3, c0, c1, c2, c3, q3 + i, ones);
    }
    const sum = f32x4.convert_i32x4_s(i32x4.sub(sums(a0, a1, a2, a3), v128.load32_splat(terms)));
    const product = f32x4.mul(f32x4.mul(sum, steps), v128.load32_splat(terms, 4));
    best = f32x4.pmax(best, f32x4.add(product, f32x4.mul(v128.load32_splat(terms, 8), mask)));
    codes += stride;
    terms += 16;
  }
  return best;
}

/**
 * Estimates of the points at LIST (u32 pairs: address of codes, rows) to SCORES (f64 pairs: estimate, what it may be off by).
 * The query is at TABLES: 64 bytes of i16 ones; f32 step of each row, times what products count; f32 1 for each row; codes.
 * Rows are filled up to a multiple of four with zeros. The bound is e0 + e1 R + e2 D + e3 (R + D)^2, R and D the point's own.
 */
export function estimateMaxSim(
  queryRows: u32,
  points: u32,
  stride: usize,
  e0: f64,
  e1: f64,
  e2: f64,
  e3: f64,
): void {
  const steps = TABLES + 64,
    mask = steps + (<usize>queryRows << 2),
    q = (mask + (<usize>queryRows << 2) + 63) & ~63;
  for (let point: usize = 0; point < <usize>points; point++) {
    const codes = <usize>load<u32>(LIST + (point << 3)),
      count = load<u32>(LIST + (point << 3), 4);
    let sum: f64 = 0;
    for (let row: usize = 0; row < <usize>queryRows; row += 4) {
      const at = row << 2;
      const best = nearestOfFour(q + row * stride, v128.load(steps + at), v128.load(mask + at), codes, count, stride);
      sum +=
        <f64>f32x4.extract_lane(best, 0) +
        <f64>f32x4.extract_lane(best, 1) +
        <f64>f32x4.extract_lane(best, 2) +
        <f64>f32x4.extract_lane(best, 3);
    }
    const bounds = codes + <usize>count * (stride + 16);
    const r = <f64>load<f32>(bounds),
      d = <f64>load<f32>(bounds, 4);
    store<f64>(SCORES + (point << 4), sum);
    store<f64>(SCORES + (point << 4), e0 + e1 * r + e2 * d + e3 * (r + d) * (r + d), 8);
  }
}
