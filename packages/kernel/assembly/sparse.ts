// Sparse search over the inverted index of a sealed segment: postings added up for a batch of rows at a time, and what may
// be among the best left in LIST and SCORES, or in the heap at TOP. The index and its bytes: docs/formats/segment.md.
// Terms lie at QUERY, 32 bytes each: u32 address of the rows, u32 address of the codes, u32 count, u32 kind (0 a list of
// ascending u32 rows, 1 words of 32 rows: u32 bits, u32 number of postings before them), f32 base, f32 scale, f32 most that it
// adds, u32 unused (the cursor here). Always: a posting adds base + scale * code; sums are of a batch and start at zero;
// a row passes a threshold unless its sum is below it, so that what is not a number passes.
import { addToTop, distanceOf, keyOf, replaceFarthest } from './key';
import { LIST, QUERY, SCORES, TOP, WORK } from './scratch';

/** Rows of a batch: their sums fit the nearer caches. */
const BATCH: u32 = 16384;
/** Rows of a group: a byte says whether any of them has a posting. */
const GROUP_SHIFT: u32 = 4;
const TERM: usize = 32;
const TOUCHED: usize = <usize>BATCH << 2;

// @ts-ignore: decorator
@inline
function termAt(index: u32): usize {
  return QUERY + <usize>index * TERM;
}

