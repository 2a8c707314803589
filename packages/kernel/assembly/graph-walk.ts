// Best-first walks over the open graph. OPEN holds the beam: keys in ascending order, (ordered distance, node, bit 0 =
// expanded). Always: a walk starts from a new epoch; every node is scored at most once in a walk.
import { ordered } from './key';
import { LIST, OPEN } from './scratch';
import {
  LAYERS,
  M,
  M0,
  NONE,
  UPPER,
  estimate,
  layerCount,
  linksOf,
  rowOf,
  touchCodes,
} from './graph';
import { newEpoch, seen } from './visited';

export let size: i32 = 0;
/** Codes read since the beam was cleared. */
export let codesRead: u32 = 0;
/** Nodes taken to be expanded since then. */
export let taken: u32 = 0;
let cursor: i32 = 0;
/** Keeps the touching loads alive. */
let sink: u32 = 0;

// @ts-ignore: decorator
@inline
export function beamKey(distance: f32, node: u32): u64 {
  return ((<u64>ordered(distance)) << 32) | ((<u64>node) << 1);
}
// @ts-ignore: decorator
@inline
export function nodeOf(key: u64): u32 {
  return <u32>key >> 1;
}
// @ts-ignore: decorator
@inline
export function keyAt(index: i32): u64 {
  return load<u64>(OPEN + (<usize>index << 3));
}

export function clearBeam(): void {
  newEpoch();
  size = 0;
  cursor = 0;
  codesRead = 0;
  taken = 0;
}

/** Counts codes that a caller read for itself. */
// @ts-ignore: decorator
@inline
export function countCodes(count: i32): void {
  codesRead += count;
}

/** Takes `count` ascending keys of expanded nodes as the beam. */
export function setBeam(keys: usize, count: i32): void {
  memory.copy(OPEN, keys, <usize>count << 3);
  size = count;
  cursor = count;
}

/** Adds a key to the beam of at most `ef`; the farthest falls out. */
export function offer(key: u64, ef: i32): void {
  if (size == ef && key >= keyAt(ef - 1)) return;
  let low = 0,
    high = size;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keyAt(middle) < key) low = middle + 1;
    else high = middle;
  }
  let end = size;
  if (end == ef) end--;
  else size++;
  let p = OPEN + (<usize>end << 3);
  const at = OPEN + (<usize>low << 3);
  while (p >= at + 16) {
    v128.store(p - 8, v128.load(p - 16));
    p -= 16;
  }
  if (p > at) store<u64>(p, load<u64>(p - 8));
  store<u64>(at, key);
  if (low < cursor) cursor = low;
}

/** Takes the farthest key out of the beam. REQUIRES: there is one. */
// @ts-ignore: decorator
@inline
export function dropFarthest(): u64 {
  size--;
  if (cursor > size) cursor = size;
  return keyAt(size);
}

/** Takes the nearest node not yet expanded; NONE when the beam is done. */
// @ts-ignore: decorator
@inline
export function takeNearest(): u32 {
  return takeNearestOf(size);
}

/** The same of the beam's first `width` places. */
// @ts-ignore: decorator
@inline
export function takeNearestOf(width: i32): u32 {
  const end = min<i32>(size, width);
  while (cursor < end) {
    const p = OPEN + (<usize>cursor << 3);
    const key = load<u64>(p);
    cursor++;
    if (key & 1) continue;
    store<u64>(p, key | 1);
    taken++;
    return nodeOf(key);
  }
  return NONE;
}

/** Unseen neighbours of a node to LIST, their codes on the way to the cache; returns how many. */
// @ts-ignore: decorator
@inline
export function collect(layer: i32, node: u32): i32 {
  const links = linksOf(layer, node);
  const end = links + (<usize>(layer == 0 ? M0 : M) << 2);
  let count = 0,
    sum: u32 = 0;
  for (let p = links; p < end; p += 4) {
    const neighbour = load<u32>(p);
    if (neighbour == NONE) break;
    if (seen(neighbour)) continue;
    sum += touchCodes(rowOf(layer, neighbour));
    store<u32>(LIST + (<usize>count << 2), neighbour);
    count++;
  }
  // The node most likely to be expanded next: its links would be the one miss nothing overlaps with.
  if (cursor < size) {
    const next = linksOf(layer, nodeOf(keyAt(cursor)));
    sum += load<u32>(next) + load<u32>(next, 64);
  }
  sink += sum;
  codesRead += count;
  return count;
}

/** Walks a layer from a node until the beam holds the nearest `ef` it can reach. */
// @ts-ignore: decorator
@inline
export function walk(layer: i32, entry: u32, ef: i32): void {
  clearBeam();
  seen(entry);
  offer(beamKey(estimate(rowOf(layer, entry)), entry), ef);
  while (true) {
    const node = takeNearest();
    if (node == NONE) return;
    const count = collect(layer, node);
    for (let i = 0; i < count; i++) {
      const neighbour = load<u32>(LIST + (<usize>i << 2));
      offer(beamKey(estimate(rowOf(layer, neighbour)), neighbour), ef);
    }
  }
}

/** Nodes of the top table. */
export function tableCount(): u32 {
  return layerCount(LAYERS);
}

/** Nearest of the upper list's first `limit` nodes, all compared. */
export function nearestOfTable(limit: u32): u32 {
  const count = min<u32>(limit, UPPER);
  let best: f32 = Infinity,
    node: u32 = 0,
    sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) sum += touchCodes(rowOf(1, i));
  sink += sum;
  for (let i: u32 = 0; i < count; i++) {
    const d = estimate(rowOf(1, i));
    if (d < best) {
      best = d;
      node = i;
    }
  }
  return node;
}

/** Steps to nearer neighbours of a layer above 0 until there is none. */
export function descend(layer: i32, from: u32): u32 {
  let node = from,
    best = estimate(rowOf(layer, node)),
    isMoving = true;
  while (isMoving) {
    isMoving = false;
    const links = linksOf(layer, node);
    let sum: u32 = 0;
    for (let i: u32 = 0; i < M; i++) {
      const neighbour = load<u32>(links + (<usize>i << 2));
      if (neighbour == NONE) break;
      sum += touchCodes(rowOf(layer, neighbour));
    }
    sink += sum;
    for (let i: u32 = 0; i < M; i++) {
      const neighbour = load<u32>(links + (<usize>i << 2));
      if (neighbour == NONE) break;
      const d = estimate(rowOf(layer, neighbour));
      if (d < best) {
        best = d;
        node = neighbour;
        isMoving = true;
      }
    }
  }
  return node;
}

/** The row of layer 0 where a search starts. */
export function entryRow(): u32 {
  let node = nearestOfTable(tableCount());
  for (let layer = LAYERS - 1; layer >= 1; layer--) node = descend(layer, node);
  return rowOf(1, node);
}
