/**
 * The newest operations of a primary, kept for its followers. Always: dense in seq; running byte sums, so that the bytes
 * between two seqs cost two look-ups.
 */
import { assert } from '@quiver/model';
import type { Operation } from './state.ts';

interface Entry<Change> {
  readonly operation: Operation<Change>;
  /** Of all operations ever pushed, this one included. */
  readonly endBytes: number;
}

export class OperationLog<Change> {
  #entries: Entry<Change>[] = [];
  /** Entries before this index are gone; the array is cut when they are the half of it. */
  #from = 0;
  #firstSeq: number;
  #startBytes = 0;
  #endBytes = 0;

  /** @param lastSeq - newest seq before the log */
  constructor(lastSeq: number) {
    this.#firstSeq = lastSeq + 1;
  }

  /** Lowest seq that is here. */
  get firstSeq(): number {
    return this.#firstSeq;
  }

  get lastSeq(): number {
    return this.#firstSeq + (this.#entries.length - this.#from) - 1;
  }

  get bytes(): number {
    return this.#endBytes - this.#startBytes;
  }

  push(operation: Operation<Change>, bytes: number): void {
    assert(operation.seq === this.lastSeq + 1, `operation ${operation.seq} follows ${this.lastSeq}`);
    this.#endBytes += bytes;
    this.#entries.push({ operation, endBytes: this.#endBytes });
  }

  /** REQUIRES: firstSeq <= seq <= lastSeq */
  at(seq: number): Operation<Change> {
    return this.#entry(seq).operation;
  }

  /** Bytes of the operations in (afterSeq, upToSeq]; what is gone counts nothing. */
  bytesBetween(afterSeq: number, upToSeq: number): number {
    return Math.max(0, this.#bytesTo(upToSeq) - this.#bytesTo(afterSeq));
  }

  trimTo(seq: number): void {
    const count = Math.min(seq, this.lastSeq) - this.#firstSeq + 1;
    if (count <= 0) return;
    this.#startBytes = this.#bytesTo(this.#firstSeq + count - 1);
    this.#from += count;
    this.#firstSeq += count;
    if (this.#from * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#from);
    this.#from = 0;
  }

  #bytesTo(seq: number): number {
    const known = Math.min(seq, this.lastSeq);
    return known < this.#firstSeq ? this.#startBytes : this.#entry(known).endBytes;
  }

  #entry(seq: number): Entry<Change> {
    const entry = this.#entries[this.#from + seq - this.#firstSeq];
    assert(entry !== undefined, `seq ${seq} is not in the log ${this.#firstSeq}..${this.lastSeq}`);
    return entry;
  }
}
