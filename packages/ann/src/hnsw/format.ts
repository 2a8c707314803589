/**
 * The bytes of a graph: a header, then parts at offsets relative to it. docs/formats/hnsw.md has the prose.
 * Always: everything up to `persistedBytes` can be copied to another place and opened there; what follows are the
 * threads' visited marks, which start as zeros and are never stored.
 *
 * | offset | field |
 * |---|---|
 * | 0 | magic u32 "QHNW" |
 * | 4 | version u32 = 2 |
 * | 8 | count u32: rows, in the graph or not |
 * | 12 | dim u32 |
 * | 16 | mode u32: element * 4 + metric |
 * | 20, 24 | m, m0 = 2m u32: most links above layer 0 and in it |
 * | 28 | efConstruct u32 |
 * | 32 | seed u32 |
 * | 36 | upperCount u32: rows in the upper list |
 * | 40 | layerCount u32, 1..8: layers above 0; the last is a table without links |
 * | 44 | state u32: 0 being built, 1 complete |
 * | 48, 52 | blocks: offset of row 0's block, bytes from block to block |
 * | 56 | offset of the links in a block: u32[m0], 0xffffffff ends a list |
 * | 60 | offset of the neighbour codes in a block, 0 = the graph has none |
 * | 64 | lanes u32: links that neighbour codes cover, m0 rounded up to 32 |
 * | 68 | upper list: u32[upperCount], rows; the first layerCounts[l] are in layer l |
 * | 72 | next: u32[count], chain of rows equal byte for byte, 0xffffffff ends it |
 * | 76 | mean: f32[dim], zero-padded to 64 elements |
 * | 80 | persistedBytes u32 |
 * | 84 | scale f32: step of the Manhattan lattice, else 1 |
 * | 88 | presentCount u32: rows that have the vector |
 * | 92 | walksRows u32: 1 = walks read the f32 rows, not the codes (see `discernment.ts`) |
 * | 96 + 4l | layerCounts u32, l = 1..8 |
 * | 132..144 | while it is built: the shared stage, its next unit, helpers inside, units they did (see `shared-stage.ts`); else 0 |
 * | 148 | crowding f32 of distances around the graph's own rows, 0 = not measured (see `calibration.ts`) |
 * | 152 | reach f32: how far walks over neighbour codes go beyond the k-th answer where k places are asked for, 0 = they have a beam (see `neighbour-choice.ts`) |
 * | 156 | payload links: offset of links within blocks of rows, 0 = none (see `payload-links.ts`) |
 * | 160 | spread f32: length of rows less the mean, as the root of the mean square; 0 = not measured |
 * | 160 + 4l | links of layer l: offset of u32[layerCounts[l]][m], l = 1..layerCount-1 |
 * | 192 | codebook: offset of f32[subspaces][dims of one][16] |
 * | 196, 200 | subspaces u32 (even), dims of one u32 (2, 4 or 8) |
 * | 204 | walk u32: 1 = unfiltered walks read neighbour codes (see `neighbour-choice.ts`) |
 * | 208 | beamScale f32: such a walk's beam for one of int8 codes of the same recall; also of walks over components |
 * | 212, 216 | recall f32 of walks over int8 codes and over neighbour codes when the choice was made; or of walks by the rows and by components |
 * | 220 | entryTable u32: rows of the upper list that such a walk picks its start from, 0 = it descends through the layers |
 * | 224 | codes u32: 0 int8, 1 a grid, 2 product (see `quantise.ts`), 3 int8 of components (see `projection.ts`) |
 * | 228, 232 | bits of a grid's element u32 (3 = one and a half); bits of its query u32. Components: share f32, spread f32 |
 * | 236 | trained: offset of the signs f32[4][dim padded to 64], of the codewords f32[stretches][dims][256] or of the directions i16[components / 16][dim / 2][16][2], 0 = none |
 * | 240, 244 | product codes: stretches u32, dims of one u32. Components: their number u32, explained variance f32 |
 * | 248 | cut f32: int8 codes of larger elements are cut, 0 = none are |
 * | 252 | curves: offset of the recall curves, 0 = the graph has none (see `recall-curves.ts`) |
 */
import { isFloat, paddedDimOf, type Element, type Metric } from '@quiver/kernel';
import { codeBytesOf, replacesCodes, trainedBytesOf, type Quantization } from '../quantization.ts';
import { curvesBytes } from './recall-curves.ts';

export const magic = 0x574e_4851;
export const version = 2;
export const headerBytes = 256;
export const none = 0xffff_ffff;
/** In the header's word 224. */
export const projectedCodes = 3;
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
  /** Other than `never` takes room for neighbour codes; `canHaveNeighbourCodes` must hold. */
  readonly neighbourCodes: NeighbourCodesWish;
  /** Codes that were asked for; null = the builder's own choice. Not with neighbour codes. */
  readonly quantization: Quantization | null;
  /** `measured` when absent. */
  readonly projection?: ProjectionWish;
  /** Room for links within blocks of rows; absent = none. */
  readonly payloadLinks?: PayloadLinksShape | null;
}

