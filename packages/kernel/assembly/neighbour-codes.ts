// Neighbour codes of the open graph: beside a row lie, for each of its links, 4-bit codes of the way there (the residual,
// neighbour less row, brought to length one) and two factors A and B, so that for any query
//
//   estimate(q, neighbour) = estimate(q, row) + A + B * sum over subspaces s of table[s][code[s]],
//   table[s][j] = product of codeword j with the query less the mean, in subspace s.
//
// With c = row less mean, r = residual, u = its codeword vector brought back to full size (f = |r| / <r/|r|, u>, so that
// f * u has the length of r along r), the product (q - c) * r is taken as f * (q - c) * u. The way from the row to the query,
// not from the origin, is what is projected: its error shrinks as the walk comes near. Always: deterministic; a
// link that is not there has A = +Infinity and is never offered.
//
// For each 32 links: A f32[32], B f32[32], then for each two subspaces 32 bytes: low nibbles the even one, high nibbles the odd
// one, of links 0, 8, 1, 9, ... 7, 15, then 16, 24, 17, 25, ... 23, 31: even bytes of a 16-byte word thus hold links in order.
import {
  BLOCK_STRIDE,
  CODEBOOK,
  LANES,
  LINKS,
  M0,
  MEAN,
  MODE,
  NEIGHBOUR_CODES,
  NONE,
  ROWS,
  ROW_STRIDE,
  SUBSPACES,
  SUBSPACE_DIMS,
  TERMS,
  estimateRows,
  linksOf,
  nextOf,
  touchCodes,
} from './graph';
import { newEpoch, seen } from './visited';
import { beamKey, nodeOf } from './graph-walk';
import { LIST, OPEN, WORK } from './scratch';
import { sumF32 } from './score';

/** Candidates that a row's free places are filled from. */
const FILL_CANDIDATES: i32 = 256;
/** A residual that the codes hardly point along is taken at its own length. */
const PRODUCT_MIN: f32 = 0.05;

// Where WORK holds what, each f32[32] but for the pieces.
const SCALES: usize = 0; // 1 / |r| of each link, 0 where there is none
const LENGTHS2: usize = 128; // |r|^2
const ALONG: usize = 256; // row * r
const FIT: usize = 384; // <r/|r|, u>
const CENTRE: usize = 512; // c * u
const ADDRESSES: usize = 640; // u32[32]: rows of the links
const PIECES: usize = 768; // f32[8][32]: eight elements of the residuals
const CENTRE_PIECE: usize = 1792; // f32[8]: the same of c
const HALVES: usize = 1856; // f32[16]: half the squared length of each codeword
const PRODUCTS: usize = 1920; // f32[16]: c * codeword
let sink: u32 = 0;

/** Moves the blocks of rows from..to-1 to a larger stride, last row first. REQUIRES: rows from to on are moved. */
export function spreadBlocks(from: u32, to: u32, oldStride: usize, newStride: usize): void {
  for (let row = to; row > from; ) {
    row--;
    const target = TERMS + <usize>row * newStride;
    memory.copy(target, TERMS + <usize>row * oldStride, oldStride);
    memory.fill(target + oldStride, 0, newStride - oldStride);
  }
}

/** Moves them back to a smaller stride, first row first. REQUIRES: rows before from are moved. */
export function gatherBlocks(from: u32, to: u32, oldStride: usize, newStride: usize): void {
  for (let row = from; row < to; row++)
    memory.copy(TERMS + <usize>row * newStride, TERMS + <usize>row * oldStride, newStride);
}

/** Takes the unseen links of a node as candidates. */
function offerLinks(row: u32, node: u32, count: i32): i32 {
  const links = linksOf(0, node);
  let sum: u32 = 0;
  for (let i: u32 = 0; i < M0 && count < FILL_CANDIDATES; i++) {
    const far = load<u32>(links + (<usize>i << 2));
    if (far == NONE) break;
    if (seen(far)) continue;
    sum += touchCodes(far);
    store<u32>(LIST + (<usize>count << 2), far);
    count++;
  }
  sink += sum;
  return count;
}

/**
 * Fills the free places among the first `places` links of a row with the nearest of its neighbours' neighbours, and notes how many of
 * its links are its own in the fourth word of its terms.
 */
export function fillLinks(row: u32, places: u32): void {
  const links = linksOf(0, row);
  for (let i = M0; i < places; i++) store<u32>(links + (<usize>i << 2), NONE);
  store<u32>(TERMS + <usize>row * BLOCK_STRIDE, fillFree(row, places), 12);
}

