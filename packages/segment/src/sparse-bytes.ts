/**
 * The inverted index of a sealed segment's sparse vector as position-independent bytes, in a region of its own: made once
 * in the build thread, read by the kernel of every thread. docs/formats/segment.md has the byte table.
 * Always: a dimension in many rows is kept as words (32 bits and how many postings came before), which take no more than a list
 * of its rows and say at once whether a row has it.
 */
import type { ArenaDirectory, Region } from '@quiver/kernel';
import { assert } from '@quiver/model';
import { align64 } from './layout.ts';
import type { SegmentReader } from './segment.ts';
import { buildSparseIndex, type SparseIndex } from './sparse-index.ts';
import type { Steps } from './steps.ts';

const formatVersion = 1;
const headerBytes = 64;
/** Words take 8 bytes for 32 rows, a list 4 bytes a posting. */
const rowsPerPostingOfWords = 16;
/** Dimensions written between two yields. */
const dimensionsPerStep = 4_096;

/** Byte offsets, from the start of the index. */
interface Parts {
  readonly dimensions: number;
  readonly starts: number;
  readonly least: number;
  readonly step: number;
  readonly places: number;
  readonly codes: number;
  /** Lists and words begin here. */
  readonly postings: number;
}

function partsOf(dimensionCount: number, postingCount: number): Parts {
  let at = headerBytes;
  const part = (bytes: number): number => {
    const offset = at;
    at += align64(bytes);
    return offset;
  };
  return {
    dimensions: part(4 * dimensionCount),
    starts: part(4 * (dimensionCount + 1)),
    least: part(4 * dimensionCount),
    step: part(4 * dimensionCount),
    places: part(4 * dimensionCount),
    codes: part(postingCount),
    postings: at,
  };
}

export function isKeptAsWords(count: number, rowCount: number): boolean {
  return count * rowsPerPostingOfWords >= rowCount;
}

/** The index of a closed segment's sparse vector, transferable. */
export function* buildSparseBytes(reader: SegmentReader, name: string): Steps<Uint8Array<ArrayBuffer>> {
  const view = reader.views.vectors.find(({ schema }) => schema.name === name);
  assert(view?.kind === 'sparse', `an inverted index of vector "${name}", which is not sparse`);
  return yield* encodeSparseIndex(yield* buildSparseIndex(reader, view, reader.rowCount()));
}

function* encodeSparseIndex(index: SparseIndex): Steps<Uint8Array<ArrayBuffer>> {
  const { rowCount, dimensions, starts, rows, codes } = index;
  const parts = partsOf(dimensions.length, rows.length);
  const places = new Uint32Array(dimensions.length);
  let end = parts.postings;
  for (let i = 0; i < dimensions.length; i += 1) {
    const count = starts[i + 1]! - starts[i]!;
    places[i] = end;
    end += isKeptAsWords(count, rowCount) ? 8 * Math.ceil(rowCount / 32) : 4 * count;
  }
  assert(end < 2 ** 32, `a sparse index of ${end} bytes`);
  const bytes = new Uint8Array(end);
  const { buffer } = bytes;
  const header = new Uint32Array(buffer, 0, 4);
  header.set([formatVersion, rowCount, dimensions.length, rows.length]);
  new Uint32Array(buffer, parts.dimensions, dimensions.length).set(dimensions);
  new Uint32Array(buffer, parts.starts, starts.length).set(starts);
  new Float32Array(buffer, parts.least, dimensions.length).set(index.least);
  new Float32Array(buffer, parts.step, dimensions.length).set(index.step);
  new Uint32Array(buffer, parts.places, dimensions.length).set(places);
  bytes.set(codes, parts.codes);
  const words = new Uint32Array(buffer);
  for (let i = 0; i < dimensions.length; i += 1) {
    const own = rows.subarray(starts[i], starts[i + 1]);
    const at = places[i]! >>> 2;
    if (isKeptAsWords(own.length, rowCount)) writeWords(words, at, own, rowCount);
    else words.set(own, at);
    if (i % dimensionsPerStep === dimensionsPerStep - 1) yield;
  }
  return bytes;
}

function writeWords(words: Uint32Array, at: number, rows: Uint32Array, rowCount: number): void {
  let before = 0;
  for (let word = 0; word < Math.ceil(rowCount / 32); word += 1) {
    words[at + 2 * word + 1] = before;
    let bits = 0;
    for (; before < rows.length && rows[before]! >>> 5 === word; before += 1)
      bits |= 1 << (rows[before]! & 31);
    words[at + 2 * word] = bits;
  }
}

/** Views of the index in this thread. */
export interface SealedSparseIndex {
  readonly rowCount: number;
  readonly dimensions: Uint32Array;
  /** u32[dimensions + 1]: number of the first posting of a dimension. */
  readonly starts: Uint32Array;
  readonly least: Float32Array;
  readonly step: Float32Array;
  /** In the region's arena. */
  readonly rowsAddress: (position: number) => number;
  readonly codesAddress: (position: number) => number;
}

export function openSparseBytes(region: Region, directory: ArenaDirectory): SealedSparseIndex {
  const { buffer } = directory.bytes(region);
  const { offset } = region;
  const [version, rowCount, dimensionCount, postingCount] = new Uint32Array(buffer, offset, 4);
  assert(
    version === formatVersion,
    `a sparse index of format ${version}, this version reads ${formatVersion}`,
  );
  const parts = partsOf(dimensionCount!, postingCount!);
  const words = (part: number, count: number): Uint32Array => new Uint32Array(buffer, offset + part, count);
  const starts = words(parts.starts, dimensionCount! + 1);
  const places = words(parts.places, dimensionCount!);
  return {
    rowCount: rowCount!,
    dimensions: words(parts.dimensions, dimensionCount!),
    starts,
    least: new Float32Array(buffer, offset + parts.least, dimensionCount),
    step: new Float32Array(buffer, offset + parts.step, dimensionCount),
    rowsAddress: (position) => offset + places[position]!,
    codesAddress: (position) => offset + parts.codes + starts[position]!,
  };
}
