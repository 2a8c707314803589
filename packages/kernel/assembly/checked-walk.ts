// The checked walk: best-first over layer 0, where rows that do not pass are walked through but are no answers. OPEN is a heap of
// all candidates, nearest first; TOP holds the nearest passing rows, ascending.
import { BLOCK_STRIDE, GRAPH_LINKS, GRAPH_M0, M0, NONE, estimate, linksOf, nextOf, touchCodes } from './graph';
import { crowdedWidth, widestOf } from './crowding';
import { beamKey, clearBeam, collect, countCodes } from './graph-walk';
import { keyOf, ordered } from './key';
import { chainPasses, isHopeless, passes } from './passing';
import { OPEN_MAX, clearHeap, nearestKey, pop, push, waiting } from './key-heap';
import { LIST, TOP } from './scratch';
import { seen } from './visited';

/** Nodes taken from OPEN to be expanded. */
export let opened: u32 = 0;
export let topCount: i32 = 0;
/** A row may be met twice: by itself and in the chain of an equal one that other links lead to. */
let isRepeating: bool = false;
let sink: u32 = 0;

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
  // What the heap has no room for is not walked on from.
  if (waiting < <usize>OPEN_MAX) push(keyOf(d, row));
  for (let r = row; r != NONE; r = nextOf(r)) {
    if (passes(r) && !(isRepeating && holds(keyOf(d, r)))) insertTop(keyOf(d, r), ef);
    if (ordered(d) > <u32>(worst(ef) >> 32)) break;
  }
}

export function beginChecked(mayRepeat: bool): void {
  clearBeam();
  clearHeap();
  topCount = 0;
  opened = 0;
  isRepeating = mayRepeat;
}

/**
 * Unseen rows to LIST that a table of links and the graph's own links lead to from a node, and returns how many. By the table also
 * rows that fail, to be stepped over, but not from one of them to the next: all of a block may be nearer than what passes. By
 * the graph's own links only rows that pass, and not the first of a chain that itself fails: the table may lead from it to
 * rows that were not asked for, and those of the chain that pass have links of their own there.
 */
function collectJoined(node: u32): i32 {
  const links = linksOf(0, node),
    isPassing = chainPasses(node);
  let count = 0,
    sum: u32 = 0;
  for (let i: u32 = 0; i < M0; i++) {
    const other = load<u32>(links + (<usize>i << 2));
    if (other == NONE) break;
    if ((!isPassing && !chainPasses(other)) || seen(other)) continue;
    sum += touchCodes(other);
    store<u32>(LIST + (<usize>count << 2), other);
    count++;
  }
  const own = GRAPH_LINKS + <usize>node * BLOCK_STRIDE;
  for (let i: u32 = 0; i < GRAPH_M0; i++) {
    const other = load<u32>(own + (<usize>i << 2));
    if (other == NONE) break;
    if (!passes(other) || seen(other)) continue;
    sum += touchCodes(other);
    store<u32>(LIST + (<usize>count << 2), other);
    count++;
  }
  sink += sum;
  countCodes(count);
  return count;
}

/**
 * Walks on from what was considered (with `widestOf(ef)` places), by the table of links that was taken and, `isJoined`, by the graph's
 * own as well, until the nearest `ef` rows that pass are found, or more of them where they are crowded. False when it gave up, as
 * `walkNeighbours` does.
 */
export function walkChecked(ef: i32, budget: u32, isJoined: bool = false): bool {
  const widest = widestOf(ef);
  let passed: u32 = 0,
    width = ef;
  while (waiting > 0) {
    const key = nearestKey();
    pop();
    // What a wider beam found may be more crowded still.
    while (key > worst(width)) {
      const wider = crowdedWidth(TOP, width, ef, -1);
      if (wider <= width) return true;
      width = wider;
    }
    opened++;
    if (chainPasses(<u32>key)) passed++;
    if (budget != 0 && isHopeless(opened, passed, width, budget)) return false;
    const count = isJoined ? collectJoined(<u32>key) : collect(0, <u32>key);
    for (let i = 0; i < count; i++) consider(load<u32>(LIST + (<usize>i << 2)), widest);
  }
  return true;
}
