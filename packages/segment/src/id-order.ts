/**
 * The rows of a segment in id order, for scrolling and merging. A sealed segment's rows are in id order already; a plain
 * one's are sorted when first asked for, and what was appended since is merged in the next time.
 */
import type { SegmentKind } from './descriptor.ts';
import type { IdWords } from './id-words.ts';
import { headerWords } from './layout.ts';
import type { SegmentViews } from './segment-views.ts';

export interface IdOrder {
  rows(): Uint32Array;
  /** Index in `order`, as `rows` gave it, of the first row whose id is not below the key. */
  lowerBound(order: Uint32Array, key: IdWords): number;
}

export function createIdOrder(kind: SegmentKind, views: SegmentViews): IdOrder {
  let sorted = new Uint32Array(0);
  const rows = (): Uint32Array => {
    const count = Atomics.load(views.header, headerWords.rows);
    if (sorted.length === count) return sorted;
    const tail = Uint32Array.from({ length: count - sorted.length }, (_, i) => sorted.length + i);
    if (kind === 'plain') tail.sort((a, b) => compareRows(views, a, views, b) || a - b);
    sorted = sorted.length === 0 ? tail : mergeSorted(views, sorted, tail);
    return sorted;
  };
  const lowerBound = (order: Uint32Array, key: IdWords): number => {
    let [low, high] = [0, order.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareRowToKey(views, order[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return { rows, lowerBound };
}

function mergeSorted(views: SegmentViews, a: Uint32Array, b: Uint32Array): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(a.length + b.length);
  let [i, j] = [0, 0];
  for (let at = 0; at < out.length; at += 1) {
    const takeA = j === b.length || (i < a.length && compareRows(views, a[i]!, views, b[j]!) <= 0);
    out[at] = takeA ? a[i++]! : b[j++]!;
  }
  return out;
}

/** Order of the ids of two rows, which may be of different segments. */
export function compareRows(a: SegmentViews, rowA: number, b: SegmentViews, rowB: number): number {
  const kind = a.idKind[rowA]! - b.idKind[rowB]!;
  if (kind !== 0) return kind;
  for (let i = 0; i < 4; i += 1) {
    const difference = a.id[4 * rowA + i]! - b.id[4 * rowB + i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareRowToKey(views: SegmentViews, row: number, key: IdWords): number {
  const kind = views.idKind[row]! - key[0]!;
  if (kind !== 0) return kind;
  for (let i = 0; i < 4; i += 1) {
    const difference = views.id[4 * row + i]! - key[i + 1]!;
    if (difference !== 0) return difference;
  }
  return 0;
}
