/**
 * The bytes of a graph: a header, then parts at offsets relative to it. docs/formats/hnsw.md has the prose.
 * Always: everything up to `persistedBytes` can be copied to another place and opened there; what follows are the
 * threads' visited marks, which start as zeros and are never stored.
 *
 * | offset | field |
 * |---|---|
 * | 0 | magic u32 "QHNW" |
 * | 4 | version u32 = 1 |
 * | 8 | count u32: rows, in the graph or not |
 * | 12 | dim u32 |
 * | 16 | mode u32: element * 4 + metric |
 * | 20, 24 | m, m0 = 2m u32: most links above layer 0 and in it |
 * | 28 | efConstruct u32 |
 * | 32 | seed u32 |
 * | 36 | upperCount u32: rows in the upper list |
 * | 40 | layerCount u32, 1..8: layers above 0; the last is a table without links |
 * | 44 | state u32: 0 being built, 1 complete |
 * | 48, 52 | codes: offset of row 0's codes, stride (f32 rows only) |
 * | 56, 60 | terms: offset of row 0's {term f32, step f32}, stride |
 * | 64 | links of layer 0: u32[count][m0], 0xffffffff ends a list |
 * | 68 | upper list: u32[upperCount], rows; the first layerCounts[l] are in layer l |
 * | 72 | next: u32[count], chain of rows equal byte for byte, 0xffffffff ends it |
 * | 76 | mean: f32[dim], zero-padded to 64 elements |
 * | 80 | persistedBytes u32 |
 * | 84 | scale f32: step of the Manhattan lattice, else 1 |
 * | 88 | presentCount u32: rows that have the vector |
 * | 92 | walksRows u32: 1 = walks read the f32 rows, not the codes (see `discernment.ts`) |
 * | 96 + 4l | layerCounts u32, l = 1..8 |
 * | 160 + 4l | links of layer l: offset of u32[layerCounts[l]][m], l = 1..layerCount-1 |
 */
import { paddedDimOf, type Element } from '@quiver/kernel';

export const magic = 0x574e_4851;
export const version = 1;
export const headerBytes = 256;
export const none = 0xffff_ffff;
/** Most links a row may be asked to have above layer 0. */
export const mMax = 512;
/** The top table is scanned whole at the start of every search. */
export const tableMax = 64;

export interface HnswShape {
  /** Rows of the segment: at most `segmentRowsMax`. */
  readonly count: number;
  readonly dim: number;
  readonly element: Element;
  /** Links of a row above layer 0; twice as many in it. 2..mMax */
  readonly m: number;
  /** Threads of the process: each needs visited marks. */
  readonly threads: number;
}

export interface HnswSize {
  /** What the region must have. */
  readonly bytes: number;
  /** What must be stored of it. */
  readonly persistedBytes: number;
}

export interface HnswLayout extends HnswSize {
  readonly layerCounts: readonly number[];
  readonly codes: number;
  readonly codeStride: number;
  readonly terms: number;
  readonly termStride: number;
  readonly links: number;
  readonly upper: number;
  readonly next: number;
  readonly mean: number;
  /** Offsets of the links of layers 1..layerCount-1. */
  readonly upperLinks: readonly number[];
}

function align64(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

/** Rows in layers 1, 2, ...: each about m times fewer than the one below, until a table's worth is left. */
export function layerCountsOf(presentCount: number, m: number): number[] {
  const ratio = Math.min(64, Math.max(8, m));
  const counts = [];
  let left = presentCount;
  do {
    left = Math.ceil(left / ratio);
    counts.push(left);
  } while (left > tableMax && counts.length < 8);
  return counts;
}

export function visitedBytes(count: number): number {
  return 64 + align64(2 * count);
}

/** Where the parts lie. `presentCount` <= count decides only how much of the upper parts is used. */
export function layoutOf(shape: HnswShape, presentCount: number): HnswLayout {
  const { count, dim, element, m, threads } = shape;
  // Room is taken for all rows being present, so that the size can be told before presence is known.
  const layerRoom = layerCountsOf(count, m);
  let at = headerBytes;
  const take = (bytes: number): number => {
    const start = at;
    at += align64(bytes);
    return start;
  };
  const mean = take(4 * paddedDimOf('i8', dim));
  const upper = take(4 * layerRoom[0]!);
  const upperLinks = layerRoom.slice(0, -1).map((rows) => take(4 * m * rows));
  const next = take(4 * count);
  const links = take(8 * m * count);
  // A row's terms lie before its codes in the same cache line; byte rows are their own codes.
  const hasCodes = element === 'f32';
  const codeStride = hasCodes ? align64(16 + Math.ceil(dim / 16) * 16) : 0;
  const termStride = hasCodes ? codeStride : 8;
  const terms = take(termStride * count);
  const persistedBytes = at;
  return {
    bytes: persistedBytes + threads * visitedBytes(count),
    persistedBytes,
    layerCounts: layerCountsOf(presentCount, m),
    codes: hasCodes ? terms + 16 : 0,
    codeStride,
    terms,
    termStride,
    links,
    upper,
    next,
    mean,
    upperLinks,
  };
}

/** Bytes a graph takes, to allocate its region beside the rows in one arena. */
export function hnswBytes(shape: HnswShape): HnswSize {
  const { bytes, persistedBytes } = layoutOf(shape, shape.count);
  return { bytes, persistedBytes };
}
