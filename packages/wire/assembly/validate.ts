// Strict JSON grammar (RFC 8259) over one object, so that its bytes can be kept without being parsed.
import { isDigit, skipSpace } from './bytes';

// serde_json's recursion limit.
export const depthMax: i32 = 127;
// One byte per open container: 1 object, 0 array.
const open = memory.data(128);

export const invalid: usize = 0;
export const tooDeep: usize = 1;
// A number that may be out of f64's range: the host looks at it.
export const oddNumber: usize = 2;

// The address after the value of the object at p, or one of the codes above.
export function payloadEnd(p: usize, lim: usize, depth0: i32): usize {
  let depth = 0;
  // 0: a value or a closing bracket, 1: a value, 2: a comma or a closing bracket, 3: a key or a closing bracket, 4: a key
  let state = 1;
  while (p < lim) {
    p = skipSpace(p);
    if (p >= lim) return invalid;
    const c: u32 = load<u8>(p);
    if (state == 2) {
      if (c == 44) {
        p++;
        state = load<u8>(open + <usize>depth) ? 4 : 1;
        continue;
      }
      if (c != (load<u8>(open + <usize>depth) ? 125 : 93)) return invalid;
      p++;
      if (--depth == 0) return p;
      continue;
    }
    if (state >= 3) {
      if (c == 125 && state == 3) {
        p++;
        if (--depth == 0) return p;
        state = 2;
        continue;
      }
      if (c != 34) return invalid;
      p = skipSpace(validString(p + 1, lim));
      if (p == 0 || p >= lim || load<u8>(p) != 58) return invalid;
      p++;
      state = 1;
      continue;
    }
    if (c == 93 && state == 0) {
      p++;
      if (--depth == 0) return p;
      state = 2;
      continue;
    }
    if (c == 123 || c == 91) {
      if (++depth + depth0 > depthMax) return tooDeep;
      store<u8>(open + <usize>depth, c == 123 ? 1 : 0);
      p++;
      state = c == 123 ? 3 : 0;
      continue;
    }
    state = 2;
    if (c == 34) {
      p = validString(p + 1, lim);
      if (p == 0) return invalid;
    } else if (c == 116) {
      if (load<u32>(p) != 0x65757274) return invalid;
      p += 4;
    } else if (c == 102) {
      if (load<u32>(p, 1) != 0x65736c61) return invalid;
      p += 5;
    } else if (c == 110) {
      if (load<u32>(p) != 0x6c6c756e) return invalid;
      p += 4;
    } else {
      p = validNumber(p);
      if (p == invalid || p == oddNumber) return p;
    }
  }
  return invalid;
}

function validNumber(p: usize): usize {
  let c: u32 = load<u8>(p);
  if (c == 45) c = load<u8>(++p);
  if (!isDigit(c)) return invalid;
  const first = p;
  if (c == 48) c = load<u8>(++p);
  else
    do c = load<u8>(++p);
    while (isDigit(c));
  if (p - first > 300) return oddNumber;
  if (c == 46) {
    c = load<u8>(++p);
    if (!isDigit(c)) return invalid;
    do c = load<u8>(++p);
    while (isDigit(c));
  }
  if ((c | 32) == 101) {
    c = load<u8>(++p);
    if (c == 45 || c == 43) c = load<u8>(++p);
    if (!isDigit(c)) return invalid;
    const start = p;
    do c = load<u8>(++p);
    while (isDigit(c));
    if (p - start > 2) return oddNumber;
  }
  return p;
}

// @ts-ignore: decorator
@inline function isHex(c: u32): bool {
  return isDigit(c) || (c | 32) - 97 < 6;
}

// The address after the closing quote; 0 for a control character, a bad escape or no end.
function validString(p: usize, lim: usize): usize {
  const quote = i8x16.splat(34);
  const backslash = i8x16.splat(92);
  const control = i8x16.splat(32);
  while (p < lim) {
    const v = v128.load(p);
    const special = v128.or(v128.or(i8x16.eq(v, quote), i8x16.eq(v, backslash)), i8x16.lt_u(v, control));
    const found = i8x16.bitmask(special);
    if (!found) {
      p += 16;
      continue;
    }
    p += <usize>ctz(found);
    if (p >= lim) return 0;
    const c: u32 = load<u8>(p);
    if (c == 34) return p + 1;
    if (c != 92) return 0;
    const e: u32 = load<u8>(p, 1);
    if (e == 117) {
      if (!isHex(load<u8>(p, 2)) || !isHex(load<u8>(p, 3)) || !isHex(load<u8>(p, 4)) || !isHex(load<u8>(p, 5)))
        return 0;
      p += 6;
    } else if (e == 34 || e == 92 || e == 47 || e == 98 || e == 102 || e == 110 || e == 114 || e == 116) p += 2;
    else return 0;
  }
  return 0;
}
