/**
 * Keys of recent operations, so that a repetition is answered and not applied again; every replica keeps the same. Always:
 * bounded by count, and by age against the newest entry (not against a clock: replicas forget alike).
 */
import { termAt } from './history.ts';
import type { HistoryEntry, Operation, OperationEntry } from './state.ts';

export class OperationTable {
  /** Oldest first. */
  readonly #entries = new Map<string, OperationEntry>();
  readonly #max: { readonly entries: number; readonly ageMs: number };
  #newestWallMs = 0;

  constructor(entries: readonly OperationEntry[], max: { entries: number; ageMs: number }) {
    this.#max = max;
    for (const entry of [...entries].sort((a, b) => a.seq - b.seq)) this.#put(entry);
  }

  get size(): number {
    return this.#entries.size;
  }

  find(operationKey: string): OperationEntry | undefined {
    return this.#entries.get(operationKey);
  }

  /** @returns keys that are too old or too many now and go with the next write */
  add(entries: readonly OperationEntry[]): string[] {
    for (const entry of entries) this.#put(entry);
    const forgotten: string[] = [];
    for (const [key, entry] of this.#entries) {
      const isTooOld = this.#newestWallMs - entry.wallMs > this.#max.ageMs;
      if (this.#entries.size <= this.#max.entries && !isTooOld) break;
      this.#entries.delete(key);
      forgotten.push(key);
    }
    return forgotten;
  }

  /** Entries above a seq, ascending. */
  above(seq: number): OperationEntry[] {
    return [...this.#entries.values()].filter((entry) => entry.seq > seq).sort((a, b) => a.seq - b.seq);
  }

  /** Drops what the history does not hold: own operations above a fork. @returns their keys */
  keepOnly(history: readonly HistoryEntry[], lastSeq: number): string[] {
    const forgotten: string[] = [];
    for (const [key, entry] of this.#entries) {
      if (entry.seq <= lastSeq && termAt(history, entry.seq) === entry.term) continue;
      // Below the oldest term that is still known nothing can be said against it.
      if (entry.seq <= lastSeq && termAt(history, entry.seq) === 0) continue;
      this.#entries.delete(key);
      forgotten.push(key);
    }
    return forgotten;
  }

  /**
   * Entries from `startSeq` on become torn and part of `term`, which begins with content up to `lastSeq`: one that speaks of
   * records which had not come yet is of those that had, as of an earlier try of its operation. @returns them
   */
  tearFrom(startSeq: number, lastSeq: number, term: number): OperationEntry[] {
    const torn = this.above(startSeq - 1).map((entry) => {
      const seq = Math.max(startSeq, Math.min(entry.seq, lastSeq));
      return { ...entry, seq, term, isTorn: true };
    });
    for (const entry of torn) this.#put(entry);
    return torn;
  }

  #put(entry: OperationEntry): void {
    this.#entries.delete(entry.operationKey);
    this.#entries.set(entry.operationKey, entry);
    this.#newestWallMs = Math.max(this.#newestWallMs, entry.wallMs);
  }
}

/** What an operation leaves in the table: its own key and those it adopts. */
export function entriesOf(operation: Operation<unknown>): OperationEntry[] {
  const { seq, term, operationKey, wallMs, receipt, adopted } = operation;
  const entries = adopted.map((entry) => ({ ...entry, seq, term }));
  if (operationKey !== null) entries.push({ operationKey, seq, term, wallMs, receipt, isTorn: false });
  return entries;
}
