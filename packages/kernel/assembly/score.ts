// Distance of a prepared query to one stored row. Always: smaller is nearer (dot products are negated, Euclidean
// distances squared); padding of rows and query is zero and so neutral for every metric.
// A mode is element * 4 + metric: element f32 0, u8 1, i8 2, f16 3, four bits 4; metric dot 0, euclid 1, manhattan 2, cosine 3.
import { dotFourBits, euclidFourBits, manhattanFourBits, unpackFourBits } from './four-bit';
import { dotHalf, euclidHalf, manhattanHalf, unpackHalves } from './half';
import { QUERY, QUERY16, VECTOR } from './scratch';

/** Rows of integers of a byte, as against rows of floats. */
// @ts-ignore: decorator
@inline
export function isByteMode(mode: i32): bool {
  return mode >= 4 && mode < 12;
}

/** Squared length of the prepared integer query: the cosine of integer rows needs it. */
let queryLength2: f64 = 0;

// @ts-ignore: decorator
@inline
export function sumF32(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}
// @ts-ignore: decorator
@inline
export function sumI32(v: v128): i32 {
  return (
    i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + (i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3))
  );
}
/** Lanes stay below 2^31 for 65536 elements of a byte, their sum does not. */
// @ts-ignore: decorator
@inline
function sumWide(v: v128): f64 {
  return (
    <f64>i32x4.extract_lane(v, 0) +
    <f64>i32x4.extract_lane(v, 1) +
    (<f64>i32x4.extract_lane(v, 2) + <f64>i32x4.extract_lane(v, 3))
  );
}

// @ts-ignore: decorator
@inline
export function dotF32(a: usize, b: usize, bytes: usize): f32 {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  const end = a + bytes;
  while (a < end) {
    s0 = f32x4.add(s0, f32x4.mul(v128.load(a), v128.load(b)));
    s1 = f32x4.add(s1, f32x4.mul(v128.load(a, 16), v128.load(b, 16)));
    s2 = f32x4.add(s2, f32x4.mul(v128.load(a, 32), v128.load(b, 32)));
    s3 = f32x4.add(s3, f32x4.mul(v128.load(a, 48), v128.load(b, 48)));
    a += 64;
    b += 64;
  }
  return sumF32(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}
// @ts-ignore: decorator
@inline
function euclidF32(a: usize, b: usize, bytes: usize): f32 {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  const end = a + bytes;
  while (a < end) {
    const d0 = f32x4.sub(v128.load(a), v128.load(b));
    const d1 = f32x4.sub(v128.load(a, 16), v128.load(b, 16));
    const d2 = f32x4.sub(v128.load(a, 32), v128.load(b, 32));
    const d3 = f32x4.sub(v128.load(a, 48), v128.load(b, 48));
    s0 = f32x4.add(s0, f32x4.mul(d0, d0));
    s1 = f32x4.add(s1, f32x4.mul(d1, d1));
    s2 = f32x4.add(s2, f32x4.mul(d2, d2));
    s3 = f32x4.add(s3, f32x4.mul(d3, d3));
    a += 64;
    b += 64;
  }
  return sumF32(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}
// @ts-ignore: decorator
@inline
function manhattanF32(a: usize, b: usize, bytes: usize): f32 {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  const end = a + bytes;
  while (a < end) {
    s0 = f32x4.add(s0, f32x4.abs(f32x4.sub(v128.load(a), v128.load(b))));
    s1 = f32x4.add(s1, f32x4.abs(f32x4.sub(v128.load(a, 16), v128.load(b, 16))));
    s2 = f32x4.add(s2, f32x4.abs(f32x4.sub(v128.load(a, 32), v128.load(b, 32))));
    s3 = f32x4.add(s3, f32x4.abs(f32x4.sub(v128.load(a, 48), v128.load(b, 48))));
    a += 64;
    b += 64;
  }
  return sumF32(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

/** Eight row elements widened to i16. */
// @ts-ignore: decorator
@inline
function widen<T>(row: usize): v128 {
  return v128.load_ext<T>(row);
}
// @ts-ignore: decorator
@inline
function dotByte<T>(q: usize, row: usize, count: usize): f32 {
  let s0 = i32x4.splat(0),
    s1 = s0;
  const end = row + count;
  while (row < end) {
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(v128.load(q), widen<T>(row)));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(v128.load(q, 16), widen<T>(row + 8)));
    q += 32;
    row += 16;
  }
  return <f32>(sumWide(s0) + sumWide(s1));
}
// @ts-ignore: decorator
@inline
function euclidByte<T>(q: usize, row: usize, count: usize): f32 {
  let s0 = i32x4.splat(0),
    s1 = s0;
  const end = row + count;
  while (row < end) {
    const d0 = i16x8.sub(v128.load(q), widen<T>(row));
    const d1 = i16x8.sub(v128.load(q, 16), widen<T>(row + 8));
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(d0, d0));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(d1, d1));
    q += 32;
    row += 16;
  }
  return <f32>(sumWide(s0) + sumWide(s1));
}
// @ts-ignore: decorator
@inline
function manhattanByte<T>(q: usize, row: usize, count: usize): f32 {
  let s0 = i32x4.splat(0),
    s1 = s0;
  const end = row + count;
  while (row < end) {
    const d0 = i16x8.abs(i16x8.sub(v128.load(q), widen<T>(row)));
    const d1 = i16x8.abs(i16x8.sub(v128.load(q, 16), widen<T>(row + 8)));
    s0 = i32x4.add(s0, i32x4.extadd_pairwise_i16x8_s(d0));
    s1 = i32x4.add(s1, i32x4.extadd_pairwise_i16x8_s(d1));
    q += 32;
    row += 16;
  }
  return <f32>(sumWide(s0) + sumWide(s1));
}
/** Integer rows are stored as they are, so a cosine divides by both lengths; a zero row or query scores 0. */
// @ts-ignore: decorator
@inline
function cosineByte<T>(q: usize, row: usize, count: usize): f32 {
  let s = i32x4.splat(0),
    r = s;
  const end = row + count;
  while (row < end) {
    const x = widen<T>(row);
    s = i32x4.add(s, i32x4.dot_i16x8_s(v128.load(q), x));
    r = i32x4.add(r, i32x4.dot_i16x8_s(x, x));
    q += 16;
    row += 8;
  }
  const lengths2 = queryLength2 * sumWide(r);
  return lengths2 > 0 ? <f32>(-sumWide(s) / sqrt(lengths2)) : 0;
}

