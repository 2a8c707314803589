/** The exact index: a scan of all rows. The oracle of the graphs, and what small segments use. */
import { createTopK, foundIn, type Kernel, type Rows } from '@quiver/kernel';
import type { VectorIndex } from './vector-index.ts';

export interface FlatParams {
  readonly rows: Rows;
  readonly count: number;
  /** Address of the bitset of rows that have the vector, 0 = all. */
  readonly present: number;
}

/** One uninterrupted scan a search; a caller that must yield scans by chunks itself (`kernel.scan`). */
export function createFlat(kernel: Kernel, { rows, count, present }: FlatParams): VectorIndex {
  return {
    count,
    facts: () => ({ walk: 'codes', hasFallenBack: false, visited: 0, estimated: 0, lookedUp: 0, exact: 0 }),
    search({ query, k, visibility, filter }) {
      const top = createTopK(k);
      kernel.scan(rows, query, { from: 0, to: count, visibility, filter, present }, top);
      return foundIn(top, rows.metric);
    },
  };
}
