/**
 * Candidates of a sparse search out of a sealed segment's index. The rows best by the query's weightiest dimensions are
 * scored exactly and give a bound; dimensions that together cannot reach it (MaxScore, Turtle and Flood 1995) are then only
 * looked up for rows that have another one, and of these only the rows that may reach the bound are scored.
 * Always: every row of the exact answer is scored: sums carry the error of the 8-bit weights on both sides.
 */
import { scoreRowsMax, sparseBatchRows, sparseTermsMax, topKMax } from '@quiver/kernel';
import type { SparseKernel, SparseTerm } from '@quiver/kernel';
import type { SparseVector } from '@quiver/model';
import type { BoundedTop } from './bounded-top.ts';
import { isKeptAsWords, type SealedSparseIndex } from './sparse-bytes.ts';
import { kthLargest } from './kth-largest.ts';
import { positionOf } from './sparse-index.ts';
import type { Steps } from './steps.ts';

/** Of f32 sums of a few hundred terms. */
const roundingShare = 1e-4;
/** Postings that are added up between two yields: about 0.3 ms. */
const postingsPerStep = 200_000;
/** Rows scored exactly between two yields. */
const exactPerStep = 2_000;
/** Postings looked at for the first bound, and for each answer wanted. */
const seedPostings = 2_048;
const seedPostingsPerHit = 32;

interface Term extends SparseTerm {
  readonly lowest: number;
  /** Of what a posting adds. */
  readonly error: number;
}

export interface SealedSparseSearch {
  readonly vector: SparseVector;
  readonly k: number;
  /** Copies the filter's words of rows from..to-1 to scratch; returns the bitset's address, 0 = all pass. */
  readonly filterAddress: (from: number, to: number) => number;
  /** Null: every row is visible. */
  readonly isVisible: ((row: number) => boolean) | null;
  /** Null when it has none of the query's dimensions. */
  readonly exactScore: (row: number) => number | null;
}

/** A query of more dimensions is answered without the index. */
export function isSearchable({ indices }: SparseVector): boolean {
  return indices.length <= sparseTermsMax;
}

/** Pushes the rows of the answer, and others, into `top`. */
export function* searchSealed(
  kernel: SparseKernel,
  index: SealedSparseIndex,
  search: SealedSparseSearch,
  top: BoundedTop,
): Steps<void> {
  const terms = termsOf(index, search.vector);
  if (terms.length === 0) return;
  let [size, error] = [0, 0];
  for (const { highest, lowest, error: own } of terms) {
    const most = Math.max(highest, -lowest);
    size += most;
    error += own + roundingShare * most;
  }
  const isFinite = Number.isFinite(Math.fround(size + error));
  const seen = new Set<number>();
  if (isFinite && top.worst === -Infinity) yield* scoreSeeds(kernel, index, search, terms, seen, top);
  for (let from = 0; from < index.rowCount;) {
    const bound = top.worst - error;
    const { added, lookups } = split(terms, isFinite ? bound : -Infinity);
    const to = Math.min(index.rowCount, from + rowsOfStep(added, index.rowCount, bound));
    const range = {
      from,
      to,
      filter: search.filterAddress(from, to),
      threshold: isFinite ? bound : -Infinity,
    };
    const found = kernel.candidates(added, lookups, range);
    const candidates = { rows: found.rows.slice(), sums: found.sums.slice() };
    yield* scoreCandidates(candidates, isFinite ? error : Infinity, search, seen, top);
    from = to;
    yield;
  }
}

