/**
 * Histories of terms, and where two of them part (the rule of Kafka's KIP-101 and KIP-279). Always: entries ascend in
 * term and never descend in start; an entry whose successor starts at the same seq owns no operation.
 */
import { assert } from '@quiver/model';
import type { HistoryEntry } from './state.ts';

/** Last seq of the entry at `index` in a history whose newest operation is `lastSeq`. */
function endOf(history: readonly HistoryEntry[], index: number, lastSeq: number): number {
  const next = history[index + 1];
  return next === undefined ? lastSeq : Math.min(lastSeq, next.startSeq - 1);
}

/**
 * The greatest seq up to which both copies hold the same operations: the end, here or there, of the newest term both
 * know; 0 when they share none.
 */
export function forkSeq(
  mine: readonly HistoryEntry[],
  mySeq: number,
  theirs: readonly HistoryEntry[],
  theirSeq: number,
): number {
  for (let index = mine.length - 1; index >= 0; index -= 1) {
    const { term } = mine[index]!;
    const other = theirs.findIndex((entry) => entry.term === term);
    if (other < 0) continue;
    return Math.min(endOf(mine, index, mySeq), endOf(theirs, other, theirSeq));
  }
  return 0;
}

/** The history of the operations up to `seq`. */
export function historyUpTo(history: readonly HistoryEntry[], seq: number): HistoryEntry[] {
  return history.filter(({ startSeq }) => startSeq <= seq);
}

/** History with a new term that begins at `startSeq`; the oldest entries go when there are too many. */
export function historyWith(
  history: readonly HistoryEntry[],
  entry: HistoryEntry,
  max: number,
): HistoryEntry[] {
  const kept = history.filter(({ startSeq }) => startSeq < entry.startSeq);
  const newest = kept.at(-1);
  assert(newest === undefined || newest.term < entry.term, `term ${entry.term} follows ${newest?.term ?? 0}`);
  return [...kept, entry].slice(-max);
}

/** The term that ordered `seq`; 0 when that is not known. */
export function termAt(history: readonly HistoryEntry[], seq: number): number {
  let term = 0;
  for (const entry of history) {
    if (entry.startSeq > seq) break;
    term = entry.term;
  }
  return term;
}