/** Fills the free places among the first `places` links of a row; returns how many it had. */
export function fillFree(row: u32, places: u32): u32 {
  const links = linksOf(0, row);
  let degree: u32 = 0;
  while (degree < M0 && load<u32>(links + (<usize>degree << 2)) != NONE) degree++;
  if (degree == 0 || degree >= places) return degree;
  newEpoch();
  seen(row);
  for (let i: u32 = 0; i < degree; i++) seen(load<u32>(links + (<usize>i << 2)));
  let count = 0;
  for (let i: u32 = 0; i < degree; i++) count = offerLinks(row, load<u32>(links + (<usize>i << 2)), count);
  // The nearest of them, ascending, at OPEN.
  const free = <i32>(places - degree);
  let held = 0;
  for (let i = 0; i < count; i++) {
    const far = load<u32>(LIST + (<usize>i << 2));
    const key = beamKey(estimateRows(row, far), far);
    if (held == free) {
      if (key >= load<u64>(OPEN + (<usize>(free - 1) << 3))) continue;
    } else held++;
    let p = OPEN + (<usize>(held - 1) << 3);
    while (p > OPEN && load<u64>(p - 8) > key) {
      store<u64>(p, load<u64>(p - 8));
      p -= 8;
    }
    store<u64>(p, key);
  }
  for (let i = 0; i < held; i++)
    store<u32>(links + ((<usize>degree + <usize>i) << 2), nodeOf(load<u64>(OPEN + (<usize>i << 3))));
  return degree;
}

/** Lengths of 32 residuals, and what of the row lies along each. */
function measure(row: usize, links: usize): void {
  for (let i: usize = 0; i < 128; i += 4) {
    const link = load<u32>(links + i);
    const isThere = link != NONE;
    const other = isThere ? ROWS + <usize>link * ROW_STRIDE : row;
    store<u32>(WORK + ADDRESSES + i, <u32>other);
    let squares = f32x4.splat(0),
      along = squares;
    for (let o: usize = 0; o < ROW_STRIDE; o += 16) {
      const v = v128.load(row + o),
        r = f32x4.sub(v128.load(other + o), v);
      squares = f32x4.add(squares, f32x4.mul(r, r));
      along = f32x4.add(along, f32x4.mul(r, v));
    }
    const length2 = sumF32(squares);
    store<f32>(WORK + LENGTHS2 + i, length2);
    store<f32>(WORK + ALONG + i, sumF32(along));
    store<f32>(WORK + SCALES + i, length2 > 0 ? 1 / sqrt<f32>(length2) : 0);
  }
}

/** Four elements of four residuals, turned so that a vector holds one element of four links. */
// @ts-ignore: decorator
@inline
function cutFour(row: usize, offset: usize, lane: usize, target: usize): void {
  const at = WORK + ADDRESSES + lane;
  const v = v128.load(row + offset);
  const a = f32x4.sub(v128.load(<usize>load<u32>(at) + offset), v),
    b = f32x4.sub(v128.load(<usize>load<u32>(at, 4) + offset), v),
    c = f32x4.sub(v128.load(<usize>load<u32>(at, 8) + offset), v),
    d = f32x4.sub(v128.load(<usize>load<u32>(at, 12) + offset), v);
  const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5),
    ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7),
    cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5),
    cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  const scale = v128.load(WORK + SCALES + lane);
  v128.store(target, f32x4.mul(scale, v128.shuffle<i64>(ab0, cd0, 0, 2)));
  v128.store(target, f32x4.mul(scale, v128.shuffle<i64>(ab0, cd0, 1, 3)), 128);
  v128.store(target, f32x4.mul(scale, v128.shuffle<i64>(ab1, cd1, 0, 2)), 256);
  v128.store(target, f32x4.mul(scale, v128.shuffle<i64>(ab1, cd1, 1, 3)), 384);
}

/** Half the squared lengths of a subspace's codewords, and their products with c. */
function weighCodewords(book: usize, centre: usize): void {
  for (let at: usize = 0; at < 64; at += 16) {
    let half = f32x4.splat(0),
      product = half;
    for (let j: usize = 0; j < SUBSPACE_DIMS; j++) {
      const word = v128.load(book + (j << 6) + at);
      half = f32x4.add(half, f32x4.mul(word, word));
      product = f32x4.add(product, f32x4.mul(word, v128.load32_splat(centre + (j << 2))));
    }
    v128.store(WORK + HALVES + at, f32x4.mul(half, f32x4.splat(0.5)));
    v128.store(WORK + PRODUCTS + at, product);
  }
}

