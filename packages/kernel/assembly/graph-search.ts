// Searches of the open graph: a walk by estimates, then exact distances of the best candidates. The answer is a heap of
// at most k keys at TOP. Always: rows of a chain of equal rows share their first row's estimate.
import { NONE, distanceOfEstimate, paddedDim, rowBytes, estimate, nextOf, MODE, ROWS, ROW_STRIDE, BEAM_SCALE, BLOCK_STRIDE, ENTRY_TABLE, LANES, REACH, errorOf, isProjected, isQuantised, rowOf, walkBytes, queryFromVector } from './graph';
import { seen } from './visited';
import { codesRead, entryRow, keyAt, nearestOfTable, nodeOf, size, taken, walk } from './graph-walk';
import { OPEN_MAX } from './key-heap';
import { addToTop, distanceOf, keyOf, ordered, replaceFarthest } from './key';
import { LIST, TOP } from './scratch';
import { expansions, hasReach, walkNeighbours, walkWithinReach } from './neighbour-walk';
import { passes, setPassing } from './passing';
import { walkPassing } from './passing-walk';
import { widestOf } from './crowding';
import { beginChecked, consider, opened, topCount, walkChecked } from './checked-walk';
import { scanCodes } from './code-scan';
import { walkLinked } from './payload-links';
import { distance } from './score';

/** Results kept beyond k by a walk over neighbour codes. */
const RESULTS_SPARE: i32 = 16;
/** Candidates kept beyond k by a scan of codes, at least. */
const SCAN_SPARE: i32 = 32;
/** A chain of copies may take the places of nearer rows behind it: so many times the beam are listed where all are near enough. */
const COPIES_SPARE: i32 = 4;
/** Places more, by answer, of a beam in which rows are checked, where walks without a check go by a reach: these find more at narrow `ef`. */
const CHECKED_PLACES: f32 = 0.25;
/** Standard errors beyond the k-th estimate within which candidates are scored exactly. */
const ERRORS: f32 = 3;

/** Candidates beyond k that are scored exactly in any case: few quantised elements err otherwise than a normal distribution. */
const QUANTISED_SPARE: i32 = 16;
/** A scan keeps candidates for next to nothing: coarse codes have so many times more of them to choose from. */
const QUANTISED_SCAN: i32 = 2;

let sink: u32 = 0;

/** Candidates that are worth an exact score whatever their estimates. */
function leastOf(k: i32): i32 {
  return isQuantised ? k + QUANTISED_SPARE : k;
}

/**
 * Where candidates stop to be worth an exact distance: the estimate of the k-th and a few standard errors. A set whose
 * rows differ by less than their codes can tell thus has more of them scored.
 */
// @ts-ignore: decorator
@inline
function boundFrom(kth: u64, row: u32): u32 {
  return ordered(distanceOf(kth) + ERRORS * errorOf(row));
}

/** The beam's rows and their chains to LIST, nearest first: `limit` of them, or with limit 0 those worth it. */
function listBeam(k: i32, limit: i32, isChecked: bool): i32 {
  let count = 0,
    bound: u32 = 0xffffffff;
  const isOpen = limit == 0;
  if (isOpen) limit = min(OPEN_MAX, COPIES_SPARE * max(k, size));
  const least = leastOf(k);
  for (let i = 0; i < size && count < limit; i++) {
    const key = keyAt(i);
    if (isOpen && count >= least) {
      if (bound == 0xffffffff) bound = boundFrom(key, nodeOf(key));
      if (<u32>(key >> 32) > bound) break;
    }
    for (let row = nodeOf(key); row != NONE && count < limit; row = nextOf(row)) {
      if (isChecked && !passes(row)) continue;
      store<u32>(LIST + (<usize>count << 2), row);
      count++;
    }
  }
  return count;
}

/** Starts the cache misses of the listed rows from..to-1 together. */
function touchRows(from: i32, to: i32, bytes: usize): void {
  let sum: u32 = 0;
  for (let i = from; i < to; i++) {
    const at = ROWS + <usize>load<u32>(LIST + (<usize>i << 2)) * ROW_STRIDE;
    for (let o: usize = 0; o < bytes; o += 64) sum += load<u32>(at + o);
  }
  sink += sum;
}

