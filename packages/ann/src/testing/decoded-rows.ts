/** Quantised rows in plain numbers (docs/formats/hnsw.md), and what the kernel estimates by them. */
import { createTopK, foundIn, isFloat } from '@quiver/kernel';
import { viewGraph } from '../hnsw/graph-view.ts';
import { visitedAddress } from '../hnsw/search.ts';
import type { IndexStage } from './index-stage.ts';

/** A graph's quantiser in plain numbers. */
export class Decoded {
  readonly #stage: IndexStage;
  readonly #field: (offset: number) => number;
  readonly #floats: (offset: number, length: number) => Float32Array;
  readonly #mean: Float32Array;
  readonly dim: number;

  constructor(stage: IndexStage) {
    const { buffer } = stage.kernel.arena.memory;
    const { offset } = stage.region;
    const header = new Uint32Array(buffer, offset, 64);
    this.#stage = stage;
    this.#field = (at) => header[at / 4]!;
    this.#floats = (at, length) => new Float32Array(buffer, offset + at, length);
    this.dim = stage.rows.dim;
    this.#mean = this.#floats(this.#field(76), this.dim);
  }

  /** A vector less the mean, turned as the rows are: sign flips and Hadamard transforms by their definition. */
  centred(vector: ArrayLike<number>): number[] {
    const { metric, element } = this.#stage.rows;
    const length = metric === 'cosine' && !isFloat(element) ? Math.hypot(...Array.from(vector)) || 1 : 1;
    let values = Array.from(vector, (value, i) => value / length - this.#mean[i]!);
    const trained = this.#field(236);
    if (this.#field(224) !== 1 || trained === 0 || this.dim < 4) return values;
    const padded = Math.ceil(this.dim / 64) * 64;
    const size = 2 ** Math.floor(Math.log2(this.dim));
    for (let round = 0; round < 4; round += 1) {
      const signs = this.#floats(trained + 4 * padded * round, this.dim);
      values = values.map((value, i) => value * signs[i]!);
      const from = round % 2 === 0 ? 0 : this.dim - size;
      const piece = values.slice(from, from + size);
      for (let row = 0; row < size; row += 1) {
        let sum = 0;
        for (let column = 0; column < size; column += 1) {
          let bits = row & column;
          let isOdd = false;
          for (; bits !== 0; bits &= bits - 1) isOdd = !isOdd;
          sum += isOdd ? -piece[column]! : piece[column]!;
        }
        values[from + row] = sum / Math.sqrt(size);
      }
    }
    return values;
  }

  block(row: number): { terms: Float32Array; codes: Uint8Array } {
    const { buffer } = this.#stage.kernel.arena.memory;
    const at = this.#stage.region.offset + this.#field(48) + row * this.#field(52);
    return {
      terms: new Float32Array(buffer, at, 4),
      codes: new Uint8Array(buffer, at + 16, this.#field(56) - 16),
    };
  }

  /** What a row's codes are worth, element by element. */
  worth(row: number): number[] {
    const { codes } = this.block(row);
    if (this.#field(224) === 2) {
      const dims = this.#field(244);
      const book = this.#floats(this.#field(236), 256 * dims * this.#field(240));
      return Array.from({ length: this.dim }, (_, i) => book[i * 256 + codes[Math.floor(i / dims)]!]!);
    }
    const bits = this.#field(228);
    const wideBits = bits === 1 ? 0 : bits === 3 ? 2 : bits;
    const wideDims =
      bits === 1
        ? 0
        : bits === 3
          ? Math.min(this.dim, Math.ceil(Math.floor(this.dim / 2) / 64) * 64)
          : this.dim;
    const wideBytes = 16 * Math.ceil((wideDims * wideBits) / 128);
    return Array.from({ length: this.dim }, (_, i) => {
      const isWide = i < wideDims;
      const width = isWide ? wideBits : 1;
      const element = isWide ? i : i - wideDims;
      const word = Math.floor(element / (128 / width));
      const place = element % (128 / width);
      const byte = codes[(isWide ? 0 : wideBytes) + 16 * word + (place % 16)]!;
      const code = (byte >> (Math.floor(place / 16) * width)) & (2 ** width - 1);
      const worth = code - (2 ** width - 1) / 2;
      return !isWide && bits === 3 ? 1.6026 * worth : worth;
    });
  }
}

export function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

/** Estimates of all rows, as the walk has them. */
export function estimates(stage: IndexStage, query: Float32Array, count: number): Map<number, number> {
  const { kernel, region, rows } = stage;
  const { persistedBytes } = viewGraph(kernel.arena.memory.buffer, region);
  kernel.setQuery(rows, query);
  kernel.exports.openGraph(
    region.offset,
    rows.address,
    rows.stride,
    visitedAddress(region, persistedBytes, count, 0),
  );
  const top = createTopK(count);
  top.count = kernel.exports.estimateTop(count, 0, count, 0, 0);
  kernel.readTop(top);
  const { rows: found, scores } = foundIn(top, 'manhattan');
  return new Map(Array.from(found, (row, i) => [row, scores[i]!]));
}
