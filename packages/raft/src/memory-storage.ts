/**
 * Storage in an array: for tests, and the in-memory tail a host puts in front of its disk.
 * Always: stored[0] is a stand-in for the last compacted entry; stored[i].index === stored[0].index + i.
 */
import { limitBytes } from './entry-size.ts';
import { RaftError } from './error.ts';
import { assert } from './invariants.ts';
import {
  emptyHardState,
  emptySnapshot,
  noBytes,
  type ConfState,
  type Entry,
  type HardState,
  type Snapshot,
} from './message.ts';
import type { Storage, Unreadable } from './storage.ts';

export class MemoryStorage implements Storage {
  #hardState: HardState = emptyHardState;
  #snapshot: Snapshot = emptySnapshot;
  #stored: Entry[] = [standIn(0, 0)];

  initialState(): { hardState: HardState; confState: ConfState } {
    return { hardState: this.#hardState, confState: this.#snapshot.meta.confState };
  }

  setHardState(state: HardState): void {
    this.#hardState = state;
  }

  entries(lo: number, hi: number, bytesMax: number): Entry[] | Unreadable {
    const offset = this.#stored[0]!.index;
    if (lo <= offset) return 'compacted';
    const last = this.lastIndex();
    assert(hi <= last + 1, `entries up to ${hi - 1} asked, the last is ${last}`);
    if (this.#stored.length === 1) return 'unavailable';
    return limitBytes(this.#stored, lo - offset, hi - offset, bytesMax);
  }

  term(index: number): number | Unreadable {
    const at = index - this.#stored[0]!.index;
    if (at < 0) return 'compacted';
    return this.#stored[at]?.term ?? 'unavailable';
  }

  lastIndex(): number {
    return this.#stored[0]!.index + this.#stored.length - 1;
  }

  firstIndex(): number {
    return this.#stored[0]!.index + 1;
  }

  snapshot(): Snapshot {
    return this.#snapshot;
  }

  /**
   * Replaces everything by a received snapshot.
   * @throws {RaftError} snapshot_out_of_date
   */
  applySnapshot(snapshot: Snapshot): void {
    const { index, term } = snapshot.meta;
    // A bootstrap sets only the membership, at index 0: that may be done over itself.
    if (this.#snapshot.meta.index !== 0 && this.#snapshot.meta.index >= index)
      throw new RaftError('snapshot_out_of_date', 'requested index is older than the existing snapshot');
    this.#snapshot = snapshot;
    this.#stored = [standIn(term, index)];
  }

  /**
   * Records the state after entry `index`.
   * @param confState - the membership then; null when it has not changed since the last snapshot
   * @throws {RaftError} snapshot_out_of_date
   */
  createSnapshot(index: number, confState: ConfState | null, data: Uint8Array): Snapshot {
    if (index <= this.#snapshot.meta.index)
      throw new RaftError('snapshot_out_of_date', 'requested index is older than the existing snapshot');
    assert(index <= this.lastIndex(), `snapshot at ${index}, the last entry is ${this.lastIndex()}`);
    const { term } = this.#stored[index - this.#stored[0]!.index]!;
    this.#snapshot = {
      meta: { index, term, confState: confState ?? this.#snapshot.meta.confState },
      data,
    };
    return this.#snapshot;
  }

  /**
   * Drops the entries up to and with `index`. The host compacts nothing it has not applied.
   * @throws {RaftError} compacted
   */
  compact(index: number): void {
    const offset = this.#stored[0]!.index;
    if (index <= offset) throw new RaftError('compacted', 'requested index is unavailable due to compaction');
    assert(index <= this.lastIndex(), `compact to ${index}, the last entry is ${this.lastIndex()}`);
    const at = index - offset;
    this.#stored = [standIn(this.#stored[at]!.term, index), ...this.#stored.slice(at + 1)];
  }

  /** Adds entries, replacing the stored ones from the first index on. REQUIRES: entries follow each other. */
  append(entries: readonly Entry[]): void {
    const first = this.firstIndex();
    const kept = entries.filter((entry) => entry.index >= first);
    if (kept.length === 0) return;
    const at = kept[0]!.index - this.#stored[0]!.index;
    assert(
      at <= this.#stored.length,
      `missing log entry: the last is ${this.lastIndex()}, appended at ${kept[0]!.index}`,
    );
    this.#stored.length = at;
    for (const entry of kept) this.#stored.push(entry);
  }
}

function standIn(term: number, index: number): Entry {
  return { term, index, type: 'EntryNormal', data: noBytes };
}
