// A best-first walk by neighbour codes: expanding a row takes one stretch of memory, its block, and scores all of its links
// 32 at a time by table look-up. The row itself is then estimated from its int8 codes, and only such estimates are
// results. Always: a node may wait in the beam more than once (a nearer parent estimates it better), but it is
// expanded once; what is left in the beam are the results, ascending, as after `walk`.
import {
  BLOCK_STRIDE,
  CODEBOOK,
  LANES,
  LINKS,
  MEAN,
  NEIGHBOUR_CODES,
  NONE,
  SUBSPACES,
  SUBSPACE_DIMS,
  TERMS,
  estimate,
} from './graph';
import { isSeen, seen } from './visited';
import { beamKey, clearBeam, dropFarthest, keyAt, nodeOf, offer, setBeam, size, takeNearest } from './graph-walk';
import { distanceOf } from './key';
import { chainPasses, isHopeless, WIDEN_MAX } from './passing';
import { QUERY, SCORES, WORK } from './scratch';

/** Most results of a walk: what SCORES has room for. */
export const RESULTS_MAX: i32 = 65_536;
/** Rows that a walk expands where all pass, by place of its beam: some of those are taken by rows that wait more than once. */
const EXPANDED_SHARE: f32 = 0.6;

/** WORK holds the tables as f32[SUBSPACES][16], then as u8[SUBSPACES][16], then 32 distances. */
const BYTES_AT: usize = 65_536;
const DISTANCES_AT: usize = 98_304;
/** Largest entry of a table: four of them add up in a byte. */
const ENTRY_MAX: f32 = 63;

