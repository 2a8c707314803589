/** Vectors as they cross the system; f32 in flight, whatever the stored datatype. */
export interface DenseVector {
  readonly kind: 'dense';
  /** Float32Array[dim] */
  readonly values: Float32Array;
}
export interface SparseVector {
  readonly kind: 'sparse';
  /** Unique, ascending after validation; same length as `values`. */
  readonly indices: Uint32Array;
  readonly values: Float32Array;
}
/** A list of dense vectors of one size (late interaction, MaxSim). */
export interface MultiVector {
  readonly kind: 'multi';
  readonly dim: number;
  /** Float32Array[rows * dim], row after row; rows >= 1 */
  readonly values: Float32Array;
}
export type Vector = DenseVector | SparseVector | MultiVector;

/** By vector name; the unnamed vector is `''`. */
export type VectorsByName = ReadonlyMap<string, Vector>;

/** One named vector of many points, flat, so that it crosses threads as transferred buffers. */
export type VectorColumn =
  | {
      readonly kind: 'dense';
      readonly dim: number;
      /** Float32Array[points * dim]; rows of absent points are zero. */
      readonly values: Float32Array;
      /** 1 where the point has this vector; null when all have. */
      readonly present: Uint8Array | null;
    }
  | {
      readonly kind: 'sparse';
      /** Uint32Array[points + 1]; point i owns entries offsets[i]..offsets[i+1]. */
      readonly offsets: Uint32Array;
      readonly indices: Uint32Array;
      readonly values: Float32Array;
      readonly present: Uint8Array | null;
    }
  | {
      readonly kind: 'multi';
      readonly dim: number;
      /** Uint32Array[points + 1] counted in rows of `dim`; an absent point owns none. */
      readonly offsets: Uint32Array;
      readonly values: Float32Array;
      readonly present: Uint8Array | null;
    };
