// The natural logarithm without a table: AssemblyScript's own keeps one in a data segment, which an instance would write over the
// scratch of the arena's first thread. Always: deterministic; off by less than 1e-12 of the result or of one.

/** REQUIRES: x is normal and positive. */
export function ln(x: f64): f64 {
  const bits = reinterpret<u64>(x);
  let exponent = <i32>(bits >> 52) - 1023;
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    exponent++;
  }
  // ln m = 2 artanh s, with |s| < 0.172.
  const s = (m - 1) / (m + 1),
    q = s * s;
  const series = 1 + q * (1.0 / 3 + q * (1.0 / 5 + q * (1.0 / 7 + q * (1.0 / 9 + q * (1.0 / 11 + q * (1.0 / 13 + q / 15))))));
  return <f64>exponent * 0.6931471805599453 + 2 * s * series;
}