/** Links within blocks of rows: of rows with one value of a payload field, say. */
export interface PayloadLinksShape {
  /** Half of a row's links. 2..mMax */
  readonly m: number;
  /** Fields that get a table, at most. */
  readonly tables: number;
  /** Fewest rows of a block. */
  readonly blockRowsMin: number;
}

/**
 * Codes of principal components in place of int8 codes. `measured`: tried where rows are many and long, and kept where they pass
 * for int8 codes; `anySize`: the same of 1,024 rows or more, whatever their length.
 */
export type ProjectionWish = 'never' | 'measured' | 'anySize';

/** `measured`: built, and kept only where they are worth their room; `always`: kept in any case. */
export type NeighbourCodesWish = 'never' | 'measured' | 'always';

export interface HnswSize {
  /** What the region must have while the graph is built. */
  readonly bytes: number;
  /** Most that must be stored of it. */
  readonly persistedBytes: number;
}

/** Where the parts of a row's block lie, relative to its start. */
export interface BlockLayout {
  readonly links: number;
  /** 0 = none */
  readonly neighbourCodes: number;
  readonly stride: number;
}

export interface HnswLayout {
  readonly layerCounts: readonly number[];
  readonly upper: number;
  /** Offsets of the links of layers 1..layerCount-1. */
  readonly upperLinks: readonly number[];
  readonly next: number;
  readonly mean: number;
  readonly codebook: number;
  /** Recall by beam width. */
  readonly curves: number;
  readonly blocks: number;
  /** Room behind the blocks for payload links. */
  readonly payloadLinksBytes: number;
  /** While the graph is built, and after it where neighbour codes are not worth their room. */
  readonly plain: BlockLayout;
  /** With neighbour codes; equal to `plain` when the shape has none. */
  readonly full: BlockLayout;
  /** With quantised rows in place of int8 codes; equal to `plain` when the shape asks for none. */
  readonly quantised: BlockLayout;
  /** With int8 codes of components; equal to `plain` when the shape is none for them. */
  readonly projected: BlockLayout;
  /** Components of such codes, the place of the rest included; 0 = the shape is none for them. */
  readonly components: number;
  /** Signs or codewords of the quantised rows. */
  readonly trained: number;
  readonly lanes: number;
  readonly subspaces: Subspaces;
}

/** How a vector is cut for 4-bit codes: `count` pieces of `dims` elements each, the last padded with zeros. */
export interface Subspaces {
  readonly count: number;
  readonly dims: number;
}

function align(bytes: number, to: number): number {
  return Math.ceil(bytes / to) * to;
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
  return 64 + align(2 * count, 64);
}

/** Most subspaces whose 6-bit table entries add up in 16 bits. */
const subspacesMax = 1024;

/** Four elements a code are the best measured on text embeddings; short vectors need finer codes, long ones have room for coarser. */
export function subspacesOf(dim: number): Subspaces {
  const dims = dim <= 128 ? 2 : dim <= 512 ? 4 : 8;
  return { count: align(Math.ceil(dim / dims), 2), dims };
}

/** Whether neighbour codes are defined for rows of this kind: sums of differences (Manhattan) have no look-up form. */
export function canHaveNeighbourCodes(metric: Metric, element: Element, dim: number): boolean {
  return element === 'f32' && metric !== 'manhattan' && subspacesOf(dim).count <= subspacesMax;
}

/** Bytes of the neighbour codes of 32 links: two factors each, then the codes. */
function codesOf32(subspaces: Subspaces): number {
  return 256 + 16 * subspaces.count;
}

/** Where the parts lie. `presentCount` <= count decides only how much of the upper parts is used. */
export function layoutOf(shape: HnswShape, presentCount: number): HnswLayout {
  const { count, dim, element, m } = shape;
  // Room is taken for all rows being present, so that the size can be told before presence is known.
  const layerRoom = layerCountsOf(count, m);
  let at = headerBytes;
  const take = (bytes: number): number => {
    const start = at;
    at += align(bytes, 64);
    return start;
  };
  const lanes = align(2 * m, 32);
  const subspaces = subspacesOf(dim);
  // Terms lie before the codes in the same cache line; byte rows are their own codes.
  const { quantization } = shape;
  const isQuantised = replacesCodes(quantization);
  const quantisedLinks = isQuantised ? 16 + align(codeBytesOf(quantization, dim), 16) : 0;
  // Byte rows have the room for quantised codes from the start.
  const links = isFloat(element) ? 16 + align(dim, 16) : Math.max(16, quantisedLinks);
  const hasRoom = shape.neighbourCodes !== 'never';
  const linksEnd = links + 4 * (hasRoom ? lanes : 2 * m);
  const strideTo = isFloat(element) ? 64 : 16;
  const plain = { links, neighbourCodes: 0, stride: align(linksEnd, strideTo) };
  const components = componentsOf(shape);
  const projectedLinks = 16 + components;
  const codesBytes = (lanes / 32) * codesOf32(subspaces);
  const full = hasRoom
    ? { links, neighbourCodes: linksEnd, stride: align(linksEnd + codesBytes, strideTo) }
    : plain;
  return {
    mean: take(4 * paddedDimOf('i8', dim)),
    upper: take(4 * layerRoom[0]!),
    upperLinks: layerRoom.slice(0, -1).map((rows) => take(4 * m * rows)),
    next: take(4 * count),
    codebook: take(hasRoom ? 64 * subspaces.count * subspaces.dims : 0),
    curves: take(curvesBytes),
    trained: take(isQuantised ? trainedBytesOf(quantization, dim) : 0),
    blocks: at,
    payloadLinksBytes: payloadLinksBytes(shape.payloadLinks ?? null, count),
    layerCounts: layerCountsOf(presentCount, m),
    plain,
    full,
    quantised: isQuantised
      ? { links: quantisedLinks, neighbourCodes: 0, stride: align(quantisedLinks + 8 * m, strideTo) }
      : plain,
    projected:
      components > 0
        ? { links: projectedLinks, neighbourCodes: 0, stride: align(projectedLinks + 8 * m, strideTo) }
        : plain,
    components,
    lanes,
    subspaces,
  };
}

