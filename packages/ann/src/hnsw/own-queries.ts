/**
 * Rows of a finished graph as queries, with what a wide walk says of their nearest: nearly the truth, because a row that is not hidden
 * has links to its neighbours, at a cost that hardly grows with the set. Always: what it misses has to be allowed for by the
 * caller; the answer depends on the rows and the graph only.
 */
import type { RowAccess } from '@quiver/kernel';
import type { VectorIndex } from '../vector-index.ts';

/** A row that is hidden from the walk, as a query, with the score of its k-th nearest. */
export interface OwnQuery {
  readonly row: number;
  readonly query: Float32Array;
  readonly farthest: number;
}

/** Finds 0.995 of the neighbours of rows that are not hidden, and more (docs/recall.md). */
const walkWidth = 64;

/** Without those of which a walk finds fewer than `k` others. */
export function* askByWalk(
  index: VectorIndex,
  access: RowAccess,
  rows: readonly number[],
  k: number,
): Generator<undefined, OwnQuery[], undefined> {
  const asked: OwnQuery[] = [];
  for (const [i, row] of rows.entries()) {
    if (i % 4 === 3) yield;
    const query = access.read(row).slice();
    const found = index.search({
      query,
      k: k + 1,
      ef: Math.max(walkWidth, k + 1),
      visibility: null,
      filter: 0,
      walk: 'plain',
    });
    const others = found.scores.filter((_, at) => found.rows[at] !== row);
    if (others.length >= k) asked.push({ row, query, farthest: others[k - 1]! });
  }
  return asked;
}
