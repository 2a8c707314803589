// Decimal text to f32, rounded once: the result is Math.fround(JSON.parse(text)).
// Method: up to 19 digits exactly in u64, one or two f64 operations (error below 4 ulp), one rounding to f32. A number
// whose f64 lies so near the middle of two floats that the error could matter, or is subnormal or huge as f32, is
// listed as hard: the host converts its text.
import { isDigit, skipSpace } from './bytes';

const powers = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
]);

const hardMax: i32 = 4096;
// Pairs of u32: address of the number's text, address of its f32.
export let hardTable: usize = 0;
export let hardCount: i32 = 0;
// After a list was read: the address behind its closing bracket.
export let listEnd: usize = 0;

export function resetHard(table: usize): void {
  hardTable = table;
  hardCount = 0;
}
export function setHardCount(count: i32): void {
  hardCount = count;
}

// Eight ASCII digits, the first in the low byte, as a number.
// @ts-ignore: decorator
@inline function eightDigits(x: u64): u64 {
  x = ((x & 0x0f0f0f0f0f0f0f0f) * 2561) >> 8;
  x = ((x & 0x00ff00ff00ff00ff) * 6553601) >> 16;
  return ((x & 0x0000ffff0000ffff) * 42949672960001) >> 32;
}

// @ts-ignore: decorator
@inline function power(k: i32): f64 {
  return load<f64>(powers + ((<usize>k) << 3));
}

// Length of the run of digits at p, at most 16.
// @ts-ignore: decorator
@inline function digitRun(p: usize): i32 {
  const v = i8x16.sub(v128.load(p), i8x16.splat(48));
  return <i32>ctz(i8x16.bitmask(i8x16.gt_u(v, i8x16.splat(9))) | 0x10000);
}

// Reads numbers from p (behind '[') up to ']' as f32 to out. Returns how many, or -1 when anything but numbers is met.
export function numbers(p: usize, out: usize): i32 {
  let count = 0;
  for (;;) {
    p = skipSpace(p);
    let c: u32 = load<u8>(p);
    const at = p;
    let negative: u64 = 0;
    if (c == 45) {
      negative = 0x8000000000000000;
      c = load<u8>(++p);
    }
    let m: u64 = 0;
    let exponent = 0;
    let digits = 0;
    if (c == 48) {
      c = load<u8>(++p);
      if (isDigit(c)) return -1;
    } else {
      if (!isDigit(c)) return -1;
      do {
        if (digits < 19) {
          m = m * 10 + (c - 48);
          digits++;
        } else exponent++;
        c = load<u8>(++p);
      } while (isDigit(c));
    }
    if (c == 46) {
      p++;
      if (!isDigit(load<u8>(p))) return -1;
      if (m == 0) {
        while (load<u8>(p) == 48) {
          p++;
          exponent--;
        }
      }
      let run = digitRun(p);
      if (run >= 8 && digits + 8 <= 19) {
        m = m * 100000000 + eightDigits(load<u64>(p));
        p += 8;
        exponent -= 8;
        digits += 8;
        run -= 8;
        if (run >= 8 && digits + 8 <= 19) {
          m = m * 100000000 + eightDigits(load<u64>(p));
          p += 8;
          exponent -= 8;
          digits += 8;
        }
      }
      c = load<u8>(p);
      while (isDigit(c)) {
        if (digits < 19) {
          m = m * 10 + (c - 48);
          digits++;
          exponent--;
        }
        c = load<u8>(++p);
      }
    }
    if ((c | 32) == 101) {
      c = load<u8>(++p);
      let below = false;
      let e = 0;
      if (c == 45) {
        below = true;
        c = load<u8>(++p);
      } else if (c == 43) c = load<u8>(++p);
      if (!isDigit(c)) return -1;
      do {
        if (e < 100000) e = e * 10 + <i32>(c - 48);
        c = load<u8>(++p);
      } while (isDigit(c));
      exponent += below ? -e : e;
    }
    let v = <f64>m;
    if (m != 0) {
      if (exponent < 0) {
        if (exponent >= -22) v /= power(-exponent);
        else if (exponent >= -44) v = v / 1e22 / power(-exponent - 22);
        else v = 0;
      } else if (exponent > 0) {
        if (exponent <= 22) v *= power(exponent);
        else v = Infinity;
      }
      const bits = reinterpret<u64>(v);
      // Unsigned compare: 16 units of f64 on either side of the middle.
      if ((bits & 0x1fffffff) - 0x0ffffff0 <= 32 || v < 1.2e-38 || v > 3.4e38) {
        if (hardCount >= hardMax) return -1;
        const entry = hardTable + ((<usize>hardCount) << 3);
        store<u32>(entry, <u32>at);
        store<u32>(entry, <u32>out, 4);
        hardCount++;
      }
    }
    store<f32>(out, <f32>reinterpret<f64>(reinterpret<u64>(v) | negative));
    out += 4;
    count++;
    p = skipSpace(p);
    c = load<u8>(p);
    if (c == 44) {
      p++;
      continue;
    }
    if (c == 93) {
      listEnd = p + 1;
      return count;
    }
    return -1;
  }
}

// For tests: the numbers of one list at p; the count of hard ones goes to counts.
export function numbersOnly(p: usize, out: usize, hards: usize, counts: usize): i32 {
  resetHard(hards);
  const n = numbers(p, out);
  store<u32>(counts, hardCount);
  return n;
}
