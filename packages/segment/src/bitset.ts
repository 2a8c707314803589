/**
 * A set of rows of one segment: little-endian u32 words, bit = row, as the kernels read it.
 * Always: bits at and above `size` are zero.
 */
export class Bitset {
  /** Uint32Array[ceil(size / 32)] */
  readonly words: Uint32Array;
  /** Rows, 0..2^31 */
  readonly size: number;

  /** Over `words` as they are (at least ceil(size / 32) of them), or a new empty set. */
  constructor(size: number, words: Uint32Array = new Uint32Array(Math.ceil(size / 32))) {
    this.size = size;
    this.words = words.subarray(0, Math.ceil(size / 32));
  }

  has(row: number): boolean {
    return ((this.words[row >>> 5]! >>> (row & 31)) & 1) === 1;
  }

  add(row: number): void {
    this.words[row >>> 5]! |= 1 << (row & 31);
  }

  remove(row: number): void {
    this.words[row >>> 5]! &= ~(1 << (row & 31));
  }

  clear(): void {
    this.words.fill(0);
  }

  fill(): void {
    this.words.fill(0xffff_ffff);
    this.trim();
  }

  /** Everything below `size` that was not in the set. */
  invert(): void {
    for (let i = 0; i < this.words.length; i += 1) this.words[i] = ~this.words[i]!;
    this.trim();
  }

  /** REQUIRES: the same size, here and below. */
  copyFrom(other: Bitset): void {
    this.words.set(other.words);
  }

  intersect(other: Bitset): void {
    for (let i = 0; i < this.words.length; i += 1) this.words[i]! &= other.words[i]!;
  }

  unite(other: Bitset): void {
    for (let i = 0; i < this.words.length; i += 1) this.words[i]! |= other.words[i]!;
  }

  subtract(other: Bitset): void {
    for (let i = 0; i < this.words.length; i += 1) this.words[i]! &= ~other.words[i]!;
  }

  count(): number {
    let count = 0;
    for (let i = 0; i < this.words.length; i += 1) count += bitCount(this.words[i]!);
    return count;
  }

  /** The first row of the set at or after `from`, or -1. */
  next(from: number): number {
    let index = from >>> 5;
    if (from >= this.size || index >= this.words.length) return -1;
    let word = (this.words[index]! >>> (from & 31)) << (from & 31);
    while (word === 0) {
      index += 1;
      if (index >= this.words.length) return -1;
      word = this.words[index]!;
    }
    return (index << 5) + 31 - Math.clz32(word & -word);
  }

  *rows(): Generator<number, void, undefined> {
    for (let row = this.next(0); row !== -1; row = this.next(row + 1)) yield row;
  }

  private trim(): void {
    const rest = this.size & 31;
    if (rest !== 0) this.words[this.words.length - 1]! &= (1 << rest) - 1;
  }
}

/** Set bits of a 32-bit word. */
export function bitCount(word: number): number {
  let v = word - ((word >>> 1) & 0x5555_5555);
  v = (v & 0x3333_3333) + ((v >>> 2) & 0x3333_3333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
