/**
 * What consensus reads from the host's storage. Reads are synchronous: the host keeps the tail of the log in memory.
 * Always: between two calls to the node the answers change only by work the node has handed out in a `Ready` (or by
 * compaction up to what was applied).
 */
import type { ConfState, Entry, HardState, Snapshot } from './message.ts';

/** Why an entry cannot be read: it is behind the snapshot, or was never stored. */
export type Unreadable = 'compacted' | 'unavailable';

export interface Storage {
  /**
   * As persisted; the empty hard state and the empty configuration on a blank disk. Read once, at start.
   * REQUIRES: founders have their membership in a snapshot at index 1 or later, or from `RawNode.bootstrap`. A newcomer
   * that could replay the log from its beginning without it would take the first member added for the only one, and lead.
   */
  initialState(): { readonly hardState: HardState; readonly confState: ConfState };
  /**
   * Entries lo..hi-1, in order, within `bytesMax` as encoded, but at least one. The array belongs to the caller, the
   * entries to nobody.
   */
  entries(lo: number, hi: number, bytesMax: number): Entry[] | Unreadable;
  /** Term of an entry in firstIndex()-1 .. lastIndex(): that of the entry before the first is kept for matching. */
  term(index: number): number | Unreadable;
  lastIndex(): number;
  /** First index that `entries` may be asked for. */
  firstIndex(): number;
  /**
   * The newest snapshot, or a word that it is being made and the leader should ask again later.
   * REQUIRES: taken at or behind the last membership change that was applied here. A newcomer ignores a snapshot whose
   * membership it is not in, and an old one would be offered to it for ever.
   */
  snapshot(): Snapshot | 'temporarily_unavailable';
}
