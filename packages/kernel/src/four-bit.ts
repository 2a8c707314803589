/**
 * Vectors of four bits an element, in blocks of 32: a scale of two bytes (the upper half of an f32, little-endian) and 16 bytes, whose
 * low nibbles are the block's first 16 elements and whose high ones the others. Element = scale * (nibble - 8).
 * Always: what a row holds is packed to the same bytes again, so rounding twice is rounding once. The largest element of a block
 * is level -8, and so exact up to the scale's own rounding; none is off by more than one step, an eighth of the largest.
 */
const blockElements = 32;
const scaleBytes = 2;
const blockBytes = scaleBytes + blockElements / 2;
const [levelMin, levelMax] = [-8, 7];

/** Bytes of `dim` elements: four and a half bits each, in whole blocks. */
export function fourBitBytes(dim: number): number {
  return Math.ceil(dim / blockElements) * blockBytes;
}

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** Of the largest scale whose levels are all finite. */
const halfMax = 0x7dff;

/** The upper half of the f32 that is x or next farther from zero: levels of the largest element stay within -8. */
function upperHalf(x: number): number {
  float[0] = x;
  const half = word[0]! >>> 16;
  return (word[0]! & 0xffff) === 0 || (half & 0x7fff) >= halfMax ? half : half + 1;
}

function ofUpperHalf(half: number): number {
  word[0] = half << 16;
  return float[0]!;
}

/** The upper half of a block's scale; 0 where all its elements are 0. */
function scaleOf(values: Float32Array, from: number, to: number): number {
  let largest = 0;
  for (let i = from; i < to; i += 1) if (Math.abs(values[i]!) > Math.abs(largest)) largest = values[i]!;
  return largest === 0 ? 0 : upperHalf(largest / levelMin);
}

function levelOf(value: number, scale: number): number {
  return scale === 0 ? 0 : Math.min(levelMax, Math.max(levelMin, Math.round(value / scale)));
}

/** @param target - zeros, at least `fourBitBytes` of them */
export function packFourBits(values: Float32Array, target: Uint8Array): void {
  for (let from = 0, at = 0; from < values.length; from += blockElements, at += blockBytes) {
    const to = Math.min(values.length, from + blockElements);
    const half = scaleOf(values, from, to);
    const scale = ofUpperHalf(half);
    target[at] = half & 0xff;
    target[at + 1] = half >>> 8;
    for (let i = 0; i < blockElements; i += 1) {
      const nibble = (from + i < to ? levelOf(values[from + i]!, scale) : 0) - levelMin;
      target[at + scaleBytes + (i & 15)]! |= nibble << (i < 16 ? 0 : 4);
    }
  }
}

export function unpackFourBits(bytes: Uint8Array, dim: number): Float32Array {
  const values = new Float32Array(dim);
  for (let i = 0; i < dim; i += 1) {
    const at = Math.floor(i / blockElements) * blockBytes;
    const scale = ofUpperHalf(bytes[at]! | (bytes[at + 1]! << 8));
    const byte = bytes[at + scaleBytes + (i & 15)]!;
    values[i] = scale * (((i & 16) === 0 ? byte & 15 : byte >>> 4) + levelMin) + 0;
  }
  return values;
}

/** Rounds values[at..at+dim-1] in place to what a row of four bits holds of them. */
export function roundToFourBits(values: Float32Array, at: number, dim: number): void {
  for (let from = at; from < at + dim; from += blockElements) {
    const to = Math.min(at + dim, from + blockElements);
    const scale = ofUpperHalf(scaleOf(values, from, to));
    for (let i = from; i < to; i += 1) values[i] = scale * levelOf(values[i]!, scale) + 0;
  }
}
