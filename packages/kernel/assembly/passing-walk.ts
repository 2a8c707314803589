// The filtered walk (ACORN-1, Patel et al. 2024, arXiv 2403.04871): only rows that pass are scored and expanded; a
// neighbour that does not pass is stepped over to its own neighbours. Stepping over only those that neighbour codes
// show to lie towards the query was measured: cheaper, but no better at equal recall, and worse far from the query.
import { COUNT, M0, NONE, estimate, linksOf, touchCodes } from './graph';
import { seen } from './visited';
import { crowdedWidth, widestOf } from './crowding';
import { beamKey, clearBeam, countCodes, keyAt, nodeOf, offer, size, takeNearestOf } from './graph-walk';
import { chainPasses, FILTER, passes } from './passing';
import { LIST, OPEN } from './scratch';

/** Most unseen neighbours of one expansion over two hops. */
const EXPANSION_MAX = 8192;
/** Passing rows spread over the set that a filtered walk starts from, besides the entry. */
const SEEDS: u32 = 64;
let sink: u32 = 0;

// @ts-ignore: decorator
@inline
function take(row: u32, count: i32): i32 {
  sink += touchCodes(row);
  store<u32>(LIST + (<usize>count << 2), row);
  return count + 1;
}

/** Unseen passing neighbours of a row that does not pass, to LIST. */
function stepOver(node: u32, count: i32): i32 {
  const links = linksOf(0, node);
  for (let j: u32 = 0; j < M0; j++) {
    const far = load<u32>(links + (<usize>j << 2));
    if (far == NONE || count >= EXPANSION_MAX) break;
    if (!chainPasses(far) || seen(far)) continue;
    count = take(far, count);
  }
  return count;
}

/** All passing rows within two hops, to LIST; returns how many. */
function collectPassing(node: u32): i32 {
  const links = linksOf(0, node);
  let count = 0;
  for (let i: u32 = 0; i < M0; i++) {
    const neighbour = load<u32>(links + (<usize>i << 2));
    if (neighbour == NONE || count >= EXPANSION_MAX) break;
    if (seen(neighbour)) continue;
    if (chainPasses(neighbour)) count = take(neighbour, count);
    else count = stepOver(neighbour, count);
  }
  return count;
}

/** Passing rows of evenly spread places of the filter: the passing set may lie far from the entry. */
function offerSeeds(ef: i32): void {
  const words = (COUNT + 31) >> 5;
  const seeds = min<u32>(SEEDS, words);
  let count = 0;
  for (let i: u32 = 0; i < seeds; i++) {
    const end = <u32>((<u64>words * <u64>(i + 1)) / <u64>seeds);
    for (let w = <u32>((<u64>words * <u64>i) / <u64>seeds); w < end; w++) {
      const bits = load<u32>(FILTER + (<usize>w << 2));
      if (bits == 0) continue;
      const row = (w << 5) + ctz(bits);
      // A row without links is not in the graph, or hangs in a chain.
      if (row >= COUNT || load<u32>(linksOf(0, row)) == NONE || !passes(row) || seen(row)) continue;
      count = take(row, count);
      break;
    }
  }
  offerListed(count, ef);
}

// @ts-ignore: decorator
@inline
function offerListed(count: i32, ef: i32): void {
  for (let i = 0; i < count; i++) {
    const row = load<u32>(LIST + (<usize>i << 2));
    offer(beamKey(estimate(row), row), ef);
  }
  countCodes(count);
}

/** Place of the entry in the beam, where it does not pass; -1 = it is no such row, or fell out. */
function placeOfFailing(entry: u32, count: i32): i32 {
  if (chainPasses(entry)) return -1;
  for (let i = 0; i < count; i++) if (nodeOf(keyAt(i)) == entry) return i;
  return -1;
}

/**
 * Walks from a row and from seeds until the beam holds the nearest `asked` passing rows (and perhaps the entry) it can reach. As rows
 * that are two steps away are reached by those between them alone, it has half as many places again, and more where what passes
 * is crowded.
 */
export function walkPassing(entry: u32, asked: i32): void {
  const ef = asked + (asked >> 1),
    widest = widestOf(ef);
  clearBeam();
  seen(entry);
  offer(beamKey(estimate(entry), entry), widest);
  offerSeeds(widest);
  let width = ef;
  while (true) {
    const node = takeNearestOf(width);
    if (node != NONE) {
      offerListed(collectPassing(node), widest);
      continue;
    }
    const count = min<i32>(size, width);
    const wider = crowdedWidth(OPEN, count, ef, placeOfFailing(entry, count));
    if (wider <= width) return;
    width = wider;
  }
}
