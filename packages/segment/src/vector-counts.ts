/** How many vectors of each name the living rows of a segment have. */
import { bitCount } from './bitset.ts';
import type { SegmentReader } from './segment.ts';

/**
 * By name, in the order of the schema. Reads a bit for each row and name, and where rows are dead their deaths.
 * @returns rows below `rowCount` that have the vector and no death of any group
 */
export function vectorCounts(reader: SegmentReader): Map<string, number> {
  const rows = reader.rowCount();
  const hasDead = reader.deadCount() > 0;
  const { death, vectors } = reader.views;
  const counts = new Map<string, number>();
  for (const { schema, present } of vectors) {
    let count = 0;
    for (let word = 0; word < rows >>> 5; word += 1) count += bitCount(present[word]!);
    // Above the published rows the writer may be at work.
    if ((rows & 31) !== 0) count += bitCount(present[rows >>> 5]! & ((1 << (rows & 31)) - 1));
    if (hasDead)
      for (let row = 0; row < rows; row += 1)
        if (death[row] !== 0 && ((present[row >>> 5]! >>> (row & 31)) & 1) !== 0) count -= 1;
    counts.set(schema.name, count);
  }
  return counts;
}
