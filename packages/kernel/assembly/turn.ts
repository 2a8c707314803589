// A random rotation of the vector at VECTOR, the same for every row of a graph: four rounds of flipped signs and a
// Hadamard transform, over the first and the last power of two elements by turns, so that any dim keeps its length
// (Ailon and Chazelle 2006; with overlapping halves as in the RaBitQ library). Always: lengths and products are kept; the
// signs are stored with the graph, as f32[TURNS][dim padded to 64].
import { VECTOR } from './scratch';

const TURNS: usize = 4;

/** Butterflies of a power of two elements, at least 4; keeps lengths. */
function hadamard(at: usize, size: usize): void {
  const end = at + (size << 2);
  const ones = f32x4(1, -1, 1, -1),
    twos = f32x4(1, 1, -1, -1);
  for (let p = at; p < end; p += 16) {
    let v = v128.load(p);
    v = f32x4.add(f32x4.mul(v, ones), v128.shuffle<i32>(v, v, 1, 0, 3, 2));
    v128.store(p, f32x4.add(f32x4.mul(v, twos), v128.shuffle<i32>(v, v, 2, 3, 0, 1)));
  }
  for (let half: usize = 16; half < size << 2; half <<= 1) {
    for (let block = at; block < end; block += half << 1) {
      for (let p = block; p < block + half; p += 16) {
        const a = v128.load(p),
          b = v128.load(p + half);
        v128.store(p, f32x4.add(a, b));
        v128.store(p + half, f32x4.sub(a, b));
      }
    }
  }
  const scale = f32x4.splat(1 / sqrt<f32>(<f32>size));
  for (let p = at; p < end; p += 16) v128.store(p, f32x4.mul(v128.load(p), scale));
}

/** Turns VECTOR; fewer than four elements stay as they are. */
export function turn(signs: usize, dim: usize): void {
  if (dim < 4) return;
  const size: usize = 1 << (31 - clz<u32>(<u32>dim));
  const padded = (dim + 63) & ~63;
  for (let round: usize = 0; round < TURNS; round++) {
    for (let i: usize = 0; i < padded << 2; i += 16)
      v128.store(VECTOR + i, f32x4.mul(v128.load(VECTOR + i), v128.load(signs + i)));
    hadamard(VECTOR + (round & 1 ? (dim - size) << 2 : 0), size);
    signs += padded << 2;
  }
}
