/**
 * Exact search of a sparse vector: dot product over the indices that query and row share. Rows that share none are no
 * hits. Indices are ascending on both sides. Rows of a sealed segment are found through the index that was made with it
 * (sparse-sealed.ts), of a plain one through an index made here (sparse-accumulate.ts), the few newest by a look at each.
 */
import { sparseKernel, type ArenaDirectory, type SimdKernel, type SparseKernel } from '@quiver/kernel';
import type { SparseVector } from '@quiver/model';
import { createBoundedTop, type BoundedTop } from './bounded-top.ts';
import type { Hits } from './search.ts';
import type { SegmentReader } from './segment.ts';
import { isPresent, presentCount, relativeGroup, type BlobView } from './segment-views.ts';
import { copyFilter } from './copy-filter.ts';
import { accumulate, type Admits } from './sparse-accumulate.ts';
import { openSparseBytes, type SealedSparseIndex } from './sparse-bytes.ts';
import { buildSparseIndex, positionOf, type SparseIndex } from './sparse-index.ts';
import { isSearchable, searchSealed } from './sparse-sealed.ts';
import type { Steps } from './steps.ts';

/** About half a millisecond of comparing indices. */
const entriesPerStep = 200_000;
/**
 * Fewer rows than these are looked at one by one; an index is made anew when so many, and a quarter, are not in it, or when
 * looks at the others have cost as much.
 */
const indexedFrom = 128;
const tailShareMax = 0.25;
/** Looks at a row that cost as much as taking it into an index. */
const looksForIndex = 8;
/** A filter that fewer rows than this share of the postings pass is answered by a look at each of them. */
const lookCost = 8;
const sealedLookCost = 400;

export interface SparseSearch {
  readonly vector: SparseVector;
  readonly k: number;
  readonly filter: Uint32Array | null;
  /** Rows that pass the filter; ignored without one. */
  readonly passing: number;
  /** Rows of lower scores may be left out; null = none. */
  readonly floor: number | null;
}

export function* searchSparse(
  reader: SegmentReader,
  directory: ArenaDirectory,
  view: BlobView,
  { vector, k, filter, passing, floor: asked }: SparseSearch,
  group: number,
): Steps<Hits> {
  const floor = asked ?? -Infinity;
  const top = createBoundedTop(k, floor);
  const entries = wordsOf(reader.views.blob);
  const query = { indices: vector.indices, values: Float64Array.from(vector.values) };
  // Candidates of a low bound are also rows beside those with a posting; where one has no vector its refs say nothing.
  const exactScore = (row: number): number | null =>
    isPresent(view, row) ? sharedDot(entries, view.refs[2 * row]!, view.refs[2 * row + 1]!, query) : null;
  const sealed = sealedIndexOf(reader, directory, view.schema.name);
  if (sealed !== null && isSearchable(vector)) {
    const { index, kernel, sparse } = sealed;
    if (filter === null || passing * sealedLookCost > postingsOf(index, vector)) {
      const isVisible = admission(reader, null, group, index.rowCount);
      const filterAddress = (from: number, to: number): number =>
        filter === null ? 0 : copyFilter(kernel, filter, from, to);
      yield* searchSealed(sparse, index, { vector, k, filterAddress, isVisible, exactScore }, top);
      return top.found((score) => score);
    }
  }
  let from = 0;
  const index = sealed === null ? yield* indexOf(reader, view) : null;
  if (index !== null && (filter === null || passing * lookCost > postingsOf(index, vector))) {
    const admits = admission(reader, filter, group, index.rowCount);
    yield* accumulate(index, vector, { k, floor, admits }, (row) => {
      top.push(row, exactScore(row)!);
      return top.worst;
    });
    from = index.rowCount;
  }
  yield* lookAtEach(reader, view, { vector, filter }, { group, from }, top);
  return top.found((score) => score);
}

interface SealedIndex {
  readonly index: SealedSparseIndex;
  /** Of the index's arena. */
  readonly kernel: SimdKernel;
  readonly sparse: SparseKernel;
}
const sealedIndexes = new WeakMap<SegmentReader, Map<string, SealedIndex>>();

