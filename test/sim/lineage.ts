/** The simulation's own reading of histories, apart from the code under test. */
import type { HistoryEntry } from '@quiver/replication';

/** The term that ordered `seq`, 0 = none that is known. */
export function termAt(history: readonly HistoryEntry[], seq: number): number {
  return history.findLast(({ startSeq }) => startSeq <= seq)?.term ?? 0;
}
