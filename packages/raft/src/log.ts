/**
 * The log as one sequence: what storage holds, continued by what is not durable yet.
 * Always: applied <= applying <= committed <= lastIndex (a snapshot being restored raises committed first); a committed
 * index never falls and a committed entry never changes.
 */
import type { Logger } from './config.ts';
import { entriesBytes, limitBytes } from './entry-size.ts';
import { broken } from './invariants.ts';
import { noLimit, type Entry, type EntryId, type Snapshot } from './message.ts';
import type { Storage, Unreadable } from './storage.ts';
import { Unstable } from './unstable.ts';

export class RaftLog {
  readonly storage: Storage;
  readonly unstable: Unstable;
  /** Highest index known to be durable on a quorum. */
  committed: number;
  /** Highest index handed out for application. */
  applying: number;
  /** Highest index reported as applied. */
  applied: number;
  readonly applyingBytesMax: number;
  /** Encoded bytes handed out and not yet reported as applied. */
  applyingBytes = 0;
  isApplyingPaused = false;
  readonly #logger: Logger;

  /** Recovers to the last snapshot: that much is known to be committed and applied. */
  constructor(storage: Storage, logger: Logger, applyingBytesMax: number = noLimit) {
    const offset = storage.lastIndex() + 1;
    this.storage = storage;
    this.unstable = new Unstable(offset, logger);
    this.committed = storage.firstIndex() - 1;
    this.applying = this.committed;
    this.applied = this.committed;
    this.applyingBytesMax = applyingBytesMax;
    this.#logger = logger;
  }

  describe(): string {
    const { offset, inProgressEnd, entries } = this.unstable;
    return `committed=${this.committed}, applied=${this.applied}, applying=${this.applying}, unstable.offset=${offset}, unstable.offsetInProgress=${inProgressEnd}, len(unstable.Entries)=${entries.length}`;
  }

  firstIndex(): number {
    return this.unstable.firstIndex() ?? this.storage.firstIndex();
  }

  lastIndex(): number {
    return this.unstable.lastIndex() ?? this.storage.lastIndex();
  }

  lastEntryId(): EntryId {
    const index = this.lastIndex();
    const term = this.term(index);
    if (typeof term !== 'number') broken(`term of the last entry ${index} is ${term}`);
    return { term, index };
  }

  term(index: number): number | Unreadable {
    // Unstable first: the common case, and without a call to storage.
    const term = this.unstable.term(index);
    if (term !== undefined) return term;
    if (index + 1 < this.firstIndex()) return 'compacted';
    if (index > this.lastIndex()) return 'unavailable';
    return this.storage.term(index);
  }

  /** 0 where it cannot be known; no entry has term 0. */
  termOrZero(index: number): number {
    const term = this.term(index);
    return typeof term === 'number' ? term : 0;
  }

  matches(id: EntryId): boolean {
    return this.term(id.index) === id.term;
  }

  /** Whether a log that ends in `theirs` may lead one that ends as ours (Raft paper, 5.4.1). */
  isUpToDate(theirs: EntryId): boolean {
    const ours = this.lastEntryId();
    return theirs.term > ours.term || (theirs.term === ours.term && theirs.index >= ours.index);
  }

  /**
   * Appends what a leader sent, where it fits.
   * @returns the last index now known to equal the leader's, or null when the entry before does not match
   */
  maybeAppend(previous: EntryId, entries: readonly Entry[], leaderCommit: number): number | null {
    if (!this.matches(previous)) return null;
    const lastNew = previous.index + entries.length;
    const conflict = this.findConflict(entries);
    if (conflict !== 0) {
      if (conflict <= this.committed)
        broken(`entry ${conflict} conflict with committed entry [committed(${this.committed})]`);
      const at = conflict - (previous.index + 1);
      if (at > entries.length) broken(`index ${at} is out of range [${entries.length}]`);
      this.append(at === 0 ? entries : entries.slice(at));
    }
    this.commitTo(Math.min(leaderCommit, lastNew));
    return lastNew;
  }

  /** @returns the last index */
  append(entries: readonly Entry[]): number {
    if (entries.length > 0) {
      const after = entries[0]!.index - 1;
      if (after < this.committed) broken(`after(${after}) is out of range [committed(${this.committed})]`);
      this.unstable.truncateAndAppend(entries);
    }
    return this.lastIndex();
  }

