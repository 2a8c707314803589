/**
 * Exact scan of rows that are in a file. Always: only rows that count are read, neighbouring ones together; scores are those
 * of a scan in memory, bit for bit.
 */
import {
  stagedRowsMax,
  takeListed,
  type ByteFile,
  type SimdKernel,
  type TopK,
  type Visibility,
} from '@quiver/kernel';
import type { SegmentReader } from './segment.ts';
import type { DenseView, SegmentViews } from './segment-views.ts';
import type { Steps } from './steps.ts';

export interface FileScan {
  readonly query: Float32Array;
  readonly from: number;
  readonly to: number;
  /** Bit = row; null = all pass. */
  readonly filter: Uint32Array | null;
  readonly visibility: Visibility | null;
}

/** Rows looked at between two yields when few of them count. */
const looksPerStep = 65_536;

export function* scanFile(
  { views }: SegmentReader,
  kernel: SimdKernel,
  view: DenseView & { readonly file: ByteFile },
  scan: FileScan,
  top: TopK,
): Steps<void> {
  const batch = new Uint32Array(stagedRowsMax(kernel, view.rows));
  let count = 0;
  const take = (): void => {
    // Another query of this thread may have run since the last batch.
    kernel.setQuery(view.rows, scan.query);
    kernel.list.set(batch.subarray(0, count));
    takeListed(kernel, view, count, top);
    count = 0;
  };
  for (let row = scan.from; row < scan.to; row += 1) {
    if (row % looksPerStep === looksPerStep - 1) yield;
    if (!counts(views, view, scan, row)) continue;
    batch[count] = row;
    count += 1;
    if (count < batch.length) continue;
    take();
    yield;
  }
  if (count > 0) take();
}

function counts(
  views: SegmentViews,
  view: DenseView,
  { filter, visibility }: FileScan,
  row: number,
): boolean {
  const word = row >>> 5;
  const bit = row & 31;
  if (((view.present[word]! >>> bit) & 1) === 0) return false;
  if (filter !== null && (((filter[word] ?? 0) >>> bit) & 1) === 0) return false;
  if (visibility === null) return true;
  const dead = views.death[row]!;
  return views.born[row]! <= visibility.group && (dead === 0 || dead > visibility.group);
}
