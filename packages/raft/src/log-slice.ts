/**
 * A run of entries as a leader sends it: behind `previous`, in its log at `term`.
 * Always (when well-formed): indexes follow each other from `previous` on; terms never fall, and none is above `term`.
 * Two well-formed slices of one term never disagree.
 */
import type { Entry, EntryId } from './message.ts';

export function isLogSlice(term: number, previous: EntryId, entries: readonly Entry[]): boolean {
  let { index, term: last } = previous;
  for (const entry of entries) {
    if (entry.index !== index + 1 || entry.term < last) return false;
    ({ index, term: last } = entry);
  }
  return last <= term;
}