  /** First index at which the entries differ from ours or go beyond it; 0 when we have them all. */
  findConflict(entries: readonly Entry[]): number {
    for (const entry of entries) {
      if (this.matches(entry)) continue;
      if (entry.index <= this.lastIndex())
        this.#logger.info(
          `found conflict at index ${entry.index} [existing term: ${this.termOrZero(entry.index)}, conflicting term: ${entry.term}]`,
        );
      return entry.index;
    }
    return 0;
  }

  /**
   * The highest index <= `index` where another log, known to have `term` at `index`, may still agree with ours: all
   * between have a higher term here, and terms never fall along a log. Term 0 in the answer: not known here.
   */
  findConflictByTerm(index: number, term: number): EntryId {
    for (let at = index; at > 0; at -= 1) {
      const ours = this.term(at);
      if (typeof ours !== 'number') return { index: at, term: 0 };
      if (ours <= term) return { index: at, term: ours };
    }
    return { index: 0, term: 0 };
  }

  /**
   * Committed entries to apply now, within the byte limit.
   * @param allowUnstable - hand out entries before they are durable here; the caller then makes them durable first
   */
  nextCommitted(allowUnstable: boolean): Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return [];
    const room = this.applyingBytesMax - this.applyingBytes;
    if (room <= 0)
      broken(`applying entry size (${this.applyingBytesMax}-${this.applyingBytes})=${room} not positive`);
    const entries = this.slice(this.applying + 1, this.maxAppliable(allowUnstable) + 1, room);
    if (!Array.isArray(entries)) broken(`committed entries from ${this.applying + 1} on are ${entries}`);
    return entries;
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    // Behind a snapshot nothing is applied until it is: else the order of the two would be open.
    if (this.isApplyingPaused || this.hasSnapshot()) return false;
    return this.applying < this.maxAppliable(allowUnstable);
  }

  maxAppliable(allowUnstable: boolean): number {
    return allowUnstable ? this.committed : Math.min(this.committed, this.unstable.offset - 1);
  }

  /** A received snapshot is waiting or being written. */
  hasSnapshot(): boolean {
    return this.unstable.snapshot !== null;
  }

  snapshot(): Snapshot | 'temporarily_unavailable' {
    return this.unstable.snapshot ?? this.storage.snapshot();
  }

  commitTo(index: number): void {
    if (index <= this.committed) return;
    if (index > this.lastIndex())
      broken(
        `tocommit(${index}) is out of range [lastIndex(${this.lastIndex()})]. Was the raft log corrupted, truncated, or lost?`,
      );
    this.committed = index;
  }

  /** Commits up to `at` when our entry there is of that term. @returns whether the commit index rose */
  maybeCommit(at: EntryId): boolean {
    if (at.term === 0 || at.index <= this.committed || !this.matches(at)) return false;
    this.commitTo(at.index);
    return true;
  }

  acceptApplying(index: number, bytes: number, allowUnstable: boolean): void {
    if (index > this.committed)
      broken(
        `applying(${index}) is out of range [prevApplying(${this.applying}), committed(${this.committed})]`,
      );
    this.applying = index;
    this.applyingBytes += bytes;
    // Full, or so near that the next entry did not fit: wait until some are applied.
    this.isApplyingPaused =
      this.applyingBytes >= this.applyingBytesMax || index < this.maxAppliable(allowUnstable);
  }

  appliedTo(index: number, bytes: number): void {
    if (index > this.committed || index < this.applied)
      broken(
        `applied(${index}) is out of range [prevApplied(${this.applied}), committed(${this.committed})]`,
      );
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    this.applyingBytes = Math.max(this.applyingBytes - bytes, 0);
    this.isApplyingPaused = this.applyingBytes >= this.applyingBytesMax;
  }

  restore(snapshot: Snapshot): void {
    const { index, term } = snapshot.meta;
    this.#logger.info(`log [${this.describe()}] starts to restore snapshot [index: ${index}, term: ${term}]`);
    this.committed = index;
    this.unstable.restore(snapshot);
  }

  /** Entries from `index` on, within `bytesMax`. */
  entriesFrom(index: number, bytesMax: number): Entry[] | Unreadable {
    const last = this.lastIndex();
    return index > last ? [] : this.slice(index, last + 1, bytesMax);
  }

  /**
   * Visits entries lo..hi-1 in pages of about `pageBytes`, until `visit` returns true. REQUIRES: they exist.
   * @returns whether a visit ended it
   */
  scan(
    lo: number,
    hi: number,
    pageBytes: number,
    visit: (page: readonly Entry[]) => boolean,
  ): boolean | Unreadable {
    for (let from = lo; from < hi;) {
      const page = this.slice(from, hi, pageBytes);
      if (!Array.isArray(page)) return page;
      if (page.length === 0) broken(`got 0 entries in [${from}, ${hi})`);
      if (visit(page)) return true;
      from += page.length;
    }
    return false;
  }

  /** Entries lo..hi-1 within `bytesMax`, at least one. REQUIRES: hi <= lastIndex + 1. */
  slice(lo: number, hi: number, bytesMax: number): Entry[] | Unreadable {
    if (lo > hi) broken(`invalid slice ${lo} > ${hi}`);
    if (lo < this.firstIndex()) return 'compacted';
    if (hi > this.lastIndex() + 1)
      broken(`slice[${lo},${hi}) out of bound [${this.firstIndex()},${this.lastIndex()}]`);
    if (lo === hi) return [];
    const { offset, entries } = this.unstable;
    if (lo >= offset) return limitBytes(entries, lo - offset, hi - offset, bytesMax);

    const cut = Math.min(hi, offset);
    const stored = this.storage.entries(lo, cut, bytesMax);
    if (stored === 'unavailable') broken(`entries[${lo}:${cut}) is unavailable from storage`);
    // Shorter than asked: the limit was reached in storage already.
    if (stored === 'compacted' || hi <= offset || stored.length < cut - lo) return stored;
    const bytes = entriesBytes(stored);
    if (bytes >= bytesMax) return stored;
    const further = limitBytes(entries, 0, hi - offset, bytesMax - bytes);
    // A single entry is returned whatever its size: here it need not be, there is one already.
    if (further.length === 1 && bytes + entriesBytes(further) > bytesMax) return stored;
    for (const entry of further) stored.push(entry);
    return stored;
  }
}
