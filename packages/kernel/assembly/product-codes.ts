// Product codes (Jégou et al. 2011): a byte for each stretch of 1, 2, 4, 8 or 16 elements, the nearest of 256 trained
// codewords. A query is compared by look-up: its product (Manhattan: its difference) with every codeword of a stretch is
// worked out once. Codewords lie as f32[stretches][elements of one][256]. Always: where the tables of a long vector would not
// fit, the sums come from the codewords themselves.
import { TABLES, VECTOR } from './scratch';

/** Stretches that TABLES has room for. */
const TABLES_MAX: usize = 2048;

let stretches: usize = 0;
let dims: usize = 0;
let book: usize = 0;
let isDifference: bool = false;

/** Of the row encoded last: product of its codewords with it, and their squared length. */
export let fit: f32 = 0;
export let size2: f32 = 0;

export function openProduct(codewords: usize, count: usize, dimsOfOne: usize): void {
  book = codewords;
  stretches = count;
  dims = dimsOfOne;
}

/** Number of the codeword nearest to a piece; the lowest of equals. */
function nearestWord(piece: usize, words: usize): u32 {
  let best = f32x4.splat(Infinity),
    index = i32x4.splat(0);
  for (let j: usize = 0; j < 1024; j += 32) {
    let a = f32x4.splat(0),
      b = a;
    for (let i: usize = 0; i < dims; i++) {
      const x = v128.load32_splat(piece + (i << 2));
      const word = words + (i << 10) + j;
      const d = f32x4.sub(x, v128.load(word)),
        e = f32x4.sub(x, v128.load(word, 16));
      a = f32x4.add(a, f32x4.mul(d, d));
      b = f32x4.add(b, f32x4.mul(e, e));
    }
    const isNearer = f32x4.lt(a, best);
    best = v128.bitselect(a, best, isNearer);
    index = v128.bitselect(i32x4.splat(<i32>(j >> 2)), index, isNearer);
    const isNearerStill = f32x4.lt(b, best);
    best = v128.bitselect(b, best, isNearerStill);
    index = v128.bitselect(i32x4.splat(<i32>((j >> 2) + 4)), index, isNearerStill);
  }
  index = i32x4.add(index, i32x4(0, 1, 2, 3));
  let nearest = f32x4.extract_lane(best, 0),
    word = i32x4.extract_lane(index, 0);
  const d1 = f32x4.extract_lane(best, 1),
    d2 = f32x4.extract_lane(best, 2),
    d3 = f32x4.extract_lane(best, 3);
  const w1 = i32x4.extract_lane(index, 1),
    w2 = i32x4.extract_lane(index, 2),
    w3 = i32x4.extract_lane(index, 3);
  if (d1 < nearest || (d1 == nearest && w1 < word)) {
    nearest = d1;
    word = w1;
  }
  if (d2 < nearest || (d2 == nearest && w2 < word)) {
    nearest = d2;
    word = w2;
  }
  if (d3 < nearest || (d3 == nearest && w3 < word)) word = w3;
  return word;
}

/** Codes of VECTOR, one byte a stretch. */
export function encodeProduct(codes: usize): void {
  fit = 0;
  size2 = 0;
  for (let s: usize = 0; s < stretches; s++) {
    const piece = VECTOR + ((s * dims) << 2),
      words = book + ((s * dims) << 10);
    const word = nearestWord(piece, words);
    store<u8>(codes + s, <u8>word);
    for (let i: usize = 0; i < dims; i++) {
      const value = load<f32>(words + (i << 10) + (<usize>word << 2));
      fit += value * load<f32>(piece + (i << 2));
      size2 += value * value;
    }
  }
}

/** Fills the tables for the query at VECTOR. */
export function prepareProduct(byDifference: bool): void {
  isDifference = byDifference;
  if (stretches > TABLES_MAX) return;
  for (let s: usize = 0; s < stretches; s++) {
    const piece = VECTOR + ((s * dims) << 2),
      words = book + ((s * dims) << 10),
      table = TABLES + (s << 10);
    for (let j: usize = 0; j < 1024; j += 16) {
      let sum = f32x4.splat(0);
      for (let i: usize = 0; i < dims; i++) {
        const x = v128.load32_splat(piece + (i << 2)),
          word = v128.load(words + (i << 10) + j);
        sum = f32x4.add(sum, byDifference ? f32x4.abs(f32x4.sub(x, word)) : f32x4.mul(x, word));
      }
      v128.store(table + j, sum);
    }
  }
}

function sumOfWords(codes: usize): f32 {
  let sum: f32 = 0;
  for (let s: usize = 0; s < stretches; s++) {
    const at = book + ((s * dims) << 10) + (<usize>load<u8>(codes + s) << 2);
    for (let i: usize = 0; i < dims; i++) {
      const x = load<f32>(VECTOR + ((s * dims + i) << 2)),
        word = load<f32>(at + (i << 10));
      sum += isDifference ? abs<f32>(x - word) : x * word;
    }
  }
  return sum;
}

/** Product (or difference) of a row's codewords with the query. */
export function productSum(codes: usize): f32 {
  if (stretches > TABLES_MAX) return sumOfWords(codes);
  let a: f32 = 0,
    b: f32 = 0,
    c: f32 = 0,
    d: f32 = 0,
    table = TABLES,
    at = codes;
  const end = codes + stretches;
  while (at + 4 <= end) {
    const four = load<u32>(at);
    a += load<f32>(table + ((four & 255) << 2));
    b += load<f32>(table + (((four >> 8) & 255) << 2), 1024);
    c += load<f32>(table + (((four >> 16) & 255) << 2), 2048);
    d += load<f32>(table + ((four >> 24) << 2), 3072);
    table += 4096;
    at += 4;
  }
  while (at < end) {
    a += load<f32>(table + (<usize>load<u8>(at) << 2));
    table += 1024;
    at++;
  }
  return a + b + (c + d);
}