/** The index made with a sealed segment, opened once; null when there is none. */
function sealedIndexOf(reader: SegmentReader, directory: ArenaDirectory, name: string): SealedIndex | null {
  const descriptor = reader.descriptor.sparse?.find(({ vector }) => vector === name);
  if (descriptor === undefined) return null;
  let byName = sealedIndexes.get(reader);
  if (byName === undefined) sealedIndexes.set(reader, (byName = new Map<string, SealedIndex>()));
  let sealed = byName.get(name);
  if (sealed === undefined) {
    const kernel = directory.kernel(descriptor.region.arena);
    const index = openSparseBytes(descriptor.region, directory);
    byName.set(name, (sealed = { index, kernel, sparse: sparseKernel(kernel) }));
  }
  return sealed;
}

function* lookAtEach(
  reader: SegmentReader,
  view: BlobView,
  { vector, filter }: Pick<SparseSearch, 'vector' | 'filter'>,
  { group, from }: { readonly group: number; readonly from: number },
  top: BoundedTop,
): Steps<void> {
  const entries = wordsOf(reader.views.blob);
  const query = { indices: vector.indices, values: Float64Array.from(vector.values) };
  let work = 0;
  for (const row of candidateRows(reader, view, filter, group, from)) {
    const [offset, count] = [view.refs[2 * row]!, view.refs[2 * row + 1]!];
    const score = sharedDot(entries, offset, count, query);
    if (score !== null) top.push(row, score);
    work += 16 + count + vector.indices.length;
    if (work > entriesPerStep) {
      work = 0;
      yield;
    }
  }
}

type Directory = Pick<SparseIndex, 'dimensions' | 'starts'>;

function postingsOf(index: Directory, { indices }: SparseVector): number {
  let postings = 0;
  for (const dimension of indices) {
    const at = positionOf(index.dimensions, dimension);
    if (at !== -1) postings += index.starts[at + 1]! - index.starts[at]!;
  }
  return postings;
}

/** Of the rows below `rowCount`; null when every one may be an answer. */
function admission(
  reader: SegmentReader,
  filter: Uint32Array | null,
  group: number,
  rowCount: number,
): Admits | null {
  const { born, death } = reader.views;
  const relative = relativeGroup(reader.descriptor.baseGroup, group);
  // Deaths up to `group` were counted before `group` was published, so 0 here means none of them; births never fall.
  const areAllSeen = reader.deadCount() === 0 && born[rowCount - 1]! <= relative;
  if (areAllSeen && filter === null) return null;
  return (row) => {
    if (filter !== null && ((filter[row >>> 5]! >>> (row & 31)) & 1) === 0) return false;
    if (areAllSeen) return true;
    const dead = death[row]!;
    return born[row]! <= relative && (dead === 0 || dead > relative);
  };
}

interface Indexed {
  index: SparseIndex | null;
  isBuilding: boolean;
  /** Since it was made: rows beyond it that searches looked at. */
  lookedRows: number;
}
const indexes = new WeakMap<SegmentReader, Map<string, Indexed>>();

/** The index of a segment's sparse vector, made or made anew when enough rows are not in it; null while there are few. */
function* indexOf(reader: SegmentReader, view: BlobView): Steps<SparseIndex | null> {
  const rowCount = reader.rowCount();
  if (rowCount < indexedFrom) return null;
  let byName = indexes.get(reader);
  if (byName === undefined) indexes.set(reader, (byName = new Map<string, Indexed>()));
  const { name } = view.schema;
  let indexed = byName.get(name);
  if (indexed === undefined) byName.set(name, (indexed = { index: null, isBuilding: false, lookedRows: 0 }));
  const covered = indexed.index?.rowCount ?? 0;
  const tail = rowCount - covered;
  indexed.lookedRows += tail;
  const isDue =
    (tail >= indexedFrom && tail >= tailShareMax * covered) || indexed.lookedRows > looksForIndex * rowCount;
  if (indexed.isBuilding || !isDue) return indexed.index;
  indexed.isBuilding = true;
  indexed.lookedRows = 0;
  try {
    indexed.index = yield* buildSparseIndex(reader, view, rowCount);
  } finally {
    indexed.isBuilding = false;
  }
  return indexed.index;
}

