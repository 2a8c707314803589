// Estimates by neighbour codes: look-up tables of the query, and what they say of 32 links at a time. Always: the same query and
// codes give the same estimates; what is taken off the tables to make them bytes is added again.
import { CODEBOOK, MEAN, SUBSPACES, SUBSPACE_DIMS } from './graph';
import { QUERY, WORK } from './scratch';

/** WORK holds the tables as f32[SUBSPACES][16], then as u8[SUBSPACES][16], a mask, and the 32 distances. */
const BYTES_AT: usize = 65_536;
const NIBBLES_AT: usize = 98_304;
const DISTANCES_AT: usize = 98_320;
/** Largest entry of a table: four of them add up in a byte. */
const ENTRY_MAX: f32 = 63;

/** What one unit of a table entry is worth, and the sum of what was taken off the tables. */
let tableScale: f32 = 0;
let tableBase: f32 = 0;

// @ts-ignore: decorator
@inline
function lowest(v: v128): v128 {
  const half = f32x4.min(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.min(half, v128.shuffle<i32>(half, half, 1, 0, 3, 2));
}
// @ts-ignore: decorator
@inline
function highest(v: v128): v128 {
  const half = f32x4.max(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.max(half, v128.shuffle<i32>(half, half, 1, 0, 3, 2));
}

/** Products of the query less the mean with every codeword, cut to 6 bits of a common scale. */
export function fillTables(): void {
  let base: f32 = 0,
    range: f32 = 0,
    book = CODEBOOK,
    element: usize = 0,
    table = WORK;
  const end = WORK + (SUBSPACES << 6);
  while (table < end) {
    let a = f32x4.splat(0),
      b = a,
      c = a,
      d = a;
    for (let j: usize = 0; j < SUBSPACE_DIMS; j++) {
      const x = f32x4.sub(v128.load32_splat(QUERY + element), v128.load32_splat(MEAN + element));
      a = f32x4.add(a, f32x4.mul(x, v128.load(book)));
      b = f32x4.add(b, f32x4.mul(x, v128.load(book, 16)));
      c = f32x4.add(c, f32x4.mul(x, v128.load(book, 32)));
      d = f32x4.add(d, f32x4.mul(x, v128.load(book, 48)));
      book += 64;
      element += 4;
    }
    const low = lowest(f32x4.min(f32x4.min(a, b), f32x4.min(c, d)));
    const high = highest(f32x4.max(f32x4.max(a, b), f32x4.max(c, d)));
    const lowValue = f32x4.extract_lane(low, 0);
    base += lowValue;
    range = max<f32>(range, f32x4.extract_lane(high, 0) - lowValue);
    v128.store(table, f32x4.sub(a, low));
    v128.store(table, f32x4.sub(b, low), 16);
    v128.store(table, f32x4.sub(c, low), 32);
    v128.store(table, f32x4.sub(d, low), 48);
    table += 64;
  }
  // A query that is no number has no order to keep; a table of zeros is as good as any.
  if (!(range > 0 && range < Infinity)) range = 1;
  const inverse = f32x4.splat(ENTRY_MAX / range);
  for (let at: usize = 0; at < SUBSPACES << 4; at += 16) {
    const t = WORK + (at << 2);
    const a = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(t), inverse))),
      b = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(t, 16), inverse))),
      c = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(t, 32), inverse))),
      d = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(t, 48), inverse)));
    v128.store(
      WORK + BYTES_AT + at,
      i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d)),
    );
  }
  v128.store(WORK + NIBBLES_AT, i8x16.splat(15));
  tableScale = range / ENTRY_MAX;
  tableBase = base;
}