/** What the codewords at these places (in bytes) have in a table of 16. */
// @ts-ignore: decorator
@inline
function pickFour(table: usize, places: v128): v128 {
  let picked = v128.load32_zero(table + <usize>i32x4.extract_lane(places, 0));
  picked = v128.load_lane<u32>(table + <usize>i32x4.extract_lane(places, 1), picked, 1);
  picked = v128.load_lane<u32>(table + <usize>i32x4.extract_lane(places, 2), picked, 2);
  return v128.load_lane<u32>(table + <usize>i32x4.extract_lane(places, 3), picked, 3);
}

/** Adds to the FIT and CENTRE sums of four residuals what their codewords have. @param best - product less half the square */
// @ts-ignore: decorator
@inline
function addFour(lane: usize, best: v128, places: v128): void {
  const fit = f32x4.add(best, pickFour(WORK + HALVES, places));
  v128.store(WORK + FIT + lane, f32x4.add(v128.load(WORK + FIT + lane), fit));
  const centre = pickFour(WORK + PRODUCTS, places);
  v128.store(WORK + CENTRE + lane, f32x4.add(v128.load(WORK + CENTRE + lane), centre));
}

/** Two elements of four residuals times those of a codeword. */
// @ts-ignore: decorator
@inline
function productOfTwo(x0: v128, x1: v128, w0: v128, w1: v128): v128 {
  return f32x4.add(f32x4.mul(x0, w0), f32x4.mul(x1, w1));
}

/** The nearest codewords of eight residuals in one subspace, as i16; adds to their FIT and CENTRE sums. */
// @ts-ignore: decorator
@inline
function nearestOfEight(dims: usize, pieces: usize, book: usize, lane: usize): v128 {
  const x0 = v128.load(pieces),
    x1 = v128.load(pieces, 128),
    y0 = v128.load(pieces, 16),
    y1 = v128.load(pieces, 144);
  let x2 = x0,
    x3 = x0,
    y2 = x0,
    y3 = x0;
  if (dims >= 4) {
    x2 = v128.load(pieces, 256);
    x3 = v128.load(pieces, 384);
    y2 = v128.load(pieces, 272);
    y3 = v128.load(pieces, 400);
  }
  let best0 = f32x4.splat(-Infinity),
    best1 = best0,
    places0 = i32x4.splat(0),
    places1 = places0;
  for (let j: usize = 0; j < 64; j += 4) {
    const word = book + j;
    let w0 = v128.load32_splat(word),
      w1 = v128.load32_splat(word, 64);
    let near0 = productOfTwo(x0, x1, w0, w1),
      near1 = productOfTwo(y0, y1, w0, w1);
    if (dims >= 4) {
      w0 = v128.load32_splat(word, 128);
      w1 = v128.load32_splat(word, 192);
      near0 = f32x4.add(near0, productOfTwo(x2, x3, w0, w1));
      near1 = f32x4.add(near1, productOfTwo(y2, y3, w0, w1));
    }
    // No room for all of these among the registers.
    for (let more: usize = 4; more < dims; more += 2) {
      const at = pieces + (more << 7);
      w0 = v128.load32_splat(word + (more << 6));
      w1 = v128.load32_splat(word + (more << 6), 64);
      near0 = f32x4.add(near0, productOfTwo(v128.load(at), v128.load(at, 128), w0, w1));
      near1 = f32x4.add(near1, productOfTwo(v128.load(at, 16), v128.load(at, 144), w0, w1));
    }
    const half = v128.load32_splat(WORK + HALVES + j),
      place = i32x4.splat(<i32>j);
    near0 = f32x4.sub(near0, half);
    near1 = f32x4.sub(near1, half);
    // Masks are whole lanes, of which a relaxed select is the plain one on every machine.
    places0 = i32x4.relaxed_laneselect(place, places0, f32x4.gt(near0, best0));
    places1 = i32x4.relaxed_laneselect(place, places1, f32x4.gt(near1, best1));
    best0 = f32x4.pmax(best0, near0);
    best1 = f32x4.pmax(best1, near1);
  }
  addFour(lane, best0, places0);
  addFour(lane + 16, best1, places1);
  return i16x8.shr_u(i16x8.narrow_i32x4_s(places0, places1), 2);
}

