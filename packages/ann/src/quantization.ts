/**
 * What a collection may ask a graph's codes to be, in the engine's words. Always: plain data, equal specifications have equal
 * JSON; sizes follow from the specification and the vector's shape alone.
 */

/** Bits an element: 1.5 are two for the first half of the elements and one for the others. */
export type GridBits = 1 | 1.5 | 2 | 4;

export type Quantization =
  /** One byte an element; those beyond the quantile of the set's magnitudes are cut. 1 = none is. */
  | { readonly kind: 'scalar'; readonly quantile: number }
  /** Bits of the elements as they are; one bit after a random rotation where queries have 4 bits or more. */
  | {
      readonly kind: 'binary';
      readonly bits: Exclude<GridBits, 4>;
      /** Of the query: as the rows' codes (1 compares signs, 2 levels), or integers of 4 or 8 bits. */
      readonly queryBits: 1 | 2 | 4 | 8;
    }
  /** Bits of the elements after a random rotation. */
  | { readonly kind: 'turbo'; readonly bits: GridBits }
  /** A byte for each stretch of so many elements, the number of a trained codeword. */
  | { readonly kind: 'product'; readonly dims: 1 | 2 | 4 | 8 | 16 };

/** Quantisation whose codes take the place of int8 codes once a graph is built. */
export type Requantization = Exclude<Quantization, { kind: 'scalar' }>;

export function replacesCodes(quantization: Quantization | null): quantization is Requantization {
  return quantization !== null && quantization.kind !== 'scalar';
}

/** Bytes of a row's codes, as the kernels lay them (packages/kernel/assembly/grid-codes.ts, product-codes.ts). */
export function codeBytesOf(quantization: Requantization, dim: number): number {
  if (quantization.kind === 'product') return stretchesOf(quantization.dims, dim);
  const { bits } = quantization;
  const wideDims = bits === 1 ? 0 : bits === 1.5 ? Math.min(dim, Math.ceil((dim >>> 1) / 64) * 64) : dim;
  const wideBits = bits === 1 ? 0 : Math.ceil(bits);
  return 16 * (Math.ceil((wideDims * wideBits) / 128) + Math.ceil((dim - wideDims) / 128));
}

export function stretchesOf(dims: number, dim: number): number {
  return Math.ceil(dim / dims);
}

/**
 * Whether codes are of rotated rows. Where bits are compared with bits they stay as they lie: that is what was asked for; of more bits
 * than one a rotation gains little, and loses where dimensions are few.
 */
export function isTurned(quantization: Requantization): boolean {
  if (quantization.kind === 'product') return false;
  return quantization.kind === 'turbo' || (quantization.bits === 1 && quantization.queryBits >= 4);
}

/** Rounds of the rotation. */
const turns = 4;

/** Bytes of what is trained or drawn for the whole graph: signs of the rotation, or codewords. */
export function trainedBytesOf(quantization: Requantization, dim: number): number {
  if (quantization.kind === 'product') return 1024 * quantization.dims * stretchesOf(quantization.dims, dim);
  return isTurned(quantization) ? 4 * turns * Math.ceil(dim / 64) * 64 : 0;
}
