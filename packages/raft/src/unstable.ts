/**
 * The tail of the log that is not known to be durable yet: new entries, a received snapshot, and which part of them is
 * already being written.
 * Always: entries[i].index = offset + i; offset <= inProgressEnd <= offset + entries.length (entries before
 * inProgressEnd are being written). The offset may lie inside what storage holds: the next write then truncates.
 */
import { broken } from './invariants.ts';
import type { Logger } from './config.ts';
import type { Entry, EntryId, Snapshot } from './message.ts';

export class Unstable {
  snapshot: Snapshot | null = null;
  entries: Entry[] = [];
  offset: number;
  isSnapshotInProgress = false;
  inProgressEnd: number;
  readonly #logger: Logger;

  constructor(offset: number, logger: Logger) {
    this.offset = offset;
    this.inProgressEnd = offset;
    this.#logger = logger;
  }

  /** Known only from a snapshot: what is before the entries is then gone from storage too. */
  firstIndex(): number | undefined {
    return this.snapshot === null ? undefined : this.snapshot.meta.index + 1;
  }

  lastIndex(): number | undefined {
    return this.entries.length > 0 ? this.offset + this.entries.length - 1 : this.snapshot?.meta.index;
  }

  term(index: number): number | undefined {
    if (index >= this.offset) return this.entries[index - this.offset]?.term;
    return this.snapshot?.meta.index === index ? this.snapshot.meta.term : undefined;
  }

  /** Entries nobody writes yet. */
  nextEntries(): Entry[] {
    return this.entries.slice(this.inProgressEnd - this.offset);
  }

  hasNextEntries(): boolean {
    return this.entries.length > this.inProgressEnd - this.offset;
  }

  nextSnapshot(): Snapshot | null {
    return this.isSnapshotInProgress ? null : this.snapshot;
  }

  /** Everything here is now being written. */
  acceptInProgress(): void {
    if (this.entries.length > 0) this.inProgressEnd = this.offset + this.entries.length;
    if (this.snapshot !== null) this.isSnapshotInProgress = true;
  }

  /**
   * Entries up to `id` are durable. REQUIRES: no write under way can replace them (see `ready.ts`).
   * An id that does not match is out of date and ignored: the tail was replaced meanwhile.
   */
  stableTo(id: EntryId): void {
    const term = this.term(id.index);
    if (term === undefined) {
      this.#logger.info(`entry at index ${id.index} missing from unstable log; ignoring`);
    } else if (id.index < this.offset) {
      this.#logger.info(`entry at index ${id.index} matched unstable snapshot; ignoring`);
    } else if (term !== id.term) {
      this.#logger.info(
        `entry at (index,term)=(${id.index},${id.term}) mismatched with entry at (${id.index},${term}) in unstable log; ignoring`,
      );
    } else {
      this.entries = this.entries.slice(id.index + 1 - this.offset);
      this.offset = id.index + 1;
      this.inProgressEnd = Math.max(this.inProgressEnd, this.offset);
    }
  }

  stableSnapshotTo(index: number): void {
    if (this.snapshot?.meta.index !== index) return;
    this.snapshot = null;
    this.isSnapshotInProgress = false;
  }

  restore(snapshot: Snapshot): void {
    this.offset = snapshot.meta.index + 1;
    this.inProgressEnd = this.offset;
    this.entries = [];
    this.snapshot = snapshot;
    this.isSnapshotInProgress = false;
  }

  /** REQUIRES: at least one entry; no gap behind what is here. */
  truncateAndAppend(entries: readonly Entry[]): void {
    const from = entries[0]!.index;
    if (from === this.offset + this.entries.length) {
      for (const entry of entries) this.entries.push(entry);
    } else if (from <= this.offset) {
      this.#logger.info(`replace the unstable entries from index ${from}`);
      this.entries = [...entries];
      this.offset = from;
      this.inProgressEnd = from;
    } else {
      this.#logger.info(`truncate the unstable entries before index ${from}`);
      this.checkBounds(this.offset, from);
      this.entries = [...this.entries.slice(0, from - this.offset), ...entries];
      // What was being written from here on is replaced, and must be written again.
      this.inProgressEnd = Math.min(this.inProgressEnd, from);
    }
  }

  /** Entries lo..hi-1. REQUIRES: all of them are here. */
  slice(lo: number, hi: number): Entry[] {
    this.checkBounds(lo, hi);
    return this.entries.slice(lo - this.offset, hi - this.offset);
  }

  checkBounds(lo: number, hi: number): void {
    if (lo > hi) broken(`invalid unstable.slice ${lo} > ${hi}`);
    const upper = this.offset + this.entries.length;
    if (lo < this.offset || hi > upper)
      broken(`unstable.slice[${lo},${hi}) out of bound [${this.offset},${upper}]`);
  }
}
