// Inserting rows into the open graph (Malkov and Yashunin 2018, Alg. 1 and 4). Always: the rows of the upper list come
// first and in its order, so a layer above 0 is complete before the other rows are inserted; a row that equals one in
// the graph byte for byte gets no links but hangs in its chain (NEXT), so copies cannot crowd a neighbourhood.
// Several threads may insert rows that are only in layer 0 at once: who changes the links or the chain of a row holds its
// lock; walks read links without it and see old ones, new ones or some of both, each a row of the graph. A row is
// complete before the first link leads to it.
import { distanceOf } from './key';
import { LIST, OPEN, WORK } from './scratch';
import { lockRow, takePending, unlockRow } from './row-lock';
import { hideRow, seen } from './visited';
import {
  DIM,
  LAYERS,
  M,
  M0,
  NEXT,
  NONE,
  ROWS,
  ROW_STRIDE,
  UPPER_ROWS,
  rowBytes,
  equalCodes,
  estimateRows,
  isProjected,
  layerCount,
  linksOf,
  nextOf,
  queryFromRow,
  rowOf,
  touchCodes,
} from './graph';
import {
  beamKey,
  clearBeam,
  descend,
  keyAt,
  nearestOfTable,
  nodeOf,
  offer,
  size,
  tableCount,
  walk,
} from './graph-walk';

/** WORK holds the chosen nodes of a full list (u32[2048]), those of the new node (the same), and keys to choose from (u64[2049]). */
export const OWN_AT: usize = 8192;
const KEYS_AT: usize = 16_384;
/** Of the nearest of the beam, so many may be equal; estimates by components put some others before these. */
const EQUALS: i32 = 8;
const PROJECTED_EQUALS: i32 = 64;
/** Keeps the touching loads alive. */
let sink: u32 = 0;

/** Of `count` ascending keys at `keys`, keeps those nearer to the base than to any kept one; nodes to `out`. */
export function choose(layer: i32, keys: usize, count: i32, limit: u32, out: usize): u32 {
  let kept: u32 = 0;
  for (let i = 0; i < count && kept < limit; i++) {
    const key = load<u64>(keys + (<usize>i << 3));
    const node = nodeOf(key),
      row = rowOf(layer, node),
      d = distanceOf(key);
    let isKept = true;
    for (let j: u32 = 0; j < kept; j++) {
      if (estimateRows(row, rowOf(layer, load<u32>(out + (<usize>j << 2)))) < d) {
        isKept = false;
        break;
      }
    }
    if (isKept) {
      store<u32>(out + (<usize>kept << 2), node);
      kept++;
    }
  }
  return kept;
}

/** Adds `node` to the links of `base`, unless it is among them; when they are full, chooses anew among them and it. */
export function linkBack(layer: i32, base: u32, node: u32): void {
  const limit = layer == 0 ? M0 : M;
  const links = linksOf(layer, base);
  let degree: u32 = 0;
  for (; degree < limit; degree++) {
    const other = load<u32>(links + (<usize>degree << 2));
    if (other == NONE) break;
    if (other == node) return;
  }
  if (degree < limit) {
    store<u32>(links + (<usize>degree << 2), node);
    return;
  }
  let sum: u32 = 0;
  for (let i: u32 = 0; i < limit; i++) sum += touchCodes(rowOf(layer, load<u32>(links + (<usize>i << 2))));
  sink += sum;
  const keys = WORK + KEYS_AT;
  const baseRow = rowOf(layer, base);
  let count = 0;
  for (let i: u32 = 0; i <= limit; i++) {
    const other = i < limit ? load<u32>(links + (<usize>i << 2)) : node;
    const key = beamKey(estimateRows(baseRow, rowOf(layer, other)), other);
    let p = keys + (<usize>count << 3);
    while (p > keys && load<u64>(p - 8) > key) {
      store<u64>(p, load<u64>(p - 8));
      p -= 8;
    }
    store<u64>(p, key);
    count++;
  }
  const kept = choose(layer, keys, count, limit, WORK);
  writeLinks(links, WORK, kept);
  for (let i = kept; i < limit; i++) store<u32>(links + (<usize>i << 2), NONE);
}

/** Word by word: another thread may be reading them. */
export function writeLinks(links: usize, from: usize, count: u32): void {
  const end = <usize>count << 2;
  for (let i: usize = 0; i < end; i += 4) store<u32>(links + i, load<u32>(from + i));
}

/** Links a node to the best of the beam, both ways. @param isKnown - others may have linked themselves to it already */
function link(layer: i32, node: u32, isKnown: bool): void {
  const own = WORK + OWN_AT;
  const kept = choose(layer, OPEN, size, M, own);
  if (!isKnown) writeLinks(linksOf(layer, node), own, kept);
  for (let i: u32 = 0; isKnown && i < kept; i++) {
    lockRow(node);
    linkBack(layer, node, load<u32>(own + (<usize>i << 2)));
    unlockRow(node);
  }
  for (let i: u32 = 0; i < kept; i++) {
    const base = load<u32>(own + (<usize>i << 2));
    // Layers above are one thread's.
    if (layer == 0) lockRow(base);
    linkBack(layer, base, node);
    if (layer == 0) unlockRow(base);
  }
}

/** Equal byte for byte; where the rows are not in memory, equal in all that a walk knows of them. */
function equalRows(a: u32, b: u32): bool {
  if (ROWS == 0) return equalCodes(a, b);
  const bytes = rowBytes();
  let p = ROWS + <usize>a * ROW_STRIDE,
    q = ROWS + <usize>b * ROW_STRIDE;
  const end = p + ((bytes + 15) & ~15);
  while (p < end) {
    if (v128.any_true(v128.xor(v128.load(p), v128.load(q)))) return false;
    p += 16;
    q += 16;
  }
  return true;
}