/**
 * Finishes the query that the host wrote to QUERY (f32[dim]): pads it with zeros, and for integer rows cuts it to
 * integers of the element's range at QUERY16.
 */
export function prepareQuery(mode: i32, dim: usize): void {
  const padded = (dim + 63) & ~63;
  memory.fill(QUERY + (dim << 2), 0, (padded - dim) << 2);
  if (!isByteMode(mode)) return;
  const low: f32 = mode < 8 ? 0 : -128;
  const high: f32 = mode < 8 ? 255 : 127;
  let length2: f64 = 0;
  for (let i: usize = 0; i < padded; i++) {
    const value = <i32>min<f32>(max<f32>(load<f32>(QUERY + (i << 2)), low), high);
    length2 += <f64>(value * value);
    store<i16>(QUERY16 + (i << 1), <i16>value);
  }
  queryLength2 = length2;
}

/** `padded` is dim rounded up to a multiple of the elements in 64 bytes. */
// @ts-ignore: decorator
@inline
export function distance(mode: i32, row: usize, padded: usize): f32 {
  switch (mode) {
    case 0:
    case 3:
      return -dotF32(QUERY, row, padded << 2);
    case 1:
      return euclidF32(QUERY, row, padded << 2);
    case 2:
      return manhattanF32(QUERY, row, padded << 2);
    case 4:
      return -dotByte<u8>(QUERY16, row, padded);
    case 5:
      return euclidByte<u8>(QUERY16, row, padded);
    case 6:
      return manhattanByte<u8>(QUERY16, row, padded);
    case 7:
      return cosineByte<u8>(QUERY16, row, padded);
    case 8:
      return -dotByte<i8>(QUERY16, row, padded);
    case 9:
      return euclidByte<i8>(QUERY16, row, padded);
    case 10:
      return manhattanByte<i8>(QUERY16, row, padded);
    case 11:
      return cosineByte<i8>(QUERY16, row, padded);
    case 12:
    case 15:
      return -dotHalf(QUERY, row, padded);
    case 13:
      return euclidHalf(QUERY, row, padded);
    case 14:
      return manhattanHalf(QUERY, row, padded);
    case 17:
      return euclidFourBits(QUERY, row, padded);
    case 18:
      return manhattanFourBits(QUERY, row, padded);
    default:
      return -dotFourBits(QUERY, row, padded);
  }
}

/** A row of halves or of four bits as floats: at least the first `count`, a multiple of 4. */
export function unpackRow(mode: i32, source: usize, target: usize, count: usize): void {
  if (mode < 16) unpackHalves(source, target, count);
  else unpackFourBits(source, target, count);
}

/** Distance of two rows that are not of bytes; bit for bit what `distance` gives with either as the query. */
export function distanceBetween(mode: i32, a: usize, b: usize, padded: usize): f32 {
  if (mode >= 16) {
    unpackFourBits(a, VECTOR, padded);
    if (mode == 17) return euclidFourBits(VECTOR, b, padded);
    return mode == 18 ? manhattanFourBits(VECTOR, b, padded) : -dotFourBits(VECTOR, b, padded);
  }
  if (mode >= 12) {
    unpackHalves(a, VECTOR, padded);
    if (mode == 13) return euclidHalf(VECTOR, b, padded);
    return mode == 14 ? manhattanHalf(VECTOR, b, padded) : -dotHalf(VECTOR, b, padded);
  }
  if (mode == 1) return euclidF32(a, b, padded << 2);
  return mode == 2 ? manhattanF32(a, b, padded << 2) : -dotF32(a, b, padded << 2);
}

/** The score a caller sees: dot and cosine larger is nearer, distances smaller; 0 - d also turns -0 into 0. */
// @ts-ignore: decorator
@inline
export function reported(mode: i32, d: f32): f32 {
  const metric = mode & 3;
  if (metric == 1) return sqrt<f32>(d);
  return metric == 2 ? d : <f32>0 - d;
}