/** Codes of 32 links in one subspace, as bytes: links 0..15 then 16..31, in the stored order. */
let codesLow: v128 = i32x4.splat(0);
let codesHigh: v128 = i32x4.splat(0);
// @ts-ignore: decorator
@inline
function encodeDims(dims: usize, pieces: usize, book: usize): void {
  const a = nearestOfEight(dims, pieces, book, 0),
    b = nearestOfEight(dims, pieces + 32, book, 32),
    c = nearestOfEight(dims, pieces + 64, book, 64),
    d = nearestOfEight(dims, pieces + 96, book, 96);
  // Bytes 2t of a word hold links 0..7, bytes 2t + 1 links 8..15.
  codesLow = v128.or(a, i16x8.shl(b, 8));
  codesHigh = v128.or(c, i16x8.shl(d, 8));
}
function encodeSubspace(pieces: usize, book: usize): void {
  if (SUBSPACE_DIMS == 4) encodeDims(4, pieces, book);
  else if (SUBSPACE_DIMS == 2) encodeDims(2, pieces, book);
  else encodeDims(8, pieces, book);
}

/** Codes and factors of 32 links of a row to `target`. */
function encode32(row: usize, links: usize, target: usize): void {
  measure(row, links);
  memory.fill(WORK + FIT, 0, 256);
  const perEight: usize = 8 / SUBSPACE_DIMS;
  let subspace: usize = 0;
  let out = target + 256;
  let evenLow = i32x4.splat(0),
    evenHigh = evenLow;
  for (let offset: usize = 0; subspace < SUBSPACES; offset += 32) {
    // Past the row's stride everything is zero.
    if (offset < ROW_STRIDE) {
      for (let lane: usize = 0; lane < 128; lane += 16) {
        cutFour(row, offset, lane, WORK + PIECES + lane);
        cutFour(row, offset + 16, lane, WORK + PIECES + 512 + lane);
      }
      for (let i: usize = 0; i < 32; i += 16)
        v128.store(
          WORK + CENTRE_PIECE + i,
          f32x4.sub(v128.load(row + offset + i), v128.load(MEAN + offset + i)),
        );
    } else {
      memory.fill(WORK + PIECES, 0, 1024 + 32);
    }
    for (let i: usize = 0; i < perEight && subspace < SUBSPACES; i++) {
      const book = CODEBOOK + subspace * (SUBSPACE_DIMS << 6);
      weighCodewords(book, WORK + CENTRE_PIECE + ((i * SUBSPACE_DIMS) << 2));
      encodeSubspace(WORK + PIECES + ((i * SUBSPACE_DIMS) << 7), book);
      if (subspace & 1) {
        v128.store(out, v128.or(evenLow, i16x8.shl(codesLow, 4)));
        v128.store(out, v128.or(evenHigh, i16x8.shl(codesHigh, 4)), 16);
        out += 32;
      } else {
        evenLow = codesLow;
        evenHigh = codesHigh;
      }
      subspace++;
    }
  }
  factors(links, target);
}

function factors(links: usize, target: usize): void {
  const isEuclid = (MODE & 3) != 0;
  for (let i: usize = 0; i < 128; i += 4) {
    const length2 = load<f32>(WORK + LENGTHS2 + i),
      fit = load<f32>(WORK + FIT + i),
      length = sqrt<f32>(length2);
    const f: f32 = fit > PRODUCT_MIN ? length / fit : length;
    const centre = f * load<f32>(WORK + CENTRE + i);
    let a: f32 = isEuclid ? length2 + 2 * centre : centre - load<f32>(WORK + ALONG + i);
    if (load<u32>(links + i) == NONE) a = Infinity;
    store<f32>(target + i, a);
    store<f32>(target + i, isEuclid ? -2 * f : -f, 128);
  }
}

/** Encodes the links of a row. REQUIRES: its links are filled and the codebook is there. */
export function encodeNeighbours(row: u32): void {
  const block = <usize>row * BLOCK_STRIDE;
  const links = LINKS + block,
    bytes: usize = 256 + (SUBSPACES << 4);
  for (let i: usize = 0; i < <usize>(LANES >> 5); i++)
    encode32(ROWS + <usize>row * ROW_STRIDE, links + (i << 7), NEIGHBOUR_CODES + block + i * bytes);
}
