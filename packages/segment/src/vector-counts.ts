/** How many vectors of each name the living rows of a segment have. */
import { isPresent, presentCount } from './segment-views.ts';
import type { SegmentReader } from './segment.ts';

interface Counted {
  readonly rows: number;
  readonly dead: number;
  readonly counts: ReadonlyMap<string, number>;
}
/** Asked with every collection info; most segments change seldom. */
const counted = new WeakMap<SegmentReader, Counted>();

/**
 * By name, in the order of the schema. Reads a bit for each row and name, and the deaths of the rows, where there are new ones.
 * @returns rows below `rowCount` that have the vector and no death of any group
 */
export function vectorCounts(reader: SegmentReader): ReadonlyMap<string, number> {
  const [rows, dead] = [reader.rowCount(), reader.deadCount()];
  const known = counted.get(reader);
  if (known?.rows === rows && known.dead === dead) return known.counts;
  const { death, vectors } = reader.views;
  const counts = new Map(vectors.map((view) => [view.schema.name, presentCount(view, rows)]));
  if (dead > 0)
    for (let row = 0; row < rows; row += 1) {
      if (death[row] === 0) continue;
      for (const view of vectors)
        if (isPresent(view, row)) counts.set(view.schema.name, counts.get(view.schema.name)! - 1);
    }
  counted.set(reader, { rows, dead, counts });
  return counts;
}
