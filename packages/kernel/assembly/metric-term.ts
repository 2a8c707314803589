// What elements add to the sum of a metric, for rows that are made floats as they are read. Always: the operations of f32 rows.
export const DOT: i32 = 0;
export const EUCLID: i32 = 1;
export const MANHATTAN: i32 = 2;

/** Of four elements; the metric is a constant where this is inlined. */
// @ts-ignore: decorator
@inline
export function term(metric: i32, query: usize, x: v128): v128 {
  const q = v128.load(query);
  if (metric == DOT) return f32x4.mul(q, x);
  const d = f32x4.sub(q, x);
  return metric == EUCLID ? f32x4.mul(d, d) : f32x4.abs(d);
}