/** Sums of table entries: links 0..7, 8..15, 16..23, 24..31 as u16. */
let sums0: v128 = i32x4.splat(0);
let sums1: v128 = i32x4.splat(0);
let sums2: v128 = i32x4.splat(0);
let sums3: v128 = i32x4.splat(0);
// Codes are below 16, where a relaxed swizzle is the plain one on every machine.
// @ts-ignore: decorator
@inline
function pick(table: v128, codes: v128): v128 {
  return i8x16.relaxed_swizzle(table, codes);
}
// @ts-ignore: decorator
@inline
function sumTables(codes: usize): void {
  let even0 = i32x4.splat(0),
    odd0 = even0,
    even1 = even0,
    odd1 = even0;
  // From memory: V8 makes a constant anew at every use.
  const nibble = v128.load(WORK + NIBBLES_AT);
  let table = WORK + BYTES_AT;
  const end = table + ((SUBSPACES & ~3) << 4);
  while (table < end) {
    const a0 = v128.load(codes),
      a1 = v128.load(codes, 16),
      b0 = v128.load(codes, 32),
      b1 = v128.load(codes, 48);
    const t0 = v128.load(table),
      t1 = v128.load(table, 16),
      t2 = v128.load(table, 32),
      t3 = v128.load(table, 48);
    const s0 = i8x16.add(
      i8x16.add(pick(t0, v128.and(a0, nibble)), pick(t1, v128.and(i16x8.shr_u(a0, 4), nibble))),
      i8x16.add(pick(t2, v128.and(b0, nibble)), pick(t3, v128.and(i16x8.shr_u(b0, 4), nibble))),
    );
    const s1 = i8x16.add(
      i8x16.add(pick(t0, v128.and(a1, nibble)), pick(t1, v128.and(i16x8.shr_u(a1, 4), nibble))),
      i8x16.add(pick(t2, v128.and(b1, nibble)), pick(t3, v128.and(i16x8.shr_u(b1, 4), nibble))),
    );
    even0 = i16x8.add(even0, s0);
    odd0 = i16x8.add(odd0, i16x8.shr_u(s0, 8));
    even1 = i16x8.add(even1, s1);
    odd1 = i16x8.add(odd1, i16x8.shr_u(s1, 8));
    codes += 64;
    table += 64;
  }
  if (SUBSPACES & 2) {
    const a0 = v128.load(codes),
      a1 = v128.load(codes, 16);
    const t0 = v128.load(table),
      t1 = v128.load(table, 16);
    const s0 = i8x16.add(pick(t0, v128.and(a0, nibble)), pick(t1, v128.and(i16x8.shr_u(a0, 4), nibble)));
    const s1 = i8x16.add(pick(t0, v128.and(a1, nibble)), pick(t1, v128.and(i16x8.shr_u(a1, 4), nibble)));
    even0 = i16x8.add(even0, s0);
    odd0 = i16x8.add(odd0, i16x8.shr_u(s0, 8));
    even1 = i16x8.add(even1, s1);
    odd1 = i16x8.add(odd1, i16x8.shr_u(s1, 8));
  }
  // The even sums still hold the odd bytes, 256 times as large.
  sums0 = i16x8.sub(even0, i16x8.shl(odd0, 8));
  sums1 = odd0;
  sums2 = i16x8.sub(even1, i16x8.shl(odd1, 8));
  sums3 = odd1;
}

/** Estimates of four links, their table sums given, to the distances; bits of those below `farthest`. */
// @ts-ignore: decorator
@inline
function estimateFour(factors: usize, at: usize, sums: v128, from: v128, farthest: v128): u32 {
  const along = f32x4.add(
    f32x4.mul(f32x4.convert_i32x4_u(sums), f32x4.splat(tableScale)),
    f32x4.splat(tableBase),
  );
  const d = f32x4.add(
    f32x4.add(from, v128.load(factors + at)),
    f32x4.mul(v128.load(factors + at, 128), along),
  );
  v128.store(WORK + DISTANCES_AT + at, d);
  return i32x4.bitmask(f32x4.lt(d, farthest)) << <u32>(at >> 2);
}

/**
 * Estimates 32 links by the factors and codes at `factors`.
 * @param from - distance of the row whose links they are
 * @returns bits of those that are nearer than `farthest`
 */
export function estimateLinks(factors: usize, from: f32, farthest: f32): u32 {
  sumTables(factors + 256);
  const d = f32x4.splat(from),
    f = f32x4.splat(farthest);
  return (
    estimateFour(factors, 0, i32x4.extend_low_i16x8_u(sums0), d, f) |
    estimateFour(factors, 16, i32x4.extend_high_i16x8_u(sums0), d, f) |
    estimateFour(factors, 32, i32x4.extend_low_i16x8_u(sums1), d, f) |
    estimateFour(factors, 48, i32x4.extend_high_i16x8_u(sums1), d, f) |
    estimateFour(factors, 64, i32x4.extend_low_i16x8_u(sums2), d, f) |
    estimateFour(factors, 80, i32x4.extend_high_i16x8_u(sums2), d, f) |
    estimateFour(factors, 96, i32x4.extend_low_i16x8_u(sums3), d, f) |
    estimateFour(factors, 112, i32x4.extend_high_i16x8_u(sums3), d, f)
  );
}

/** Distance of link 0..31 of those that were estimated last. */
// @ts-ignore: decorator
@inline
export function distanceOfLink(link: usize): f32 {
  return load<f32>(WORK + DISTANCES_AT + (link << 2));
}
