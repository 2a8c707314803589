/**
 * The configurations a search has been in: which operations are linearized (a bitset) and the state they left. Lowe's
 * memo: from the same configuration the rest of the search can only go the same way (Lowe 2017, Testing for
 * linearizability). Exact, not probabilistic: rows are compared whole, the hash only says where to look.
 *
 * Row: `stateId | bitset words`, each u32, rows one after another in one growing array. Nothing is allocated per row.
 */
import assert from 'node:assert';

const rowsFirst = 1_024;

export class ConfigurationSet {
  readonly #rowWords: number;
  #rows: Uint32Array;
  /** Open addressing, linear probing, at most half full; row number + 1, 0 is free. Length a power of two. */
  #slots: Uint32Array;
  #count = 0;

  /** @param bitsetWords - length of every bitset given to `add`, in 32-bit words */
  constructor(bitsetWords: number) {
    this.#rowWords = bitsetWords + 1;
    this.#rows = new Uint32Array(rowsFirst * this.#rowWords);
    this.#slots = new Uint32Array(rowsFirst * 2);
  }

  get count(): number {
    return this.#count;
  }

  /** Memory held, in bytes. */
  get bytes(): number {
    return this.#rows.byteLength + this.#slots.byteLength;
  }

  /** Adds a configuration, copying the bitset. False when it was there already. */
  add(bitset: Uint32Array, stateId: number): boolean {
    assert(bitset.length + 1 === this.#rowWords, `bitset of ${bitset.length}, rows of ${this.#rowWords}`);
    const mask = this.#slots.length - 1;
    let slot = hash(stateId, bitset, 0, bitset.length) & mask;
    for (let row = this.#slots[slot]!; row !== 0; row = this.#slots[slot]!) {
      if (this.#equals(row - 1, bitset, stateId)) return false;
      slot = (slot + 1) & mask;
    }
    const at = this.#count * this.#rowWords;
    this.#rows[at] = stateId;
    this.#rows.set(bitset, at + 1);
    this.#count += 1;
    this.#slots[slot] = this.#count;
    if (this.#count * 2 >= this.#slots.length) this.#grow();
    return true;
  }

  #equals(row: number, bitset: Uint32Array, stateId: number): boolean {
    const at = row * this.#rowWords;
    if (this.#rows[at] !== stateId) return false;
    for (let i = 0; i < bitset.length; i++) if (this.#rows[at + 1 + i] !== bitset[i]) return false;
    return true;
  }

  #grow(): void {
    const rows = new Uint32Array(this.#rows.length * 2);
    rows.set(this.#rows);
    this.#rows = rows;
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    for (let row = 0; row < this.#count; row++) {
      const at = row * this.#rowWords;
      let slot = hash(rows[at]!, rows, at + 1, at + this.#rowWords) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = row + 1;
    }
  }
}

/** Multiply-xorshift over the words; the constants are those of MurmurHash3's finalizer. */
function hash(stateId: number, words: Uint32Array, from: number, to: number): number {
  let h = Math.imul(stateId + 1, 0x9e3779b1);
  for (let i = from; i < to; i++) {
    h = Math.imul(h ^ words[i]!, 0x85ebca6b);
    h ^= h >>> 13;
  }
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