/** What the codes say of the distances of the `count` rows at LIST, to TOP. */
function keepEstimates(count: i32): u32 {
  for (let i = 0; i < count; i++) {
    const row = load<u32>(LIST + (<usize>i << 2));
    addToTop(keyOf(distanceOfEstimate(estimate(row)), row), i);
  }
  return count;
}

/** Exact distances of the `count` rows at LIST; the best k stay at TOP. */
function rescore(count: i32, k: u32): u32 {
  const bytes = rowBytes();
  const padded = paddedDim();
  let held: u32 = 0;
  for (let i = 0; i < count; i++) {
    if ((i & 15) == 0) touchRows(i, min(count, i + 16), bytes);
    const row = load<u32>(LIST + (<usize>i << 2));
    const key = keyOf(distance(MODE, ROWS + <usize>row * ROW_STRIDE, padded), row);
    if (held < k) {
      addToTop(key, held);
      held++;
    } else if (key < load<u64>(TOP)) {
      replaceFarthest(key, held);
    }
  }
  return held;
}

/** Rows of TOP, nearest first, to LIST; as many as `listBeam` would. */
function listTop(k: i32, limit: i32): i32 {
  const count = limit == 0 ? topCount : min(limit, topCount),
    least = leastOf(k);
  let bound: u32 = 0xffffffff;
  for (let i = 0; i < count; i++) {
    const key = load<u64>(TOP + (<usize>i << 3));
    if (limit == 0 && i >= least) {
      if (i == least) bound = boundFrom(key, <u32>key);
      if (<u32>(key >> 32) > bound) return i;
    }
    store<u32>(LIST + (<usize>i << 2), <u32>key);
  }
  return count;
}

/** Kinds of searches: what SearchRequest.walk of `ann` and the presence of neighbour codes come down to. */
const PLAIN: i32 = 0;
const CHECKED: i32 = 1;
const FILTERED: i32 = 2;
const NEIGHBOURS: i32 = 3;
const NEIGHBOURS_CHECKED: i32 = 4;
const CODES: i32 = 5;
const LINKED: i32 = 6;

// What the last search did, for explaining it.
let lastKind: i32 = 0;
let visited: u32 = 0;
let estimated: u32 = 0;
let lookedUp: u32 = 0;
let rescored: u32 = 0;

function countWalk(nodes: u32, lookups: u32): void {
  visited += nodes;
  estimated += codesRead;
  lookedUp += lookups;
}

/**
 * The rows that a search of the open graph for the query at QUERY (prepared) would score exactly, to LIST; returns how many.
 * kind 0: plain walk, everything is an answer; 1: plain walk with a check of visibility and filter; 2: filtered walk; 3, 4: 0
 * and 1 by neighbour codes; 5: scan of what passes by codes; 6: a walk by the links that were offered. A checked walk that would expand more than `budget` rows (0 =
 * no bound) gives up, and `fallback` (2, 5 or 6) is done instead. rescoreCount: rows listed, 0 = as many as the error of the
 * codes asks for.
 */
export function listCandidates(
  kind: i32,
  k: u32,
  ef: i32,
  rescoreCount: i32,
  filter: usize,
  born: usize,
  death: usize,
  group: u32,
  fallback: i32,
  budget: u32,
): u32 {
  setPassing(filter, born, death, group);
  queryFromVector();
  visited = estimated = lookedUp = 0;
  rescored = listFound(kind, k, ef, rescoreCount, fallback, budget);
  return rescored;
}

/**
 * Searches the open graph as `listCandidates` says. A negative rescoreCount: what the codes say is the answer. Returns the
 * count of keys at TOP (a heap, farthest first).
 */
export function searchGraph(
  kind: i32,
  k: u32,
  ef: i32,
  rescoreCount: i32,
  filter: usize,
  born: usize,
  death: usize,
  group: u32,
  fallback: i32,
  budget: u32,
): u32 {
  const isByCodes = rescoreCount < 0;
  const listed = listCandidates(kind, k, ef, isByCodes ? k : rescoreCount, filter, born, death, group, fallback, budget);
  if (!isByCodes) return rescore(listed, k);
  rescored = 0;
  return keepEstimates(listed);
}

/** A beam, or a number of candidates, of codes of components that is worth one of int8 codes. */
function widened(count: i32, k: i32): i32 {
  return max<i32>(k, min<i32>(OPEN_MAX - 1, <i32>(<f32>count * BEAM_SCALE)));
}