/** First position of a list whose row is `row` or above. */
function lowerBound(rows: usize, count: u32, row: u32): u32 {
  let low: u32 = 0,
    high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (load<u32>(rows + ((<usize>middle) << 2)) < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

function begin(terms: u32, from: u32): void {
  memory.fill(WORK, 0, TOUCHED + <usize>(BATCH >> GROUP_SHIFT));
  for (let i: u32 = 0; i < terms; i++) {
    const term = termAt(i);
    store<u32>(term, from == 0 ? 0 : lowerBound(load<u32>(term), load<u32>(term, 8), from), 28);
  }
}

function addList(term: usize, base: u32, end: u32): void {
  const rows = <usize>load<u32>(term),
    codes = <usize>load<u32>(term, 4),
    count = load<u32>(term, 8);
  const least = load<f32>(term, 16),
    scale = load<f32>(term, 20);
  let at = load<u32>(term, 28);
  while (at < count) {
    const row = load<u32>(rows + ((<usize>at) << 2));
    if (row >= end) break;
    const inside = <usize>(row - base);
    const sum = WORK + (inside << 2);
    store<f32>(sum, load<f32>(sum) + (least + scale * <f32>load<u8>(codes + at)));
    store<u8>(WORK + TOUCHED + (inside >> GROUP_SHIFT), 1);
    at++;
  }
  store<u32>(term, at, 28);
}

function addWords(term: usize, base: u32, end: u32): void {
  const words = <usize>load<u32>(term),
    codes = <usize>load<u32>(term, 4);
  const least = load<f32>(term, 16),
    scale = load<f32>(term, 20);
  for (let row = base; row < end; row += 32) {
    const word = words + <usize>(row >> 2);
    let bits = load<u32>(word);
    if (bits == 0) continue;
    let code = codes + <usize>load<u32>(word, 4);
    const inside = <usize>(row - base);
    const touched = WORK + TOUCHED + (inside >> GROUP_SHIFT);
    store<u16>(
      touched,
      load<u16>(touched) | ((bits & 0xffff) != 0 ? 1 : 0) | ((bits >>> 16) != 0 ? 0x100 : 0),
    );
    const sums = WORK + (inside << 2);
    while (bits) {
      const sum = sums + ((<usize>ctz(bits)) << 2);
      store<f32>(sum, load<f32>(sum) + (least + scale * <f32>load<u8>(code)));
      bits &= bits - 1;
      code++;
    }
  }
}

function addTerms(terms: u32, base: u32, end: u32): void {
  for (let i: u32 = 0; i < terms; i++) {
    const term = termAt(i);
    if (load<u32>(term, 12) == 0) addList(term, base, end);
    else addWords(term, base, end);
  }
}

/** What a term of words adds to a row. */
// @ts-ignore: decorator
@inline
function addedTo(row: u32, term: usize): f32 {
  const word = <usize>load<u32>(term) + ((<usize>(row >> 5)) << 3);
  const bits = load<u32>(word),
    bit = (<u32>1) << (row & 31);
  if ((bits & bit) == 0) return 0;
  const code = <usize>load<u32>(term, 4) + <usize>(load<u32>(word, 4) + popcnt(bits & (bit - 1)));
  return load<f32>(term, 16) + load<f32>(term, 20) * <f32>load<u8>(code);
}

/** Rows of a touched group, as bits, whose sum is not below the threshold and which the filter (0 = none) lets pass. */
// @ts-ignore: decorator
@inline
function passing(sums: usize, row: u32, threshold: v128, filter: usize): u32 {
  const below =
    i32x4.bitmask(f32x4.lt(v128.load(sums), threshold)) |
    (i32x4.bitmask(f32x4.lt(v128.load(sums, 16), threshold)) << 4) |
    (i32x4.bitmask(f32x4.lt(v128.load(sums, 32), threshold)) << 8) |
    (i32x4.bitmask(f32x4.lt(v128.load(sums, 48), threshold)) << 12);
  const bits = ~(<u32>below) & 0xffff;
  return filter == 0 ? bits : bits & <u32>load<u16>(filter + <usize>(row >> 3));
}

// @ts-ignore: decorator
@inline
function clear(sums: usize): void {
  const zero = f32x4.splat(0);
  v128.store(sums, zero);
  v128.store(sums, zero, 16);
  v128.store(sums, zero, 32);
  v128.store(sums, zero, 48);
}

/**
 * The k best of the rows below `to` by the sums of the first `terms` terms, as keys of the negated sums in the heap at TOP.
 * @returns how many there are
 */
export function sparseBest(terms: u32, to: u32, filter: usize, k: u32): u32 {
  let count: u32 = 0;
  let threshold: f32 = -Infinity;
  begin(terms, 0);
  for (let base: u32 = 0; base < to; base += BATCH) {
    addTerms(terms, base, min(to, base + BATCH));
    for (let group: u32 = 0; group < BATCH >> GROUP_SHIFT; group += 8) {
      let touched = load<u64>(WORK + TOUCHED + <usize>group);
      if (touched == 0) continue;
      store<u64>(WORK + TOUCHED + <usize>group, 0);
      while (touched) {
        const inside = (group + (<u32>ctz(touched) >>> 3)) << GROUP_SHIFT;
        touched &= touched - 1;
        const sums = WORK + (<usize>inside << 2);
        let bits = passing(sums, base + inside, f32x4.splat(threshold), filter);
        while (bits) {
          const one = <u32>ctz(bits);
          bits &= bits - 1;
          const sum = load<f32>(sums + (<usize>one << 2));
          // Not touched itself; a row whose postings add up to nothing is no loss here.
          if (sum == 0) continue;
          const key = keyOf(-sum, base + inside + one);
          if (count < k) {
            addToTop(key, count);
            count++;
          } else if (key < load<u64>(TOP)) {
            replaceFarthest(key, count);
          }
          if (count == k) threshold = -distanceOf(load<u64>(TOP));
        }
        clear(sums);
      }
    }
  }
  return count;
}

/**
 * Rows from..to-1 (`from` a multiple of BATCH) that have one of the first `terms` terms and whose sum over these and the
 * `lookups` terms of words behind them is not below `threshold`, ascending to LIST, and their sums to SCORES.
 * REQUIRES: at most as many rows as LIST has room for.
 * @param rest - the most that the terms behind the first add
 */
export function sparseCandidates(
  terms: u32,
  lookups: u32,
  from: u32,
  to: u32,
  filter: usize,
  threshold: f32,
  rest: f32,
): u32 {
  let count: usize = 0;
  const all = terms + lookups;
  const bound = f32x4.splat(threshold - rest);
  begin(terms, from);
  for (let base = from; base < to; base += BATCH) {
    addTerms(terms, base, min(to, base + BATCH));
    for (let group: u32 = 0; group < BATCH >> GROUP_SHIFT; group += 8) {
      let touched = load<u64>(WORK + TOUCHED + <usize>group);
      if (touched == 0) continue;
      store<u64>(WORK + TOUCHED + <usize>group, 0);
      while (touched) {
        const inside = (group + (<u32>ctz(touched) >>> 3)) << GROUP_SHIFT;
        touched &= touched - 1;
        const sums = WORK + (<usize>inside << 2);
        let bits = passing(sums, base + inside, bound, filter);
        while (bits) {
          const one = <u32>ctz(bits);
          bits &= bits - 1;
          const row = base + inside + one;
          let sum = load<f32>(sums + (<usize>one << 2)),
            left = rest;
          for (let i = terms; i < all; i++) {
            if (sum + left < threshold) break;
            const term = termAt(i);
            sum += addedTo(row, term);
            left -= load<f32>(term, 24);
          }
          if (sum < threshold || row >= to) continue;
          store<u32>(LIST + (count << 2), row);
          store<f32>(SCORES + (count << 2), sum);
          count++;
        }
        clear(sums);
      }
    }
  }
  return <u32>count;
}
