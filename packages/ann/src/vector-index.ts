/**
 * The contract of an index over the dense rows of one vector name. Always: what comes back was visible, passed the
 * filter and has the vector; scores are as Qdrant reports them, and exact (computed from the stored rows) unless the
 * request asks for those of the codes.
 */
import type { Found, Visibility } from '@quiver/kernel';

export interface SearchRequest {
  /** Float32Array[dim], normalised when the rows are f32 and the metric is cosine. */
  readonly query: Float32Array;
  /** 1..topKMax */
  readonly k: number;
  /**
   * Beam width, in places of a walk by int8 codes: walks by coarser codes have several for one, and at least k. Recall and
   * cost grow with it. Exact indexes ignore it.
   */
  readonly ef: number;
  /**
   * Candidates whose score is computed again from the stored rows, at least k; undefined = the index's own choice
   * (k and a few). Byte rows need none. 0 = none: the scores are what the codes say.
   */
  readonly rescore?: number;
  /** The walk reads the stored rows instead of codes. */
  readonly ignoresCodes?: boolean;
  /** A row that a graph is searched without; REQUIRES: in no layer above 0 and without equals. */
  readonly hiddenRow?: number;
  /** null = every row is visible. */
  readonly visibility: Visibility | null;
  /** Address of the filter's bitset in the index's arena (bit = row), 0 = all pass. */
  readonly filter: number;
  readonly walk: Walk;
  /**
   * What to do instead when a `plain` walk meets so few passing rows that it would expand more than `expansionsMax` (1 or
   * more) of them; null = it goes on whatever it costs. Only with a filter.
   */
  readonly fallback?: { readonly walk: Exclude<Walk, 'plain'>; readonly expansionsMax: number } | null;
  /** What a `linked` walk walks; it scans by codes when it would expand more than `expansionsMax` rows. */
  readonly links?: LinkedBlocks | null;
}

/** Neighbouring blocks of one field that has payload links. */
export interface LinkedBlocks {
  /** Index of the field, and of the first block in it. */
  readonly field: number;
  readonly from: number;
  readonly count: number;
  readonly expansionsMax: number;
}

/**
 * How a graph answers. `plain` walks every row and keeps what passes: for filters that enough rows pass around the query.
 * `filtered` walks only passing rows, over two hops where needed (ACORN): for those that few pass. `codes` walks nothing
 * and scores all passing rows by their codes first; REQUIRES a filter whose rows all have the vector. `linked` walks links
 * within blocks of rows; REQUIRES a filter whose rows are all in the blocks of `links`.
 */
export type Walk = 'plain' | 'filtered' | 'codes' | 'linked';

/** What the last search of an index did. */
export interface SearchFacts {
  /** As done: a walk that gave up shows what was done instead. */
  readonly walk: Walk;
  readonly hasFallenBack: boolean;
  /** Nodes whose links were looked at. */
  readonly visited: number;
  /** Distances estimated from a row's codes, and from neighbour codes. */
  readonly estimated: number;
  readonly lookedUp: number;
  /** Distances computed from the stored rows. */
  readonly exact: number;
}

export interface VectorIndex {
  /** Rows the index knows, present or not. */
  readonly count: number;
  /** Nearest first, at most k. The arrays are the caller's own. */
  search(request: SearchRequest): Found;
  /** Of the last search of this index's thread. Before any, all zero. */
  facts(): SearchFacts;
}
