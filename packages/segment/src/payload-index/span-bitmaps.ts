/**
 * Stretches of a column's row list as bitsets, without a step for each row. Where each row is in the list once, the set of
 * the first j / 16 of the list is stored for j = 1..15 (2 bytes a row); a stretch is the difference of two of them, put
 * right at its ends. Always: the same rows as adding them one by one.
 */
import type { Bitset } from '../bitset.ts';
import type { Steps } from '../steps.ts';

const blocks = 16;
/** Shorter lists are added row by row. */
const rowsMin = 4_096;
const rowsPerStep = 65_536;

/** The stored words: 15 bitsets of `rowCount` rows, or none where they would not help. */
export function* buildSpanBitmaps(
  rows: Uint32Array,
  rowCount: number,
  isEachOnce: boolean,
): Steps<Uint32Array> {
  if (!isEachOnce || rows.length < rowsMin) return new Uint32Array(0);
  const words = Math.ceil(rowCount / 32);
  const bitmaps = new Uint32Array((blocks - 1) * words);
  const block = Math.floor(rows.length / blocks);
  for (let j = 0; j < blocks - 1; j += 1) {
    const bitmap = bitmaps.subarray(j * words, (j + 1) * words);
    if (j > 0) bitmap.set(bitmaps.subarray((j - 1) * words, j * words));
    for (let at = j * block; at < (j + 1) * block; at += 1) bitmap[rows[at]! >>> 5]! |= 1 << (rows[at]! & 31);
    yield;
  }
  return bitmaps;
}

/** Adds rows[from..to-1] to `out`. */
export function* addSpan(
  rows: Uint32Array,
  bitmaps: Uint32Array,
  from: number,
  to: number,
  out: Bitset,
): Steps<void> {
  const block = Math.floor(rows.length / blocks);
  const [low, high] = [Math.round(from / block), Math.min(blocks - 1, Math.round(to / block))];
  if (bitmaps.length === 0 || high - low < 1) return yield* addRows(rows, from, to, out);
  const words = bitmaps.length / (blocks - 1);
  const found = bitmaps.slice((high - 1) * words, high * words);
  if (low > 0) {
    const before = (low - 1) * words;
    for (let i = 0; i < words; i += 1) found[i]! &= ~bitmaps[before + i]!;
  }
  for (let at = from; at < low * block; at += 1) found[rows[at]! >>> 5]! |= 1 << (rows[at]! & 31);
  for (let at = low * block; at < from; at += 1) found[rows[at]! >>> 5]! &= ~(1 << (rows[at]! & 31));
  for (let at = high * block; at < to; at += 1) found[rows[at]! >>> 5]! |= 1 << (rows[at]! & 31);
  for (let at = to; at < high * block; at += 1) found[rows[at]! >>> 5]! &= ~(1 << (rows[at]! & 31));
  for (let i = 0; i < words; i += 1) out.words[i]! |= found[i]!;
}

function* addRows(rows: Uint32Array, from: number, to: number, out: Bitset): Steps<void> {
  for (let at = from; at < to; at += 1) {
    out.add(rows[at]!);
    if (at % rowsPerStep === 0) yield;
  }
}
