/**
 * Exact search of a sparse vector: dot product over the indices that query and row share. Rows that share none are no
 * hits. Indices are ascending on both sides.
 */
import type { SparseVector } from '@quiver/model';
import { createBoundedTop } from './bounded-top.ts';
import type { Hits } from './search.ts';
import type { SegmentReader } from './segment.ts';
import { isPresent, relativeGroup, type BlobView } from './segment-views.ts';
import type { Steps } from './steps.ts';

/** About half a millisecond of comparing indices. */
const entriesPerStep = 200_000;

export interface SparseSearch {
  readonly vector: SparseVector;
  readonly k: number;
  readonly filter: Uint32Array | null;
}

export function* searchSparse(
  reader: SegmentReader,
  view: BlobView,
  { vector, k, filter }: SparseSearch,
  group: number,
): Steps<Hits> {
  const top = createBoundedTop(k);
  let work = 0;
  for (const row of candidateRows(reader, view, filter, group)) {
    const [offset, count] = [view.refs[2 * row]!, view.refs[2 * row + 1]!];
    const score = sharedDot(reader.views.blob, offset, count, vector);
    if (score !== null) top.push(row, score);
    work += 16 + count + vector.indices.length;
    if (work > entriesPerStep) {
      work = 0;
      yield;
    }
  }
  return top.found((score) => score);
}

/** Rows that are visible, pass the filter and have the vector. */
export function* candidateRows(
  reader: SegmentReader,
  view: BlobView,
  filter: Uint32Array | null,
  group: number,
): Generator<number, void, undefined> {
  const { born, death } = reader.views;
  const relative = relativeGroup(reader.descriptor.baseGroup, group);
  const rowCount = reader.rowCount();
  for (let row = 0; row < rowCount; row += 1) {
    if (filter !== null && ((filter[row >>> 5]! >>> (row & 31)) & 1) === 0) continue;
    if (born[row]! > relative || !isPresent(view, row)) continue;
    const dead = death[row]!;
    if (dead === 0 || dead > relative) yield row;
  }
}

function sharedDot(blob: Uint8Array, offset: number, count: number, query: SparseVector): number | null {
  const indices = new Uint32Array(blob.buffer, blob.byteOffset + offset, count);
  const values = new Float32Array(blob.buffer, blob.byteOffset + offset + 4 * count, count);
  let sum = 0;
  let isShared = false;
  for (let i = 0, j = 0; i < count && j < query.indices.length;) {
    const [a, b] = [indices[i]!, query.indices[j]!];
    if (a === b) {
      sum += values[i]! * query.values[j]!;
      isShared = true;
    }
    if (a <= b) i += 1;
    if (b <= a) j += 1;
  }
  return isShared ? Math.fround(sum) : null;
}

/**
 * In how many visible rows each index occurs, and how many rows have the vector: what the IDF modifier needs, summed
 * over segments by the caller.
 */
export function* sparseDocumentCounts(
  reader: SegmentReader,
  name: string,
  indices: Uint32Array,
  group: number,
): Steps<{ readonly rows: number; readonly counts: Uint32Array }> {
  const counts = new Uint32Array(indices.length);
  const view = reader.views.vectors.find((vector) => vector.schema.name === name);
  if (view?.kind !== 'sparse') return { rows: 0, counts };
  let [rows, work] = [0, 0];
  for (const row of candidateRows(reader, view, null, group)) {
    rows += 1;
    const count = view.refs[2 * row + 1]!;
    const { blob } = reader.views;
    const stored = new Uint32Array(blob.buffer, blob.byteOffset + view.refs[2 * row]!, count);
    for (let i = 0, j = 0; i < count && j < indices.length;) {
      const [a, b] = [stored[i]!, indices[j]!];
      if (a === b) counts[j]! += 1;
      if (a <= b) i += 1;
      if (b <= a) j += 1;
    }
    work += 16 + count + indices.length;
    if (work > entriesPerStep) {
      work = 0;
      yield;
    }
  }
  return { rows, counts };
}