/** What one unit of a table entry is worth, and the sum of what was taken off the tables. */
let tableScale: f32 = 0;
let tableBase: f32 = 0;
let resultCount: i32 = 0;
/** The beam's width: what was asked for and, where rows are checked, a place more for each row in it that does not pass. */
let width: i32 = 0;
let widthMax: i32 = 0;
let widthAsked: i32 = 0;
/** Keys in the beam whose rows do not pass; 0 where rows are not checked. */
let failing: i32 = 0;
let isChecked: bool = false;
let sink: u32 = 0;
/** Blocks read by the last walk, and how many of their rows passed. */
export let expansions: u32 = 0;
let passed: u32 = 0;

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
function fillTables(): void {
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
  const nibble = i8x16.splat(15);
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
      i8x16.add(pick(t0, v128.and(a0, nibble)), pick(t1, i8x16.shr_u(a0, 4))),
      i8x16.add(pick(t2, v128.and(b0, nibble)), pick(t3, i8x16.shr_u(b0, 4))),
    );
    const s1 = i8x16.add(
      i8x16.add(pick(t0, v128.and(a1, nibble)), pick(t1, i8x16.shr_u(a1, 4))),
      i8x16.add(pick(t2, v128.and(b1, nibble)), pick(t3, i8x16.shr_u(b1, 4))),
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
    const s0 = i8x16.add(pick(t0, v128.and(a0, nibble)), pick(t1, i8x16.shr_u(a0, 4)));
    const s1 = i8x16.add(pick(t0, v128.and(a1, nibble)), pick(t1, i8x16.shr_u(a1, 4)));
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

/**
 * Adds a key to a beam of the nearest rows that pass, and of those nearer than the last of these that do not: they lead to
 * others. Such rows have places of their own, until the beam is as wide as it may be.
 */
function offerChecked(key: u64, row: u32): void {
  if (!chainPasses(row)) failing++;
  offer(key, size + 1);
  width = min<i32>(widthMax, widthAsked + failing);
  while (size > width || (size - failing == widthAsked && !chainPasses(nodeOf(keyAt(size - 1))))) {
    if (!chainPasses(nodeOf(dropFarthest()))) failing--;
    width = min<i32>(widthMax, widthAsked + failing);
  }
}

/** Offers four links, their table sums given, to the beam. */
// @ts-ignore: decorator
@inline
function offerFour(links: usize, factors: usize, at: usize, sums: v128, from: v128, scale: v128, base: v128): void {
  const along = f32x4.add(f32x4.mul(f32x4.convert_i32x4_u(sums), scale), base);
  const d = f32x4.add(
    f32x4.add(from, v128.load(factors + at)),
    f32x4.mul(v128.load(factors + at, 128), along),
  );
  const farthest = size < width ? f32x4.splat(Infinity) : f32x4.splat(distanceOf(keyAt(width - 1)));
  let bits = i32x4.bitmask(f32x4.lt(d, farthest));
  if (bits == 0) return;
  v128.store(WORK + DISTANCES_AT, d);
  do {
    const i = <usize>ctz(bits) << 2;
    bits &= bits - 1;
    const link = load<u32>(links + at + i);
    if (isSeen(link)) continue;
    const key = beamKey(load<f32>(WORK + DISTANCES_AT + i), link);
    if (isChecked) offerChecked(key, link);
    else offer(key, width);
  } while (bits != 0);
}

function addResult(key: u64, limit: i32): void {
  if (resultCount == limit) {
    if (key >= load<u64>(SCORES + (<usize>(limit - 1) << 3))) return;
  } else resultCount++;
  let p = SCORES + (<usize>(resultCount - 1) << 3);
  while (p > SCORES && load<u64>(p - 8) > key) {
    store<u64>(p, load<u64>(p - 8));
    p -= 8;
  }
  store<u64>(p, key);
}

function expand(node: u32, limit: i32, scale: v128, base: v128): void {
  const block = <usize>node * BLOCK_STRIDE;
  // All lines of the block at once: their misses overlap.
  let sum: u32 = 0;
  for (let at = TERMS + block, end = at + BLOCK_STRIDE; at < end; at += 64) sum += load<u32>(at);
  sink += sum;
  expansions++;
  const d = estimate(node);
  if (!isChecked || chainPasses(node)) {
    passed++;
    addResult(beamKey(d, node), limit);
  }
  const from = f32x4.splat(d);
  let links = LINKS + block,
    factors = NEIGHBOUR_CODES + block;
  const end = links + (<usize>LANES << 2);
  while (links < end) {
    sumTables(factors + 256);
    offerFour(links, factors, 0, i32x4.extend_low_i16x8_u(sums0), from, scale, base);
    offerFour(links, factors, 16, i32x4.extend_high_i16x8_u(sums0), from, scale, base);
    offerFour(links, factors, 32, i32x4.extend_low_i16x8_u(sums1), from, scale, base);
    offerFour(links, factors, 48, i32x4.extend_high_i16x8_u(sums1), from, scale, base);
    offerFour(links, factors, 64, i32x4.extend_low_i16x8_u(sums2), from, scale, base);
    offerFour(links, factors, 80, i32x4.extend_high_i16x8_u(sums2), from, scale, base);
    offerFour(links, factors, 96, i32x4.extend_low_i16x8_u(sums3), from, scale, base);
    offerFour(links, factors, 112, i32x4.extend_high_i16x8_u(sums3), from, scale, base);
    links += 128;
    factors += 256 + (SUBSPACES << 4);
  }
}

/**
 * Walks from a row with a beam of `ef`; the beam then holds the nearest expanded rows, those that pass when `check` is set, at
 * most `limit` (<= RESULTS_MAX). False when it gave up because so few rows pass that it would expand more than `budget`
 * rows (0 = no bound). REQUIRES: the query is prepared for estimates.
 */
export function walkNeighbours(entry: u32, ef: i32, limit: i32, check: bool, budget: u32): bool {
  fillTables();
  clearBeam();
  resultCount = 0;
  expansions = 0;
  passed = 0;
  isChecked = check;
  width = ef;
  widthAsked = ef;
  widthMax = check ? min<i32>(ef * WIDEN_MAX, RESULTS_MAX) : ef;
  failing = check && !chainPasses(entry) ? 1 : 0;
  if (failing > 0) width++;
  offer(beamKey(0, entry), width);
  const scale = f32x4.splat(tableScale),
    base = f32x4.splat(tableBase);
  const expected = <i32>(<f32>ef * EXPANDED_SHARE);
  while (true) {
    const node = takeNearest();
    if (node == NONE) break;
    if (seen(node)) continue;
    expand(node, limit, scale, base);
    if (budget != 0 && isHopeless(expansions, passed, expected, budget)) return false;
  }
  setBeam(SCORES, resultCount);
  return true;
}
