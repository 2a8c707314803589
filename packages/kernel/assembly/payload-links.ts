// Links that lead only to rows of the same block of a partition: rows with one value of a payload field, or with values of one
// stretch. A search that asks for one of the blocks walks these rows alone, one that asks for several also steps from one to
// another by those of the graph's own links that lead to rows that pass. A table has a row's links at its number,
// u32[2m], apart from the graph's blocks; codes are the graph's. Always: a block's entries are an even draw of its
// rows, so the nearest of them is as good a start as a descent through layers.
import {
  BLOCK_STRIDE,
  estimate,
  GRAPH_LINKS,
  linksOf,
  M,
  M0,
  NONE,
  queryFromRow,
  rowOf,
  touchCodes,
  UPPER,
  useLinks,
} from './graph';
import { choose, linkBack, linkTo, OWN_AT, writeLinks } from './graph-build';
import { beginChecked, consider, walkChecked } from './checked-walk';
import { widestOf } from './crowding';
import { fillFree } from './neighbour-codes';
import { countCodes, size, walk } from './graph-walk';
import { OPEN, WORK } from './scratch';
import { seen } from './visited';

/** Widest beam that widening leads to. */
const WIDTH_MAX: i32 = 8192;

let TABLE: usize = 0;
let TABLE_M: u32 = 0;
let ENTRIES: usize = 0;
let PER_BLOCK: u32 = 0;
let BLOCKS: u32 = 0;
let BUDGET: u32 = 0;
let sink: u32 = 0;

/**
 * What searches of kind 6 walk: a table of links and `blocks` blocks of `perBlock` entries each at `entries`, NONE where a block
 * has fewer. A walk that would expand more than `budget` rows (0 = no bound) turns into a scan.
 */
export function offerBlocks(
  table: usize,
  m: u32,
  entries: usize,
  perBlock: u32,
  blocks: u32,
  budget: u32,
): void {
  TABLE = table;
  TABLE_M = m;
  ENTRIES = entries;
  PER_BLOCK = perBlock;
  BLOCKS = blocks;
  BUDGET = budget;
}

/** The nearest of up to `count` rows at `entries`; NONE when there is none. */
function nearestEntry(entries: usize, count: u32): u32 {
  let best: f32 = Infinity,
    row = NONE,
    sum: u32 = 0,
    read = 0;
  for (let i: u32 = 0; i < count; i++) {
    const entry = load<u32>(entries + (<usize>i << 2));
    if (entry == NONE) break;
    sum += touchCodes(entry);
    read++;
  }
  sink += sum;
  for (let i = 0; i < read; i++) {
    const entry = load<u32>(entries + (<usize>i << 2));
    const d = estimate(entry);
    if (row != NONE && d >= best) continue;
    best = d;
    row = entry;
  }
  countCodes(read);
  return row;
}

/** Steps to nearer rows until there is none. */
function descendLinked(from: u32): u32 {
  let row = from,
    best = estimate(row),
    isMoving = true;
  while (isMoving) {
    isMoving = false;
    const links = linksOf(0, row);
    let count = 0,
      sum: u32 = 0;
    for (let i: u32 = 0; i < M0; i++) {
      const other = load<u32>(links + (<usize>i << 2));
      if (other == NONE) break;
      sum += touchCodes(other);
      count++;
    }
    sink += sum;
    countCodes(count);
    for (let i = 0; i < count; i++) {
      const other = load<u32>(links + (<usize>i << 2));
      const d = estimate(other);
      if (d >= best) continue;
      best = d;
      row = other;
      isMoving = true;
    }
  }
  return row;
}

/** Whether the graph has links over all rows: then the first row of its upper list has some. */
function hasOwnLinks(): bool {
  return UPPER > 0 && load<u32>(GRAPH_LINKS + <usize>rowOf(1, 0) * BLOCK_STRIDE) != NONE;
}

/**
 * Walks the blocks that were offered, as `walkChecked` does, with a wider beam than asked: queries of other blocks are far from
 * all rows of one and find fewer of the nearest. Several blocks are no one graph: the graph's own links join them, or where it
 * has none each is given a share of the beam and a start as near as its links lead.
 */
export function walkLinked(asked: i32): bool {
  const isJoined = BLOCKS > 1 && hasOwnLinks(),
    isApart = BLOCKS > 1 && !isJoined;
  const halves = isApart ? <i32>(BLOCKS + 2) : 3;
  const ef = min<i32>(max<i32>(asked, WIDTH_MAX), (asked * halves) >> 1);
  const entries = isJoined ? max<u32>(1, PER_BLOCK / BLOCKS) : PER_BLOCK;
  useLinks(TABLE, TABLE_M);
  beginChecked(BLOCKS > 1);
  for (let block: u32 = 0; block < BLOCKS; block++) {
    const entry = nearestEntry(ENTRIES + ((<usize>block * <usize>PER_BLOCK) << 2), entries);
    if (entry == NONE) continue;
    // The beam would leave those whose entries are far, before it came to what is near in them.
    const start = isApart ? descendLinked(entry) : entry;
    if (!seen(start)) consider(start, widestOf(ef));
  }
  return walkChecked(ef, BUDGET, isJoined);
}

/**
 * Inserts a row without links into the table that was offered, among the rows of its block. REQUIRES: its block is the first that
 * is offered, of whose entries the first `count` are inserted; no other thread changes the table.
 */
export function insertLinked(row: u32, ef: i32, count: u32): void {
  useLinks(TABLE, TABLE_M);
  queryFromRow(row);
  const entry = nearestEntry(ENTRIES, count);
  if (entry == NONE) return;
  walk(0, entry, ef);
  const own = WORK + OWN_AT;
  const kept = choose(0, OPEN, size, M, own);
  writeLinks(linksOf(0, row), own, kept);
  for (let i: u32 = 0; i < kept; i++) linkBack(0, load<u32>(own + (<usize>i << 2)), row);
}

/** Makes a row that no link of the block leads to reachable, as `adopt` does. */
export function adoptLinked(row: u32, ef: i32): u32 {
  useLinks(TABLE, TABLE_M);
  queryFromRow(row);
  const entry = nearestEntry(ENTRIES, PER_BLOCK);
  walk(0, entry, ef);
  return linkTo(row);
}

/** Fills the free places of a row's links with neighbours' neighbours. REQUIRES: its block is whole. */
export function fillLinked(row: u32): void {
  useLinks(TABLE, TABLE_M);
  fillFree(row, M0);
}
