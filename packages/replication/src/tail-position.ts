/** Where the order of a replica ends, and which of two ends is further. Pure. (Positions are compared as Raft compares logs, §5.4.1.) */
import { termAt } from './history.ts';
import type { HistoryEntry, ReplicaState } from './state.ts';

/** What is surely there: the newest operation, all before it too, and the newest term that began there with or without one. */
export interface TailPosition {
  readonly lastTerm: number;
  readonly lastSeq: number;
}

export function tailOf(
  { mode, lastSeq, cleanSeq }: Pick<ReplicaState<unknown>, 'mode' | 'lastSeq' | 'cleanSeq'>,
  history: readonly HistoryEntry[],
): TailPosition {
  if (mode === 'clean') return { lastTerm: history.at(-1)?.term ?? 0, lastSeq };
  return { lastTerm: termAt(history, cleanSeq), lastSeq: cleanSeq };
}

export function isAhead(one: TailPosition, other: TailPosition): boolean {
  return one.lastTerm === other.lastTerm ? one.lastSeq > other.lastSeq : one.lastTerm > other.lastTerm;
}
