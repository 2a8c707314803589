/**
 * Operations whose numbers take a thread a good part of a millisecond at each look at them: each step on their way is a task of its
 * own, so that searches come between.
 */
import type { PointBatch } from './operation.ts';

const longValues = 65_536;

/** @param operation - of any kind, its points named or given */
export function isLongOperation(operation: { readonly kind: string; readonly points?: PointBatch }): boolean {
  if (operation.points === undefined) return false;
  let values = 0;
  for (const column of operation.points.vectors.values()) values += column.values.length;
  return values >= longValues;
}
