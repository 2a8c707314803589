// A heap of beam keys at OPEN, nearest first: what a walk still has to expand. Always: a key costs little to
// add, wherever it belongs, unlike a place in an ordered beam.
import { OPEN } from './scratch';

/** Keys that OPEN has room for. */
export const OPEN_MAX: i32 = 131_072;

export let waiting: usize = 0;

export function clearHeap(): void {
  waiting = 0;
}

/** Puts a key where it belongs between the root and a hole. */
// @ts-ignore: decorator
@inline
function rise(hole: usize, key: u64): void {
  let at = hole;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = load<u64>(OPEN + (parent << 3));
    if (above <= key) break;
    store<u64>(OPEN + (at << 3), above);
    at = parent;
  }
  store<u64>(OPEN + (at << 3), key);
}

/** REQUIRES: fewer than OPEN_MAX wait. */
export function push(key: u64): void {
  rise(waiting++, key);
}

/** The nearest key. REQUIRES: one waits. */
// @ts-ignore: decorator
@inline
export function nearestKey(): u64 {
  return load<u64>(OPEN);
}

/**
 * Takes the nearest key away. The hole sinks to the bottom along the nearer children and the last key rises in it (Wegener 1993): that key
 * belongs near the bottom, and the nearer child is chosen without a branch. REQUIRES: one waits.
 */
export function pop(): void {
  waiting--;
  const last = load<u64>(OPEN + (waiting << 3));
  let at: usize = 0,
    child: usize = 1;
  while (child < waiting) {
    const p = OPEN + (child << 3);
    // Behind the last child lies the key that is to be placed anew.
    child += <usize>(load<u64>(p, 8) < load<u64>(p));
    store<u64>(OPEN + (at << 3), load<u64>(OPEN + (child << 3)));
    at = child;
    child = (at << 1) + 1;
  }
  rise(at, last);
}
