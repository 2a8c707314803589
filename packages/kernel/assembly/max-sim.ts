// MaxSim by products: for each row of the query the largest product with a row of a point, summed. Rows of both are padded
// with zeros to the same stride; those of the query lie at TABLES. Always: a loaded piece is multiplied more than once, two rows
// of the point by four of the query, because loads, not products, are what one pair at a time waits for. A product that is not a
// number makes the sum none.
import { TABLES } from './scratch';
import { dotF32 } from './score';

/** Sums of the lanes of four vectors, as one. */
// @ts-ignore: decorator
@inline
function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<i32>(a, b, 0, 4, 2, 6), v128.shuffle<i32>(a, b, 1, 5, 3, 7));
  const cd = f32x4.add(v128.shuffle<i32>(c, d, 0, 4, 2, 6), v128.shuffle<i32>(c, d, 1, 5, 3, 7));
  return f32x4.add(v128.shuffle<i32>(ab, cd, 0, 1, 4, 5), v128.shuffle<i32>(ab, cd, 2, 3, 6, 7));
}

/** Largest products of four rows of the query from `q` on, by lane. */
// @ts-ignore: decorator
@inline
function nearestOfFour(q: usize, rows: usize, end: usize, stride: usize): v128 {
  const q1 = q + stride,
    q2 = q1 + stride,
    q3 = q2 + stride;
  let best = f32x4.splat(-Infinity);
  while (rows < end) {
    // The last row of an odd number is its own neighbour.
    const other = rows + stride < end ? stride : 0;
    let a0 = f32x4.splat(0),
      a1 = a0,
      a2 = a0,
      a3 = a0,
      b0 = a0,
      b1 = a0,
      b2 = a0,
      b3 = a0;
    for (let i: usize = 0; i < stride; i += 16) {
      const a = v128.load(rows + i),
        b = v128.load(rows + other + i);
      const x0 = v128.load(q + i);
      a0 = f32x4.relaxed_madd(x0, a, a0);
      b0 = f32x4.relaxed_madd(x0, b, b0);
      const x1 = v128.load(q1 + i);
      a1 = f32x4.relaxed_madd(x1, a, a1);
      b1 = f32x4.relaxed_madd(x1, b, b1);
      const x2 = v128.load(q2 + i);
      a2 = f32x4.relaxed_madd(x2, a, a2);
      b2 = f32x4.relaxed_madd(x2, b, b2);
      const x3 = v128.load(q3 + i);
      a3 = f32x4.relaxed_madd(x3, a, a3);
      b3 = f32x4.relaxed_madd(x3, b, b3);
    }
    best = f32x4.max(best, f32x4.max(sums(a0, a1, a2, a3), sums(b0, b1, b2, b3)));
    rows += 2 * stride;
  }
  return best;
}

/** @param stride - bytes of a row, a multiple of 64 */
export function maxSim(queryRows: u32, rows: usize, count: u32, stride: usize): f64 {
  const end = rows + <usize>count * stride;
  let sum: f64 = 0,
    left = queryRows,
    q = TABLES;
  for (; left >= 4; left -= 4) {
    const best = nearestOfFour(q, rows, end, stride);
    sum +=
      <f64>f32x4.extract_lane(best, 0) +
      <f64>f32x4.extract_lane(best, 1) +
      <f64>f32x4.extract_lane(best, 2) +
      <f64>f32x4.extract_lane(best, 3);
    q += 4 * stride;
  }
  for (; left > 0; left--) {
    let best: f32 = -Infinity;
    for (let row = rows; row < end; row += stride) best = max<f32>(best, dotF32(q, row, stride));
    sum += <f64>best;
    q += stride;
  }
  return sum;
}
