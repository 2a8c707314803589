// Inserting rows into the open graph (Malkov and Yashunin 2018, Alg. 1 and 4). Always: the rows of the upper list come
// first and in its order, so a layer above 0 is complete before the other rows are inserted; a row that equals one in
// the graph byte for byte gets no links but hangs in its chain (NEXT), so copies cannot crowd a neighbourhood.
// Several threads may insert rows that are only in layer 0 at once: who changes the links or the chain of a row holds its
// lock; walks read links without it and see old ones, new ones or some of both, each a row of the graph. A row is
// complete before the first link leads to it.
import { distanceOf } from './key';
import { OPEN, WORK } from './scratch';
import { lockRow, unlockRow } from './row-lock';
import {
  DIM,
  LAYERS,
  M,
  M0,
  NEXT,
  NONE,
  ROWS,
  ROW_STRIDE,
  elementBytes,
  equalCodes,
  estimateRows,
  layerCount,
  linksOf,
  nextOf,
  queryFromRow,
  rowOf,
  touchCodes,
} from './graph';
import { beamKey, descend, keyAt, nearestOfTable, nodeOf, size, tableCount, walk } from './graph-walk';

/** WORK holds the chosen nodes of a full list (u32[2048]), those of the new node (the same), and keys to choose from (u64[2049]). */
const OWN_AT: usize = 8192;
const KEYS_AT: usize = 16_384;
/** Keeps the touching loads alive. */
let sink: u32 = 0;

/** Of `count` ascending keys at `keys`, keeps those nearer to the base than to any kept one; nodes to `out`. */
function choose(layer: i32, keys: usize, count: i32, limit: u32, out: usize): u32 {
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

/** Adds `node` to the links of `base`; when they are full, chooses anew among them and it. */
function linkBack(layer: i32, base: u32, node: u32): void {
  const limit = layer == 0 ? M0 : M;
  const links = linksOf(layer, base);
  let degree: u32 = 0;
  while (degree < limit && load<u32>(links + (<usize>degree << 2)) != NONE) degree++;
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
function writeLinks(links: usize, from: usize, count: u32): void {
  const end = <usize>count << 2;
  for (let i: usize = 0; i < end; i += 4) store<u32>(links + i, load<u32>(from + i));
}

/** Links a node to the best of the beam, both ways. */
function link(layer: i32, node: u32): void {
  const own = WORK + OWN_AT;
  const kept = choose(layer, OPEN, size, M, own);
  writeLinks(linksOf(layer, node), own, kept);
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
  const bytes = DIM * elementBytes();
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

/** Hangs a row into the chain of an equal one among the nearest of the beam. */
function hangAtEqual(row: u32): bool {
  const count = min<i32>(size, 8);
  for (let i = 0; i < count; i++) {
    const other = nodeOf(keyAt(i));
    if (!equalRows(row, other)) continue;
    lockRow(other);
    store<u32>(NEXT + (<usize>row << 2), nextOf(other));
    store<u32>(NEXT + (<usize>other << 2), row);
    unlockRow(other);
    return true;
  }
  return false;
}

function insertBottom(row: u32, entry: u32, ef: i32): void {
  walk(0, entry, ef);
  if (hangAtEqual(row)) return;
  link(0, row);
}

/** Inserts a row that is only in layer 0. REQUIRES: the upper list is inserted. */
export function insertRow(row: u32, ef: i32): void {
  queryFromRow(row);
  let node = nearestOfTable(tableCount());
  for (let layer = LAYERS - 1; layer >= 1; layer--) node = descend(layer, node);
  insertBottom(row, rowOf(1, node), ef);
}

/** Inserts node `node` of the upper list into its layers and layer 0. REQUIRES: all before it are inserted. */
export function insertUpper(node: u32, ef: i32): void {
  if (node == 0) return;
  const row = rowOf(1, node);
  queryFromRow(row);
  let entry = nearestOfTable(min(node, tableCount()));
  for (let layer = LAYERS - 1; layer >= 1; layer--) {
    if (node >= layerCount(layer)) {
      entry = descend(layer, entry);
      continue;
    }
    walk(layer, entry, ef);
    entry = nodeOf(keyAt(0));
    link(layer, node);
  }
  insertBottom(row, rowOf(1, entry), ef);
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
