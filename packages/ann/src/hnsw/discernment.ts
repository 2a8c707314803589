/**
 * Whether codes of one byte can tell the neighbours of a set apart. In a set of tight groups that lie far from each other
 * the rounding of a code is larger than the distances within a group; a walk by estimates would then wander at random
 * among the group. Always: the answer depends on the rows and the seed only.
 */
import { createTopK, foundIn, type RowAccess, type Rows, type SimdKernel, type TopK } from '@quiver/kernel';

/** Rows that are asked for their neighbours, out of the upper list (an even draw). */
export const askedCount = 16;
const neighbourCount = 10;
/** Estimates may misplace a neighbour by this many places: a walk's beam is wider than its answer. */
const placesMax = 32;
/** Share of the true neighbours that estimates must keep. */
const keptShareMin = 0.97;
const chunkRows = 4096;

export interface DiscernParams {
  readonly rows: Rows;
  readonly count: number;
  readonly present: number;
}

/** A row of the set that is asked for its neighbours, with the true ones (itself among them). */
export interface AskedRow {
  readonly row: number;
  readonly query: Float32Array;
  readonly exact: TopK;
}

/** The exact neighbours of a few rows, by a scan of all. @param asking - rows asked, the first of `upper` */
export function* askExact(
  kernel: SimdKernel,
  { count, present }: DiscernParams,
  access: RowAccess,
  upper: Uint32Array,
  asking: number,
): Generator<undefined, readonly AskedRow[], undefined> {
  const asked = Array.from(upper.subarray(0, asking), (row) => ({
    row,
    query: access.read(row).slice(),
    exact: createTopK(neighbourCount),
  }));
  const step = Math.min(chunkRows, access.windowMax);
  for (let from = 0; from < count; from += step) {
    const to = Math.min(count, from + step);
    for (const { query, exact } of asked) {
      const window = access.window(from, to);
      kernel.scan(window, query, { from, to, visibility: null, filter: 0, present }, exact);
      yield;
    }
  }
  return asked;
}

/**
 * Compares the exact neighbours of a few rows with the nearest by estimate, over all rows.
 * REQUIRES: all rows are encoded; `open` selects the graph in the kernel.
 */
export function* codesDiscern(
  kernel: SimdKernel,
  { rows, count, present }: DiscernParams,
  access: RowAccess,
  asked: readonly AskedRow[],
  open: () => void,
): Generator<undefined, boolean, undefined> {
  let wanted = 0;
  let kept = 0;
  for (const { query, exact } of asked) {
    const near = foundIn(exact, rows.metric);
    const estimated = createTopK(placesMax);
    for (let from = 0; from < count; from += chunkRows) {
      open();
      kernel.setQuery(rows, query);
      kernel.writeTop(estimated);
      const to = Math.min(count, from + chunkRows);
      estimated.count = kernel.exports.estimateTop(placesMax, from, to, present, estimated.count);
      kernel.readTop(estimated);
      yield;
    }
    const found = foundIn(estimated, rows.metric).rows;
    // A group of equal rows has no order to keep: whatever is as near as the last neighbour counts.
    const last = near.scores[near.count - 1];
    const isNear = new Set(near.rows);
    let hits = 0;
    for (const row of found) if (isNear.has(row) || scoreOf(kernel, access, query, row) === last) hits += 1;
    wanted += near.count;
    kept += Math.min(near.count, hits);
  }
  return kept >= keptShareMin * wanted;
}

function scoreOf(kernel: SimdKernel, access: RowAccess, query: Float32Array, row: number): number {
  return kernel.score(access.window(row, row + 1), query, Uint32Array.of(row))[0]!;
}