/** Candidates of a search to LIST; returns how many. */
function listFound(kind: i32, k: i32, ef: i32, rescoreCount: i32, fallback: i32, budget: u32): i32 {
  if (kind == NEIGHBOURS || kind == NEIGHBOURS_CHECKED) {
    lastKind = kind;
    const isChecked = kind == NEIGHBOURS_CHECKED;
    const places = isChecked && REACH > 0 ? <f32>ef + CHECKED_PLACES * <f32>k : <f32>ef;
    const width = max<i32>(<i32>(places * BEAM_SCALE), k);
    const start = ENTRY_TABLE == 0 ? entryRow() : rowOf(1, nearestOfTable(ENTRY_TABLE));
    const limit = max<i32>(width, k + RESULTS_SPARE);
    let isDone = true;
    if (!isChecked && hasReach(width)) walkWithinReach(start, ef, width, limit, k);
    else isDone = walkNeighbours(start, width, limit, isChecked, budget);
    countWalk(expansions, expansions * LANES);
    if (isDone && size >= k) return listBeam(k, rescoreCount, isChecked);
    // Nodes that wait in the beam more than once left too few results: a walk that has each once finds them.
    kind = budget != 0 ? fallback : kind - 3;
  }
  lastKind = kind;
  ef = isProjected ? widened(ef, k) : max<i32>(ef, k);
  if (isProjected && rescoreCount != 0) rescoreCount = widened(rescoreCount, k);
  if (kind == CODES) return listCodes(k, ef, rescoreCount);
  if (kind == LINKED) return listLinked(k, ef, rescoreCount);
  const entry = entryRow();
  if (kind == PLAIN) {
    walk(0, entry, ef);
    countWalk(taken, 0);
    return listBeam(k, rescoreCount, false);
  }
  if (kind == CHECKED) {
    beginChecked(false);
    seen(entry);
    consider(entry, widestOf(ef));
    const isDone = walkChecked(ef, budget);
    countWalk(opened, 0);
    if (isDone) return listTop(k, rescoreCount);
    lastKind = fallback;
    if (fallback == CODES) return listCodes(k, ef, rescoreCount);
    if (fallback == LINKED) return listLinked(k, ef, rescoreCount);
  }
  walkPassing(entry, ef);
  countWalk(taken, 0);
  return listBeam(k, rescoreCount, true);
}

/** By links within blocks; a scan where they lead to too little. */
function listLinked(k: i32, ef: i32, rescoreCount: i32): i32 {
  const isDone = walkLinked(ef);
  countWalk(opened, 0);
  if (isDone && topCount >= k) return listTop(k, rescoreCount);
  lastKind = CODES;
  return listCodes(k, ef, rescoreCount);
}

function listCodes(k: i32, ef: i32, rescoreCount: i32): i32 {
  beginChecked(false);
  const width = max<i32>(ef, k + max<i32>(k, SCAN_SPARE));
  scanCodes(isQuantised || isProjected ? min<i32>(QUANTISED_SCAN * width, max<i32>(width, 65_536)) : width);
  countWalk(0, 0);
  return listTop(k, rescoreCount);
}

/** Of the last search: 0 its kind, after falling back; 1 nodes expanded; 2 codes scored; 3 links looked up; 4 rows scored exactly. */
export function searchFact(index: i32): u32 {
  if (index == 0) return lastKind;
  if (index == 1) return visited;
  if (index == 2) return estimated;
  return index == 3 ? lookedUp : rescored;
}

/** Bytes of codes and blocks that the last search read. */
export function walkedBytes(): f64 {
  return <f64>estimated * <f64>walkBytes() + <f64>(lookedUp / LANES) * <f64>BLOCK_STRIDE;
}

/**
 * Pushes all rows of from..to-1 that the bitset `present` has (0 = all) by their estimates into the heap of at most k keys
 * at TOP, which holds `count`: for the builder, to see what the codes of a set are worth. Returns the new count.
 */
export function estimateTop(k: u32, from: u32, to: u32, present: usize, count: u32): u32 {
  queryFromVector();
  for (let row = from; row < to; row++) {
    if (present != 0 && !((load<u8>(present + <usize>(row >> 3)) >> <u8>(row & 7)) & 1)) continue;
    const key = keyOf(estimate(row), row);
    if (count < k) {
      addToTop(key, count);
      count++;
    } else if (key < load<u64>(TOP)) {
      replaceFarthest(key, count);
    }
  }
  return count;
}
