/**
 * The inverted index of one sparse vector over the first rows of a segment: for each dimension the rows that have it,
 * ascending, with their weights cut to 8 bits between the dimension's least and largest. Of a plain segment it is made in the
 * thread that searches, when it first does, and replaced by one over more rows; of a sealed one it is made once, in the build
 * thread, and kept as bytes (sparse-bytes.ts).
 * Always: estimates from it are within `step / 2` of each weight; exact values stay in the segment's blob.
 */
import type { Steps } from './steps.ts';
import type { SegmentReader } from './segment.ts';
import { isPresent, type BlobView } from './segment-views.ts';

export interface SparseIndex {
  /** Rows covered: 0..rowCount-1. */
  readonly rowCount: number;
  /** Distinct dimensions, ascending. */
  readonly dimensions: Uint32Array;
  /** u32[dimensions + 1]: where a dimension's postings start. */
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
  readonly codes: Uint8Array;
  /** By dimension: weight = least + step * code, up to half a step. */
  readonly least: Float32Array;
  readonly step: Float32Array;
}

const codeMax = 255;
/** Entries of vectors between two yields: about half a millisecond. */
const entriesPerStep = 50_000;

/** Position of a dimension, or -1. */
export function positionOf(dimensions: Uint32Array, dimension: number): number {
  let [low, high] = [0, dimensions.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (dimensions[middle]! < dimension) low = middle + 1;
    else high = middle;
  }
  return dimensions[low] === dimension ? low : -1;
}

interface Entries {
  readonly indices: Uint32Array;
  readonly values: Float32Array;
}

function entriesOf({ views }: SegmentReader, view: BlobView, row: number): Entries {
  const [offset, count] = [view.refs[2 * row]!, view.refs[2 * row + 1]!];
  const at = views.blob.byteOffset + offset;
  return {
    indices: new Uint32Array(views.blob.buffer, at, count),
    values: new Float32Array(views.blob.buffer, at + 4 * count, count),
  };
}

export function* buildSparseIndex(
  reader: SegmentReader,
  view: BlobView,
  rowCount: number,
): Steps<SparseIndex> {
  const positions = new Map<number, number>();
  const counts: number[] = [];
  let work = 0;
  for (let row = 0; row < rowCount; row += 1) {
    if (!isPresent(view, row)) continue;
    const { indices } = entriesOf(reader, view, row);
    for (const dimension of indices) {
      const position = positions.get(dimension);
      if (position === undefined) {
        positions.set(dimension, counts.length);
        counts.push(1);
      } else counts[position]! += 1;
    }
    work += 8 + indices.length;
    if (work > entriesPerStep) {
      work = 0;
      yield;
    }
  }
  const dimensions = Uint32Array.from(positions.keys()).sort();
  const starts = new Uint32Array(dimensions.length + 1);
  const [least, largest] = [new Float32Array(dimensions.length), new Float32Array(dimensions.length)];
  least.fill(Infinity);
  largest.fill(-Infinity);
  for (let i = 0; i < dimensions.length; i += 1) {
    const position = positions.get(dimensions[i]!)!;
    starts[i + 1] = starts[i]! + counts[position]!;
    positions.set(dimensions[i]!, i);
  }
  yield;
  const rows = new Uint32Array(starts[dimensions.length]!);
  const weights = new Float32Array(rows.length);
  const next = starts.slice();
  for (let row = 0; row < rowCount; row += 1) {
    if (!isPresent(view, row)) continue;
    const { indices, values } = entriesOf(reader, view, row);
    for (let i = 0; i < indices.length; i += 1) {
      const position = positions.get(indices[i]!)!;
      const at = next[position]!;
      next[position] = at + 1;
      rows[at] = row;
      const weight = values[i]!;
      weights[at] = weight;
      if (weight < least[position]!) least[position] = weight;
      if (weight > largest[position]!) largest[position] = weight;
    }
    work += 8 + indices.length;
    if (work > entriesPerStep) {
      work = 0;
      yield;
    }
  }
  const step = largest.map((value, i) => Math.max(0, value - least[i]!) / codeMax);
  const codes = new Uint8Array(rows.length);
  for (let i = 0; i < dimensions.length; i += 1) {
    const inverse = step[i]! > 0 ? 1 / step[i]! : 0;
    for (let at = starts[i]!; at < starts[i + 1]!; at += 1)
      codes[at] = Math.round((weights[at]! - least[i]!) * inverse);
    if (i % 4096 === 4095) yield;
  }
  return { rowCount, dimensions, starts, rows, codes, least, step };
}
