// f32 to the shortest decimal that reads back the same (Giulietti's Schubfach), in serde_json's form: 1.0, 12.5,
// 0.00001, 1e-7, 1.5e+13, null for what is not finite.

// g(k), the top 64 bits of 10^k rounded up, k = -31..46; the host fills it.
const table = memory.data(78 * 8);
export function powerTable(): usize {
  return table;
}

let decimal: u32 = 0;
let exponent: i32 = 0;

// @ts-ignore: decorator
@inline function roundToOdd(g: u64, cp: u32): u32 {
  const low = (g & 0xffffffff) * <u64>cp;
  const high = (g >> 32) * <u64>cp + (low >> 32);
  return <u32>(high >> 32) | <u32>((<u32>high) > 1);
}

// Sets decimal and exponent for the finite, positive float with these bits.
function shortest(bits: u32): void {
  const significand = bits & 0x7fffff;
  const biased = <i32>((bits >> 23) & 255);
  let c: u32;
  let q: i32;
  if (biased) {
    c = significand | 0x800000;
    q = biased - 150;
    if (q <= 0 && q > -24 && (c & ((1 << -q) - 1)) == 0) {
      decimal = c >> -q;
      exponent = 0;
      return;
    }
  } else {
    c = significand;
    q = -149;
  }
  const odd = c & 1;
  const closer: u32 = significand == 0 && biased > 1 ? 1 : 0;
  const k = (q * 1262611 - (closer ? 524031 : 0)) >> 22;
  const h = q + ((-k * 1741647) >> 19) + 1;
  const g = load<u64>(table + ((<usize>(-k + 31)) << 3));
  const left = roundToOdd(g, (c * 4 - 2 + closer) << h);
  const middle = roundToOdd(g, (c * 4) << h);
  const right = roundToOdd(g, (c * 4 + 2) << h);
  const lower = left + odd;
  const upper = right - odd;
  const s = middle >> 2;
  if (s >= 10) {
    const tens = s / 10;
    const downFits = lower <= tens * 40;
    const upFits = tens * 40 + 40 <= upper;
    if (downFits != upFits) {
      decimal = tens + <u32>upFits;
      exponent = k + 1;
      return;
    }
  }
  const downFits = lower <= s * 4;
  const upFits = s * 4 + 4 <= upper;
  exponent = k;
  if (downFits != upFits) {
    decimal = s + <u32>upFits;
    return;
  }
  const half = s * 4 + 2;
  decimal = s + <u32>(middle > half || (middle == half && (s & 1) != 0));
}

function digitCount(d: u32): i32 {
  if (d < 10000) return d >= 1000 ? 4 : d >= 100 ? 3 : d >= 10 ? 2 : 1;
  if (d < 100000000) return d >= 10000000 ? 8 : d >= 1000000 ? 7 : d >= 100000 ? 6 : 5;
  return d >= 1000000000 ? 10 : 9;
}

// Writes `length` digits of d, with a point before the last `decimals` of them when there are any. Returns the end.
function putDigits(o: usize, d: u32, length: i32, decimals: i32): usize {
  const end = o + <usize>length + (decimals > 0 ? 1 : 0);
  let at = end;
  for (let i = 0; i < length; i++) {
    if (i == decimals && decimals > 0) store<u8>(--at, 46);
    store<u8>(--at, 48 + <u8>(d % 10));
    d /= 10;
  }
  return end;
}

// At most 16 bytes. Returns the end.
export function putFloat(o: usize, x: f32): usize {
  let bits = reinterpret<u32>(x);
  if ((bits & 0x7f800000) == 0x7f800000) {
    store<u32>(o, 0x6c6c756e);
    return o + 4;
  }
  if (bits >> 31) {
    store<u8>(o++, 45);
    bits &= 0x7fffffff;
  }
  if (bits == 0) {
    store<u32>(o, 0x302e30);
    return o + 3;
  }
  shortest(bits);
  let d = decimal;
  let e = exponent;
  while (d % 10 == 0) {
    d /= 10;
    e++;
  }
  const length = digitCount(d);
  const point = length + e;
  if (point > 13 || point <= -6) {
    o = putDigits(o, d, length, length - 1);
    store<u8>(o++, 101);
    let power = point - 1;
    store<u8>(o++, power < 0 ? 45 : 43);
    if (power < 0) power = -power;
    if (power >= 10) store<u8>(o++, 48 + <u8>(power / 10));
    store<u8>(o++, 48 + <u8>(power % 10));
    return o;
  }
  if (point <= 0) {
    store<u16>(o, 0x2e30);
    o += 2;
    for (let i = point; i < 0; i++) store<u8>(o++, 48);
    return putDigits(o, d, length, 0);
  }
  if (e < 0) return putDigits(o, d, length, -e);
  o = putDigits(o, d, length, 0);
  while (e--) store<u8>(o++, 48);
  store<u16>(o, 0x302e);
  return o + 2;
}

// A list with its brackets. Returns the end.
export function putFloats(o: usize, values: usize, count: i32): usize {
  store<u8>(o++, 91);
  for (let i = 0; i < count; i++) {
    if (i) store<u8>(o++, 44);
    o = putFloat(o, load<f32>(values + ((<usize>i) << 2)));
  }
  store<u8>(o++, 93);
  return o;
}