/** The query's dimensions that the index has, those that can add most first. */
function termsOf(index: SealedSparseIndex, { indices, values }: SparseVector): Term[] {
  const terms: Term[] = [];
  for (let i = 0; i < indices.length; i += 1) {
    const at = positionOf(index.dimensions, indices[i]!);
    if (at === -1) continue;
    const weight = values[i]!;
    const base = weight * index.least[at]!;
    const scale = weight * index.step[at]!;
    const end = base + 255 * scale;
    const count = index.starts[at + 1]! - index.starts[at]!;
    terms.push({
      kind: isKeptAsWords(count, index.rowCount) ? 'words' : 'list',
      rows: index.rowsAddress(at),
      codes: index.codesAddress(at),
      count,
      base,
      scale,
      error: Math.abs(scale) / 2,
      highest: Math.max(0, base, end),
      lowest: Math.min(0, base, end),
    });
  }
  return terms.sort((a, b) => b.highest - a.highest);
}

/** Scores the rows that are best by the first terms. */
function* scoreSeeds(
  kernel: SparseKernel,
  index: SealedSparseIndex,
  search: SealedSparseSearch,
  terms: readonly Term[],
  seen: Set<number>,
  top: BoundedTop,
): Steps<void> {
  const { k } = search;
  const room = seedPostings + seedPostingsPerHit * k;
  let [count, postings] = [0, 0];
  while (count < terms.length && (count === 0 || postings + terms[count]!.count <= room)) {
    postings += terms[count]!.count;
    count += 1;
  }
  // Some more than are wanted: their order by a part of the terms is not that of the answer.
  const wanted = Math.min(topKMax, 2 * k + 8);
  const filter = search.filterAddress(0, index.rowCount);
  for (const row of kernel.best(terms.slice(0, count), index.rowCount, filter, wanted)) {
    if (search.isVisible !== null && !search.isVisible(row)) continue;
    seen.add(row);
    const score = search.exactScore(row);
    if (score !== null) top.push(row, score);
    if (seen.size % exactPerStep === 0) yield;
  }
}

/** Terms of words that rows below the bound may do without are looked up; the most postings for the least weight first. */
function split(terms: readonly Term[], bound: number): { added: Term[]; lookups: Term[] } {
  const skippable = terms
    .filter(({ kind }) => kind === 'words')
    .sort((a, b) => b.count * a.highest - a.count * b.highest);
  const lookups = new Set<Term>();
  let rest = 0;
  for (const term of skippable) {
    if (!(rest + term.highest < bound)) continue;
    rest += term.highest;
    lookups.add(term);
  }
  return {
    added: terms.filter((term) => !lookups.has(term)),
    lookups: terms.filter((term) => lookups.has(term)),
  };
}

/** A multiple of a batch; one batch while there is no bound. */
function rowsOfStep(added: readonly Term[], rowCount: number, bound: number): number {
  if (bound === -Infinity) return sparseBatchRows;
  const postings = added.reduce((sum, { count }) => sum + count, 0);
  const rows = Math.min(scoreRowsMax, (rowCount * postingsPerStep) / Math.max(1, postings));
  return Math.max(1, Math.floor(rows / sparseBatchRows)) * sparseBatchRows;
}

function* scoreCandidates(
  { rows, sums }: { readonly rows: Uint32Array; readonly sums: Float32Array },
  error: number,
  { k, isVisible, exactScore }: SealedSparseSearch,
  seen: ReadonlySet<number>,
  top: BoundedTop,
): Steps<void> {
  let scored = 0;
  // The best by their sums first: they set a bound that few others pass.
  const first = rows.length > 4 * k && Number.isFinite(error) ? kthLargest(sums, sums.length, k) : null;
  function* scorePart(isBest: boolean): Steps<void> {
    for (let i = 0; i < rows.length; i += 1) {
      const sum = sums[i]!;
      if (sum + error < top.worst || (first !== null && sum >= first !== isBest)) continue;
      const row = rows[i]!;
      if (seen.has(row) || (isVisible !== null && !isVisible(row))) continue;
      const score = exactScore(row);
      if (score !== null) top.push(row, score);
      scored += 1;
      if (scored % exactPerStep === 0) yield;
    }
  }
  yield* scorePart(true);
  if (first !== null) yield* scorePart(false);
}
