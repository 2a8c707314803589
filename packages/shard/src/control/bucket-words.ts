/**
 * Two words for each of some buckets, changed by XOR: a table of those that ever were not zero while these are few, so that a
 * small collection does not pay for all of them, then all. Always: whatever the form, a bucket that is not in it is zero.
 *
 * Table: open addressing, linear probing; slots of three words, bucket + 1 (0: free), low, high; at most three quarters full.
 */
const slotsFirst = 16;
const fillMax = 0.75;

export class BucketWords {
  readonly #buckets: number;
  /** Slots, or low and high of every bucket. */
  #words = new Uint32Array(3 * slotsFirst);
  #isWhole = false;
  #used = 0;

  /** @param buckets - how many there are */
  constructor(buckets: number) {
    this.#buckets = buckets;
  }

  /** @param bucket - 0..buckets-1 */
  toggle(bucket: number, low: number, high: number): void {
    if (low === 0 && high === 0) return;
    const at = this.#isWhole ? 2 * bucket : this.#enter(bucket);
    this.#words[at]! ^= low;
    this.#words[at + 1]! ^= high;
  }

  /** A copy: low and high of every bucket. */
  all(): Uint32Array {
    const words = new Uint32Array(2 * this.#buckets);
    this.each((bucket, low, high) => {
      words[2 * bucket] = low;
      words[2 * bucket + 1] = high;
    });
    return words;
  }

  /** Every bucket that is not zero, in any order; perhaps some that are. */
  each(use: (bucket: number, low: number, high: number) => void): void {
    const words = this.#words;
    if (this.#isWhole)
      for (let bucket = 0; bucket < this.#buckets; bucket += 1)
        use(bucket, words[2 * bucket]!, words[2 * bucket + 1]!);
    else
      for (let at = 0; at < words.length; at += 3)
        if (words[at] !== 0) use(words[at]! - 1, words[at + 1]!, words[at + 2]!);
  }

  /** Where the words of a bucket are. */
  #enter(bucket: number): number {
    const at = this.#find(bucket);
    if (this.#words[at] !== 0) return at + 1;
    const slots = this.#words.length / 3;
    if (this.#used + 1 > fillMax * slots) {
      this.#grow(2 * slots);
      return this.#isWhole ? 2 * bucket : this.#enter(bucket);
    }
    this.#words[at] = bucket + 1;
    this.#used += 1;
    return at + 1;
  }

  /** The slot of a bucket, or the free one where it would go. */
  #find(bucket: number): number {
    const mask = this.#words.length / 3 - 1;
    let slot = Math.imul(bucket, 0x9e3779b1) >>> 16;
    for (;;) {
      slot &= mask;
      const entry = this.#words[3 * slot];
      if (entry === 0 || entry === bucket + 1) return 3 * slot;
      slot += 1;
    }
  }

  #grow(slots: number): void {
    if (3 * slots >= 2 * this.#buckets) {
      this.#words = this.all() as Uint32Array<ArrayBuffer>;
      this.#isWhole = true;
      return;
    }
    const before = this.#words;
    this.#words = new Uint32Array(3 * slots);
    this.#used = 0;
    for (let at = 0; at < before.length; at += 3) {
      if (before[at] === 0) continue;
      const to = this.#enter(before[at]! - 1);
      this.#words[to] = before[at + 1]!;
      this.#words[to + 1] = before[at + 2]!;
    }
  }
}