/** Rows from `from` on that are visible, pass the filter and have the vector. */
export function* candidateRows(
  reader: SegmentReader,
  view: BlobView,
  filter: Uint32Array | null,
  group: number,
  from = 0,
): Generator<number, void, undefined> {
  const { born, death } = reader.views;
  const relative = relativeGroup(reader.descriptor.baseGroup, group);
  const rowCount = reader.rowCount();
  for (let row = from; row < rowCount; row += 1) {
    if (filter !== null && ((filter[row >>> 5]! >>> (row & 31)) & 1) === 0) continue;
    if (born[row]! > relative || !isPresent(view, row)) continue;
    const dead = death[row]!;
    if (dead === 0 || dead > relative) yield row;
  }
}

/** A blob as words of both kinds; made once for a search, not for each row. */
interface Words {
  readonly u32: Uint32Array;
  readonly f32: Float32Array;
}
function wordsOf(blob: Uint8Array): Words {
  const length = blob.byteLength >>> 2;
  return {
    u32: new Uint32Array(blob.buffer, blob.byteOffset, length),
    f32: new Float32Array(blob.buffer, blob.byteOffset, length),
  };
}

function sharedDot(
  { u32, f32 }: Words,
  offset: number,
  count: number,
  query: { readonly indices: Uint32Array; readonly values: Float64Array },
): number | null {
  const { indices, values } = query;
  const start = offset >>> 2;
  const [end, weights] = [start + count, start + count];
  let sum = 0;
  let isShared = false;
  for (let i = start, j = 0; i < end && j < indices.length;) {
    const [a, b] = [u32[i]!, indices[j]!];
    if (a === b) {
      sum += f32[weights + i - start]! * values[j]!;
      isShared = true;
    }
    if (a <= b) i += 1;
    if (b <= a) j += 1;
  }
  return isShared ? Math.fround(sum) : null;
}

/**
 * In how many rows each index occurs, and how many rows have the vector: what the IDF modifier needs, summed over segments
 * by the caller. As in Qdrant, rows that died count in both until their segment is merged, so that deletes leave the weights
 * near those of what is left.
 */
export function* sparseDocumentCounts(
  reader: SegmentReader,
  directory: ArenaDirectory,
  name: string,
  indices: Uint32Array,
): Steps<{ readonly vectors: number; readonly counts: Uint32Array }> {
  const counts = new Uint32Array(indices.length);
  const view = reader.views.vectors.find((vector) => vector.schema.name === name);
  if (view?.kind !== 'sparse') return { vectors: 0, counts };
  const index: (Directory & { readonly rowCount: number }) | null =
    sealedIndexOf(reader, directory, name)?.index ?? (yield* indexOf(reader, view));
  let vectors = 0;
  if (index !== null) {
    vectors = indexedVectors(index, view);
    for (const [j, dimension] of indices.entries()) {
      const at = positionOf(index.dimensions, dimension);
      if (at !== -1) counts[j] = index.starts[at + 1]! - index.starts[at]!;
    }
  }
  let work = 0;
  const rowCount = reader.rowCount();
  const { blob } = reader.views;
  for (let row = index?.rowCount ?? 0; row < rowCount; row += 1) {
    if (!isPresent(view, row)) continue;
    vectors += 1;
    const count = view.refs[2 * row + 1]!;
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
  return { vectors, counts };
}

/** By index, as neither its rows nor whether they have the vector change. */
const indexedCounts = new WeakMap<object, number>();

function indexedVectors(index: { readonly rowCount: number }, view: BlobView): number {
  let count = indexedCounts.get(index);
  if (count === undefined) {
    count = presentCount(view, index.rowCount);
    indexedCounts.set(index, count);
  }
  return count;
}
