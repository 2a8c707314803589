/**
 * The sparse kernel over one arena, as typed calls (assembly/sparse.ts). Always: state between calls is only in the
 * arguments, so searches of one thread may alternate; what a call returns are views of scratch, valid until the next one.
 */
import { assert } from './assert.ts';
import { scoreRowsMax } from './kernel.ts';
import { scratchOf } from './scratch.ts';
import type { SimdKernel } from './simd.ts';
import { topKMax } from './top-k.ts';

/** Rows whose sums are worked out together; ranges start at multiples of it. */
export const sparseBatchRows = 16_384;
/** Most terms that one call takes. */
export const sparseTermsMax = 8_192;

/** One dimension of a query in an index; addresses are of the arena. A posting adds base + scale * code. */
export interface SparseTerm {
  /** `list`: u32 rows, ascending. `words`: for each 32 rows u32 bits and the u32 number of postings before them. */
  readonly kind: 'list' | 'words';
  readonly rows: number;
  /** Bytes, one for each posting. */
  readonly codes: number;
  readonly count: number;
  readonly base: number;
  readonly scale: number;
  /** The most that it adds to a row, 0 or more. */
  readonly highest: number;
}

export interface SparseCandidates {
  /** Ascending. */
  readonly rows: Uint32Array;
  /** Of all terms, by the same index. */
  readonly sums: Float32Array;
}

export interface SparseRange {
  /** A multiple of `sparseBatchRows`. */
  readonly from: number;
  /** At most `scoreRowsMax` rows further. */
  readonly to: number;
  /** Address of a bitset whose bit 0 is row 0, as `bitsetAddress`; 0 = all pass. */
  readonly filter: number;
  /** Rows below it are left out. */
  readonly threshold: number;
}

export interface SparseKernel {
  /** Rows below `to`, the k best by their sum over `terms`, in no order. A row that adds up to 0 may be left out. */
  best(terms: readonly SparseTerm[], to: number, filter: number, k: number): Uint32Array;
  /**
   * Rows with one of `terms` whose sum with `lookups` (all of kind words) reaches the threshold. For the rows that only
   * `lookups` have, the caller must know that they cannot.
   */
  candidates(
    terms: readonly SparseTerm[],
    lookups: readonly SparseTerm[],
    range: SparseRange,
  ): SparseCandidates;
}

const termWords = 8;

export function sparseKernel(kernel: SimdKernel): SparseKernel {
  const { exports, arena, thread } = kernel;
  const scratch = scratchOf(arena, thread);
  const { buffer } = arena.memory;
  const words = new Uint32Array(buffer, scratch.query, sparseTermsMax * termWords);
  const floats = new Float32Array(buffer, scratch.query, words.length);
  const list = new Uint32Array(buffer, scratch.list, scoreRowsMax);
  const scores = new Float32Array(buffer, scratch.scores, scoreRowsMax);
  const top = new Uint32Array(buffer, scratch.top, 2 * topKMax);

  function write(terms: readonly SparseTerm[], from: number): void {
    assert(from + terms.length <= sparseTermsMax, `${from + terms.length} terms, most is ${sparseTermsMax}`);
    for (let i = 0; i < terms.length; i += 1) {
      const term = terms[i]!;
      const at = (from + i) * termWords;
      words[at] = term.rows;
      words[at + 1] = term.codes;
      words[at + 2] = term.count;
      words[at + 3] = term.kind === 'list' ? 0 : 1;
      floats[at + 4] = term.base;
      floats[at + 5] = term.scale;
      floats[at + 6] = term.highest;
    }
  }

  return {
    best(terms, to, filter, k) {
      assert(k >= 1 && k <= topKMax, `k ${k} is outside 1..${topKMax}`);
      write(terms, 0);
      const count = exports.sparseBest(terms.length, to, filter, k);
      const rows = new Uint32Array(count);
      for (let i = 0; i < count; i += 1) rows[i] = top[2 * i]!;
      return rows;
    },

    candidates(terms, lookups, { from, to, filter, threshold }) {
      assert(from % sparseBatchRows === 0, `row ${from} does not start a batch`);
      assert(to - from <= scoreRowsMax, `${to - from} rows in one call, most is ${scoreRowsMax}`);
      write(terms, 0);
      write(lookups, terms.length);
      let rest = 0;
      for (const { kind, highest } of lookups) {
        assert(kind === 'words', 'a list cannot be looked up');
        rest += highest;
      }
      const count = exports.sparseCandidates(terms.length, lookups.length, from, to, filter, threshold, rest);
      return { rows: list.subarray(0, count), sums: scores.subarray(0, count) };
    },
  };
}
