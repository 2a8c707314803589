// A key is (distance, row) in one u64 that orders as the pair does: nearer first, then the lower row.
// Always: a distance that is not a number counts as infinitely far.
import { TOP } from './scratch';

// @ts-ignore: decorator
@inline
export function ordered(distance: f32): u32 {
  const d: f32 = distance == distance ? distance + 0 : Infinity;
  const bits = reinterpret<u32>(d);
  return bits ^ (<u32>(<i32>bits >> 31) | 0x80000000);
}
// @ts-ignore: decorator
@inline
export function keyOf(distance: f32, row: u32): u64 {
  return ((<u64>ordered(distance)) << 32) | (<u64>row);
}
// @ts-ignore: decorator
@inline
export function distanceOf(key: u64): f32 {
  const o = <u32>(key >> 32);
  return reinterpret<f32>(o & 0x80000000 ? o ^ 0x80000000 : ~o);
}

/** Replaces the farthest key of the full heap at TOP (largest first) and restores the order. */
export function replaceFarthest(key: u64, count: u32): void {
  let at: usize = 0;
  while (true) {
    let child = (at << 1) + 1;
    if (child >= <usize>count) break;
    let larger = load<u64>(TOP + (child << 3));
    if (child + 1 < <usize>count) {
      const right = load<u64>(TOP + (child << 3), 8);
      if (right > larger) {
        larger = right;
        child++;
      }
    }
    if (larger <= key) break;
    store<u64>(TOP + (at << 3), larger);
    at = child;
  }
  store<u64>(TOP + (at << 3), key);
}

/** Adds a key to the heap at TOP (largest first); the caller keeps the count. */
export function addToTop(key: u64, count: u32): void {
  let at = <usize>count;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = load<u64>(TOP + (parent << 3));
    if (above >= key) break;
    store<u64>(TOP + (at << 3), above);
    at = parent;
  }
  store<u64>(TOP + (at << 3), key);
}
