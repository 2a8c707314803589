// Exact search over stored rows: scores of listed rows, and the best k of a range. Rows that the caller's group cannot
// see, or whose bit is 0 in a given bitset, are passed over without being read.
import { addToTop, distanceOf, keyOf, replaceFarthest } from './key';
import { isBeyond, prepareScanned } from './scan-codes';
import { LIST, SCORES, TOP } from './scratch';
import { distance, reported } from './score';

/** Born at or before the group, and not dead at it. */
// @ts-ignore: decorator
@inline
export function visible(born: usize, death: usize, group: u32, row: u32): bool {
  const at = <usize>row << 2;
  if (load<u32>(born + at) > group) return false;
  const dead = load<u32>(death + at);
  return dead == 0 || dead > group;
}

/** Reported scores of the `count` rows at LIST, to SCORES. */
export function scoreList(mode: i32, rows: usize, stride: usize, padded: usize, count: i32): void {
  for (let i: usize = 0; i < <usize>count; i++) {
    const row = load<u32>(LIST + (i << 2));
    store<f32>(SCORES + (i << 2), reported(mode, distance(mode, rows + <usize>row * stride, padded)));
  }
}

/** Reported scores of rows from..to-1, to SCORES. */
export function scoreRange(mode: i32, rows: usize, stride: usize, padded: usize, from: u32, to: u32): void {
  let at = SCORES;
  for (let row = from; row < to; row++) {
    store<f32>(at, reported(mode, distance(mode, rows + <usize>row * stride, padded)));
    at += 4;
  }
}

/**
 * Pushes the rows at LIST's places from..to-1, whose bytes lie one after another at `staged`, into the heap of at most k
 * keys at TOP, which holds `count` already. Returns the new count.
 */
export function stagedTop(
  mode: i32,
  staged: usize,
  stride: usize,
  padded: usize,
  from: i32,
  to: i32,
  k: u32,
  count: u32,
): u32 {
  for (let i = from; i < to; i++) {
    const key = keyOf(distance(mode, staged, padded), load<u32>(LIST + (<usize>i << 2)));
    staged += stride;
    if (count < k) {
      addToTop(key, count);
      count++;
    } else if (key < load<u64>(TOP)) {
      replaceFarthest(key, count);
    }
  }
  return count;
}

/** Bits of rows base..base+31 (base is a multiple of 32). A bitset address of 0 means every row. */
// @ts-ignore: decorator
@inline
function word(bitset: usize, base: u32): u32 {
  return bitset == 0 ? 0xffffffff : load<u32>(bitset + <usize>(base >> 3));
}

/**
 * Pushes the rows from..to-1 into the heap of at most k keys at TOP, which holds `count` already.
 * born = 0 means every row is visible. codes = 0 means rows have none (scan-codes.ts). Rows beyond the distance `most` are left out.
 * Returns the new count.
 */
export function scanTop(
  mode: i32,
  rows: usize,
  stride: usize,
  padded: usize,
  from: u32,
  to: u32,
  born: usize,
  death: usize,
  group: u32,
  filter: usize,
  present: usize,
  codes: usize,
  codeStride: usize,
  most: f32,
  k: u32,
  count: u32,
): u32 {
  let farthest: u64 = keyOf(most, 0xffffffff);
  if (count == k) farthest = min<u64>(farthest, load<u64>(TOP));
  if (codes != 0) prepareScanned(mode, padded);
  for (let base = from & ~31; base < to; base += 32) {
    let bits = word(filter, base) & word(present, base);
    if (base < from) bits &= <u32>0xffffffff << (from - base);
    if (to - base < 32) bits &= ((<u32>1) << (to - base)) - 1;
    while (bits) {
      const row = base + ctz(bits);
      bits &= bits - 1;
      if (born != 0 && !visible(born, death, group, row)) continue;
      if (codes != 0 && isBeyond(codes + <usize>row * codeStride, padded, <f64>distanceOf(farthest))) continue;
      const key = keyOf(distance(mode, rows + <usize>row * stride, padded), row);
      if (key >= farthest) continue;
      if (count < k) {
        addToTop(key, count);
        count++;
      } else {
        replaceFarthest(key, count);
      }
      if (count == k) farthest = load<u64>(TOP);
    }
  }
  return count;
}
