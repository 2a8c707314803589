// A best-first walk by neighbour codes: expanding a row takes one stretch of memory, its block, and scores all of its links
// 32 at a time by table look-up. The row itself is then estimated from its int8 codes, and only such estimates are
// results. What waits lies in an ordered beam of limited width or, where no row is checked, in a heap of which only what is near enough
// is expanded. Always: a node may wait more than once (a nearer parent estimates it better), but it is
// expanded once; what is left in the beam are the results, ascending, as after `walk`.
import { BLOCK_STRIDE, CROWDING, LANES, LINKS, NEIGHBOUR_CODES, NONE, REACH, SUBSPACES, TERMS, estimate } from './graph';
import { isSeen, seen } from './visited';
import { beamKey, clearBeam, dropFarthest, keyAt, nodeOf, offer, setBeam, size, takeNearest } from './graph-walk';
import { distanceOf } from './key';
import { OPEN_MAX, clearHeap, nearestKey, pop, push, waiting } from './key-heap';
import { ln } from './logarithm';
import { distanceOfLink, estimateLinks, fillTables } from './neighbour-sums';
import { chainPasses, isHopeless, WIDEN_MAX } from './passing';
import { SCORES, WORK } from './scratch';

/** Most results of a walk: what SCORES has room for. */
export const RESULTS_MAX: i32 = 65_536;
/** Rows that a walk expands where all pass, by place of its beam: some of those are taken by rows that wait more than once. */
const EXPANDED_SHARE: f32 = 0.6;

/** WORK holds the keys of links, u64[32], behind what neighbour-sums.ts has there. */
const KEYS_AT: usize = 98_560;
/** An answer's distance bounds what is expanded from so many answers on: of fewer it says too little. */
const ANSWERS_MIN: i32 = 10;
/** Rows that a walk within a reach expands at most, by place of the beam of a walk that has one. */
const EXPANDED_MAX: f32 = 1.5;

let resultCount: i32 = 0;
/** The beam's width: what was asked for and, where rows are checked, a place more for each row in it that does not pass. */
let width: i32 = 0;
let widthMax: i32 = 0;
let widthAsked: i32 = 0;
/** Keys in the beam whose rows do not pass; 0 where rows are not checked. */
let failing: i32 = 0;
let isChecked: bool = false;
/** Of a walk without a beam: the reach as a multiple of the distance of the answer of this number; 0 = there is a beam. */
let growth: f32 = 0;
let answers: i32 = 0;
let sink: u32 = 0;
/** Blocks read by the last walk, and how many of their rows passed. */
export let expansions: u32 = 0;
let passed: u32 = 0;

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

/** Offers the links of these bits that were not expanded. */
function offerLinks(links: usize, bits: u32): void {
  // All marks are looked up first and without a branch: their misses overlap.
  let count: usize = 0;
  while (bits != 0) {
    const i = <usize>ctz(bits);
    bits &= bits - 1;
    const link = load<u32>(links + (i << 2));
    store<u64>(WORK + KEYS_AT + (count << 3), beamKey(distanceOfLink(i), link));
    count += <usize>!isSeen(link);
  }
  for (let i: usize = 0; i < count; i++) {
    const key = load<u64>(WORK + KEYS_AT + (i << 3));
    if (growth > 0) push(key);
    else if (!isChecked) offer(key, width);
    else if (size < width || key < keyAt(width - 1)) offerChecked(key, nodeOf(key));
  }
}

/** Distance from which on no link is worth offering. */
// @ts-ignore: decorator
@inline
function farthestOffered(): f32 {
  if (growth > 0) return reach();
  return size < width ? Infinity : distanceOf(keyAt(width - 1));
}

/** Distance beyond which a walk without a beam expands nothing. */
// @ts-ignore: decorator
@inline
function reach(): f32 {
  if (resultCount < answers) return Infinity;
  return growth * max<f32>(0, distanceOf(load<u64>(SCORES + (<usize>(answers - 1) << 3))));
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

function expand(node: u32, limit: i32): void {
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
  let links = LINKS + block,
    factors = NEIGHBOUR_CODES + block;
  const end = links + (<usize>LANES << 2);
  while (links < end) {
    offerLinks(links, estimateLinks(factors, d, farthestOffered()));
    links += 128;
    factors += 256 + (SUBSPACES << 4);
  }
}

/** Whether a walk may go by a reach: what waits must find room. */
export function hasReach(width: i32): bool {
  return REACH > 0 && <f32>width * EXPANDED_MAX * <f32>LANES < <f32>OPEN_MAX;
}

/**
 * By how much a wider beam of `ef` for `k` answers reaches farther: as distances around the graph's own rows grow by rank. Keys are
 * squares and grow twice as fast by it: as far as these would go `ef` 32 expanded 80 rows instead of 47, for no more than the recall of so many.
 */
function stretchOf(ef: i32, k: i32): f32 {
  const y = <f64>CROWDING * ln(<f64>max<i32>(ef, k) / <f64>k);
  return <f32>(1 + y * (1 + y * (0.5 + y / 6)));
}

/**
 * Walks from a row without a beam: the nearest row that waits is expanded until it is farther than the k-th answer so far by a factor that
 * grows with `ef` (adaptive beam search: Al-Jazzazi et al. 2025, arXiv 2505.15636), or as many rows were as a walk with a beam of
 * `width` places would at most. A query whose answers stand out is done sooner than by a beam. The beam then holds the nearest
 * expanded rows, at most `limit`. REQUIRES: the query is prepared for estimates; `hasReach(width)`.
 */
export function walkWithinReach(entry: u32, ef: i32, width: i32, limit: i32, k: i32): void {
  fillTables();
  clearBeam();
  clearHeap();
  resultCount = 0;
  expansions = 0;
  isChecked = false;
  answers = max<i32>(k, ANSWERS_MIN);
  growth = REACH * stretchOf(ef, answers);
  const most = <u32>(<f32>width * EXPANDED_MAX);
  push(beamKey(0, entry));
  while (waiting > 0 && expansions < most && distanceOf(nearestKey()) <= reach()) {
    const node = nodeOf(nearestKey());
    pop();
    if (!seen(node)) expand(node, limit);
  }
  setBeam(SCORES, resultCount);
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
  growth = 0;
  width = ef;
  widthAsked = ef;
  widthMax = check ? min<i32>(ef * WIDEN_MAX, RESULTS_MAX) : ef;
  failing = check && !chainPasses(entry) ? 1 : 0;
  if (failing > 0) width++;
  offer(beamKey(0, entry), width);
  const expected = <i32>(<f32>ef * EXPANDED_SHARE);
  while (true) {
    const node = takeNearest();
    if (node == NONE) break;
    if (seen(node)) continue;
    expand(node, limit);
    if (budget != 0 && isHopeless(expansions, passed, expected, budget)) return false;
  }
  setBeam(SCORES, resultCount);
  return true;
}