/** Fewer rows are built in less time than directions take to be found; of still fewer nothing can be measured. */
const [projectedRowsMin, measuredRowsMin] = [16_384, 1024];
/** Codes of fewer elements are read as fast; longer vectors would take too long to project. */
const [projectedDimMin, projectedDimMax] = [448, 4096];
/** With the terms, two and three cache lines. */
const [fewComponents, manyComponents] = [112, 176];
const manyComponentsDimMin = 704;

/** Components that codes of rows of this shape may be of, 0 = none. */
function componentsOf({ count, dim, element, quantization, projection = 'measured' }: HnswShape): number {
  if (projection === 'never' || quantization !== null || !isFloat(element) || dim > projectedDimMax) return 0;
  if (projection === 'anySize')
    return count < measuredRowsMin ? 0 : Math.min(fewComponents, 16 * Math.ceil(dim / 32));
  if (count < projectedRowsMin || dim < projectedDimMin) return 0;
  return dim < manyComponentsDimMin ? fewComponents : manyComponents;
}

/** Links of a row that free places are filled up to where codes are of components: more cost as much as they find. */
export function projectedPlacesOf(m: number): number {
  return Math.floor(1.25 * m);
}

/** Bytes of the directions that components are taken along. */
export function directionsBytesOf(components: number, dim: number): number {
  return 2 * components * align(dim, 2);
}

/** What is stored of a graph whose blocks lie like this. */
export function persistedBytesOf({ blocks }: HnswLayout, { stride }: BlockLayout, count: number): number {
  return align(blocks + stride * count, 64);
}

/** The same where codes are of components, whose directions lie behind the blocks. */
export function projectedBytesOf(
  { blocks, projected, components }: HnswLayout,
  { count, dim }: HnswShape,
): number {
  return align(blocks + projected.stride * count + directionsBytesOf(components, dim), 64);
}

/** What all that is tried while a graph is built has room in; the threads' visited marks lie behind it meanwhile. */
export function builtBytesOf(layout: HnswLayout, shape: HnswShape): number {
  const full = persistedBytesOf(layout, layout.full, shape.count);
  const codes = layout.components === 0 ? full : Math.max(full, projectedBytesOf(layout, shape));
  return codes + layout.payloadLinksBytes;
}

/** Rows of a block that walks start from, at most. */
export const entriesPerBlock = 64;
/** A block's entry in the directory, at most. */
export const blockEntryBytesMax = 1024;
const fieldEntryBytesMax = 4096;

function payloadLinksBytes(wanted: PayloadLinksShape | null, count: number): number {
  if (wanted === null || wanted.tables === 0) return 0;
  const blocks = Math.floor(count / wanted.blockRowsMin);
  const blockBytes = blockEntryBytesMax + 4 * entriesPerBlock;
  return (
    wanted.tables * (align(fieldEntryBytesMax + blocks * blockBytes, 64) + linkTableBytes(wanted.m, count))
  );
}

/** Bytes of one table of payload links. A walk looks ahead by a cache line. */
export function linkTableBytes(m: number, count: number): number {
  return align(8 * m * count, 64) + 64;
}

/** Bytes a graph takes, to allocate its region beside the rows in one arena. */
export function hnswBytes(shape: HnswShape): HnswSize {
  const persistedBytes = builtBytesOf(layoutOf(shape, shape.count), shape);
  return { persistedBytes, bytes: storedHnswBytes(persistedBytes, shape) };
}

/** What is left of it once rows were quantised. */
export function quantisedHnswBytes(shape: HnswShape): HnswSize {
  const layout = layoutOf(shape, shape.count);
  const persistedBytes = persistedBytesOf(layout, layout.quantised, shape.count);
  return { persistedBytes, bytes: storedHnswBytes(persistedBytes, shape) };
}

/** Bytes of a region that a stored graph is loaded into. */
export function storedHnswBytes(
  persistedBytes: number,
  { count, threads }: { readonly count: number; readonly threads: number },
): number {
  return persistedBytes + threads * visitedBytes(count);
}
