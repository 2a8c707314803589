/**
 * What consensus reads from the host's storage. Reads are synchronous: the host keeps the tail of the log in memory.
 * Always: between two calls to the node the answers change only by work the node has handed out in a `Ready` (or by
 * compaction up to what was applied).
 */
import type { ConfState, Entry, HardState, Snapshot } from './message.ts';

/** Why an entry cannot be read: it is behind the snapshot, or was never stored. */
export type Unreadable = 'compacted' | 'unavailable';

export interface Storage {
  /** As persisted; the empty hard state and the empty configuration on a blank disk. Read once, at start. */
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
  /** The newest snapshot, or a word that it is being made and the leader should ask again later. */
  snapshot(): Snapshot | 'temporarily_unavailable';
}