/** Hangs a row into the chain of an equal one among the nearest of the beam; returns that one, NONE when there is none. */
function hangAtEqual(row: u32): u32 {
  const count = min<i32>(size, isProjected ? PROJECTED_EQUALS : EQUALS);
  for (let i = 0; i < count; i++) {
    const other = nodeOf(keyAt(i));
    if ((isProjected && !equalCodes(row, other)) || !equalRows(row, other)) continue;
    lockRow(other);
    store<u32>(NEXT + (<usize>row << 2), nextOf(other));
    store<u32>(NEXT + (<usize>other << 2), row);
    unlockRow(other);
    return other;
  }
  return NONE;
}

/** Returns the row that stands for it in layer 0: itself, or an equal one. */
function insertBottom(row: u32, entry: u32, ef: i32, hasLinksTo: bool): u32 {
  walk(0, entry, ef);
  // Links lead to it: it must not become the copy of another.
  const equal = hasLinksTo ? NONE : hangAtEqual(row);
  if (equal != NONE) return equal;
  link(0, row, hasLinksTo);
  return row;
}

/**
 * Inserts a row that is only in layer 0 and marked as pending, or links it again; returns 0 when it was not.
 * REQUIRES: the upper list is inserted; a row to be linked again has no links of its own.
 */
export function insertPending(row: u32, ef: i32): u32 {
  const pending = takePending(row);
  if (pending == 0) return 0;
  queryFromRow(row);
  hideRow(row);
  let node = nearestOfTable(tableCount());
  for (let layer = LAYERS - 1; layer >= 1; layer--) node = descend(layer, node);
  insertBottom(row, rowOf(1, node), ef, pending == 2);
  return 1;
}

/**
 * Inserts node `node` of the upper list into its layers, and into layer 0 when it is pending there; where it equals a row of the
 * graph, that one takes its place in the list.
 * REQUIRES: all before it are inserted; node 0 is either the only row of layer 0 or linked there.
 */
export function insertUpper(node: u32, ef: i32): void {
  const row = rowOf(1, node);
  const pending = takePending(row);
  if (node == 0) return;
  queryFromRow(row);
  let entry = nearestOfTable(min(node, tableCount()));
  for (let layer = LAYERS - 1; layer >= 1; layer--) {
    if (node >= layerCount(layer)) {
      entry = descend(layer, entry);
      continue;
    }
    walk(layer, entry, ef);
    entry = nodeOf(keyAt(0));
    link(layer, node, false);
  }
  if (pending == 0) return;
  hideRow(row);
  // A copy has no links in layer 0 to go on by.
  store<u32>(UPPER_ROWS + (<usize>node << 2), insertBottom(row, rowOf(1, entry), ef, pending == 2));
}

/**
 * Makes up for links that a row has lost: of the `count` candidates at LIST takes the nearest that are nearer to the row than to
 * any of its links, up to `wanted`. (As FreshDiskANN's deletion, arXiv 2105.09613, Alg. 4, with the links that are left kept.)
 */
export function patchLinks(row: u32, count: i32, wanted: u32): void {
  const links = linksOf(0, row);
  let degree: u32 = 0;
  while (degree < M0 && load<u32>(links + (<usize>degree << 2)) != NONE) degree++;
  clearBeam();
  seen(row);
  for (let i: u32 = 0; i < degree; i++) seen(load<u32>(links + (<usize>i << 2)));
  let sum: u32 = 0;
  for (let i = 0; i < count; i++) sum += touchCodes(load<u32>(LIST + (<usize>i << 2)));
  sink += sum;
  for (let i = 0; i < count; i++) {
    const other = load<u32>(LIST + (<usize>i << 2));
    if (!seen(other)) offer(beamKey(estimateRows(row, other), other), count);
  }
  const end = min(M0, degree + wanted);
  for (let i = 0; i < size && degree < end; i++) {
    const key = keyAt(i),
      other = nodeOf(key),
      d = distanceOf(key);
    let isKept = true;
    for (let j: u32 = 0; j < degree && isKept; j++)
      isKept = estimateRows(other, load<u32>(links + (<usize>j << 2))) >= d;
    if (!isKept) continue;
    store<u32>(links + (<usize>degree << 2), other);
    degree++;
  }
}

/**
 * Makes a row that no link leads to reachable: a free place in the links of the nearest row that has one.
 * Returns 1, or 0 when all were full and the farthest link of the nearest was replaced.
 */
export function adopt(row: u32, ef: i32): u32 {
  queryFromRow(row);
  let node = nearestOfTable(tableCount());
  for (let layer = LAYERS - 1; layer >= 1; layer--) node = descend(layer, node);
  walk(0, rowOf(1, node), ef);
  return linkTo(row);
}

/** Gives a row a link from the nearest of the beam that has a free place; as `adopt` answers. */
export function linkTo(row: u32): u32 {
  for (let i = 0; i < size; i++) {
    const other = nodeOf(keyAt(i));
    if (other == row) continue;
    const links = linksOf(0, other);
    for (let j: u32 = 0; j < M0; j++) {
      const p = links + (<usize>j << 2);
      if (load<u32>(p) != NONE) continue;
      store<u32>(p, row);
      return 1;
    }
  }
  const nearest = nodeOf(keyAt(size > 1 && nodeOf(keyAt(0)) == row ? 1 : 0));
  store<u32>(linksOf(0, nearest) + (<usize>(M0 - 1) << 2), row);
  return 0;
}
