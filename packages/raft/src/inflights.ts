/**
 * The window of appends sent and not yet acknowledged, limited by count and by bytes.
 * Always: indexes rise from the oldest to the newest; `bytes` is the sum over the window; the ring never exceeds
 * `countMax` slots and grows on demand, because most followers keep only a few appends in flight.
 */
import { broken } from './invariants.ts';

export class Inflights {
  readonly countMax: number;
  /** Soft: the message that crosses it is still sent. 0 for no limit. */
  readonly bytesMax: number;
  #start = 0;
  #count = 0;
  #bytes = 0;
  #indexes: number[] = [];
  #sizes: number[] = [];

  constructor(countMax: number, bytesMax: number) {
    this.countMax = countMax;
    this.bytesMax = bytesMax;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  isFull(): boolean {
    return this.#count === this.countMax || (this.bytesMax !== 0 && this.#bytes >= this.bytesMax);
  }

  /**
   * Records a message that was sent.
   * @param index - its last entry; above all recorded before
   * @param bytes - payload of its entries
   */
  add(index: number, bytes: number): void {
    if (this.isFull()) broken(`append sent into a full window of ${this.#count} messages`);
    let at = this.#start + this.#count;
    if (at >= this.countMax) at -= this.countMax;
    // Slots are taken in order until the ring has its full size, so `at` is at most one past the end.
    this.#indexes[at] = index;
    this.#sizes[at] = bytes;
    this.#count += 1;
    this.#bytes += bytes;
  }

  /** Frees the messages whose last entry is at or below `index`. */
  freeTo(index: number): void {
    while (this.#count > 0 && this.#indexes[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!;
      this.#count -= 1;
      this.#start += 1;
      if (this.#start >= this.countMax) this.#start = 0;
    }
    if (this.#count === 0) this.#start = 0;
  }

  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  /** Oldest first. */
  window(): { index: number; bytes: number }[] {
    return Array.from({ length: this.#count }, (_, i) => {
      const at = (this.#start + i) % this.countMax;
      return { index: this.#indexes[at]!, bytes: this.#sizes[at]! };
    });
  }

  clone(): Inflights {
    const copy = new Inflights(this.countMax, this.bytesMax);
    for (const { index, bytes } of this.window()) copy.add(index, bytes);
    return copy;
  }
}
