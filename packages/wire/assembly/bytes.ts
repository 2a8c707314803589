// Bytes of JSON text. Always: at least 32 readable bytes follow the text, the first of them zero.

// @ts-ignore: decorator
@inline export function isDigit(c: u32): bool {
  return c - 48 < 10;
}

// @ts-ignore: decorator
@inline export function isSpace(c: u32): bool {
  return c == 32 || c == 10 || c == 13 || c == 9;
}

// The address after white space.
// @ts-ignore: decorator
@inline export function skipSpace(p: usize): usize {
  while (isSpace(load<u8>(p))) p++;
  return p;
}

// The address after the closing quote of a string whose first character is at p; 0 when it does not end before lim.
export function stringEnd(p: usize, lim: usize): usize {
  const quote = i8x16.splat(34);
  const backslash = i8x16.splat(92);
  while (p < lim) {
    const v = v128.load(p);
    const found = i8x16.bitmask(v128.or(i8x16.eq(v, quote), i8x16.eq(v, backslash)));
    if (!found) {
      p += 16;
      continue;
    }
    p += <usize>ctz(found);
    if (p >= lim) return 0;
    if (load<u8>(p) == 34) return p + 1;
    p += 2;
  }
  return 0;
}
