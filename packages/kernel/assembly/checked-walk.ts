// The checked walk: best-first over layer 0, where rows that do not pass are walked through but are no answers. OPEN is a heap of
// all candidates, nearest first; TOP holds the nearest passing rows, ascending.
import { NONE, estimate, nextOf } from './graph';
import { beamKey, clearBeam, collect } from './graph-walk';
import { keyOf, ordered } from './key';
import { chainPasses, isHopeless, passes } from './passing';
import { LIST, OPEN, TOP } from './scratch';

/** Keys that OPEN has room for. */
export const OPEN_MAX = 131_072;

let openCount: i32 = 0;
/** Nodes taken from OPEN to be expanded. */
export let opened: u32 = 0;
export let topCount: i32 = 0;
/** A row may be met twice: by itself and in the chain of an equal one that other links lead to. */
let isRepeating: bool = false;

function pushOpen(key: u64): void {
  if (openCount == OPEN_MAX) return;
  let at = <usize>openCount;
  openCount++;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = load<u64>(OPEN + (parent << 3));
    if (above <= key) break;
    store<u64>(OPEN + (at << 3), above);
    at = parent;
  }
  store<u64>(OPEN + (at << 3), key);
}
function popOpen(): u64 {
  const nearest = load<u64>(OPEN);
  openCount--;
  const key = load<u64>(OPEN + (<usize>openCount << 3));
  let at: usize = 0;
  while (true) {
    let child = (at << 1) + 1;
    if (child >= <usize>openCount) break;
    let smaller = load<u64>(OPEN + (child << 3));
    if (child + 1 < <usize>openCount) {
      const right = load<u64>(OPEN + (child << 3), 8);
      if (right < smaller) {
        smaller = right;
        child++;
      }
    }
    if (smaller >= key) break;
    store<u64>(OPEN + (at << 3), smaller);
    at = child;
  }
  store<u64>(OPEN + (at << 3), key);
  return nearest;
}
// @ts-ignore: decorator
@inline
export function worst(ef: i32): u64 {
  return topCount < ef ? u64.MAX_VALUE : load<u64>(TOP + (<usize>(ef - 1) << 3));
}
export function insertTop(key: u64, ef: i32): void {
  if (key >= worst(ef)) return;
  if (topCount < ef) topCount++;
  let p = TOP + (<usize>(topCount - 1) << 3);
  while (p > TOP && load<u64>(p - 8) > key) {
    store<u64>(p, load<u64>(p - 8));
    p -= 8;
  }
  store<u64>(p, key);
}

/** Whether a key is at TOP. */
function holds(key: u64): bool {
  let p = TOP + (<usize>topCount << 3);
  while (p > TOP && load<u64>(p - 8) > key) p -= 8;
  return p > TOP && load<u64>(p - 8) == key;
}

/** Takes a scored node: it may be walked on from, and it and its chain are answers where they pass. */
// @ts-ignore: decorator
@inline
export function consider(row: u32, ef: i32): void {
  const d = estimate(row);
  const bound = worst(ef);
  if (beamKey(d, 0) > bound) return;
  pushOpen(keyOf(d, row));
  for (let r = row; r != NONE; r = nextOf(r)) {
    if (passes(r) && !(isRepeating && holds(keyOf(d, r)))) insertTop(keyOf(d, r), ef);
    if (ordered(d) > <u32>(worst(ef) >> 32)) break;
  }
}

export function beginChecked(mayRepeat: bool): void {
  clearBeam();
  openCount = 0;
  topCount = 0;
  opened = 0;
  isRepeating = mayRepeat;
}

/** Walks on from what was considered. False when it gave up, as `walkNeighbours` does. */
export function walkChecked(ef: i32, budget: u32): bool {
  let passed: u32 = 0;
  while (openCount > 0) {
    const key = popOpen();
    if (key > worst(ef)) return true;
    opened++;
    if (chainPasses(<u32>key)) passed++;
    if (budget != 0 && isHopeless(opened, passed, ef, budget)) return false;
    const count = collect(0, <u32>key);
    for (let i = 0; i < count; i++) consider(load<u32>(LIST + (<usize>i << 2)), ef);
  }
  return true;
}
