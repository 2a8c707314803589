/**
 * The contract of an index over the dense rows of one vector name. Always: what comes back was visible, passed the
 * filter and has the vector; scores are exact (computed from the stored rows) and as Qdrant reports them.
 */
import type { Found, Visibility } from '@quiver/kernel';

export interface SearchRequest {
  /** Float32Array[dim], normalised when the rows are f32 and the metric is cosine. */
  readonly query: Float32Array;
  /** 1..topKMax */
  readonly k: number;
  /** Beam width; raised to k when smaller. Recall and cost grow with it. Exact indexes ignore it. */
  readonly ef: number;
  /**
   * Candidates whose score is computed again from the stored rows, at least k; undefined = the index's own choice
   * (k and a few). Byte rows need none.
   */
  readonly rescore?: number;
  /** null = every row is visible. */
  readonly visibility: Visibility | null;
  /** Address of the filter's bitset in the index's arena (bit = row), 0 = all pass. */
  readonly filter: number;
  /**
   * How a graph is walked under a filter. `plain` walks every row and keeps what passes: for filters that most rows
   * pass. `filtered` walks only passing rows, over two hops where needed (ACORN): for those that few pass.
   */
  readonly walk: 'plain' | 'filtered';
}

export interface VectorIndex {
  /** Rows the index knows, present or not. */
  readonly count: number;
  /** Nearest first, at most k. The arrays are the caller's own. */
  search(request: SearchRequest): Found;
}
