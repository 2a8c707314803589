/**
 * The free blocks between the regions of an arena. Always: no two of them touch (neighbours are one block), so what was freed in
 * small pieces can be had as a large one.
 */
export interface Block {
  readonly offset: number;
  readonly bytes: number;
}

export class FreeBlocks {
  /** offset -> bytes */
  readonly #bytes = new Map<number, number>();
  /** offset of the first byte behind a block -> offset */
  readonly #starts = new Map<number, number>();
  /** bytes -> offsets */
  readonly #offsets = new Map<number, Set<number>>();

  /** REQUIRES: no byte of it is free. */
  add(offset: number, bytes: number): void {
    let [start, end] = [offset, offset + bytes];
    const before = this.#starts.get(start);
    if (before !== undefined) {
      this.#remove(before);
      start = before;
    }
    const after = this.#bytes.get(end);
    if (after !== undefined) {
      this.#remove(end);
      end += after;
    }
    this.#insert(start, end - start);
  }

  /** The smallest block that has at least so many bytes; undefined: there is none. */
  fit(bytes: number): Block | undefined {
    let best: number | undefined = this.#offsets.has(bytes) ? bytes : undefined;
    if (best === undefined)
      for (const size of this.#offsets.keys())
        if (size > bytes && (best === undefined || size < best)) best = size;
    if (best === undefined) return undefined;
    const [offset] = this.#offsets.get(best)!;
    return { offset: offset!, bytes: best };
  }

  /** Takes the first bytes of a block. */
  take(offset: number, bytes: number): void {
    const size = this.#bytes.get(offset)!;
    this.#remove(offset);
    if (size > bytes) this.#insert(offset + bytes, size - bytes);
  }

  *[Symbol.iterator](): Generator<Block> {
    for (const [offset, bytes] of this.#bytes) yield { offset, bytes };
  }

  #insert(offset: number, bytes: number): void {
    this.#bytes.set(offset, bytes);
    this.#starts.set(offset + bytes, offset);
    const same = this.#offsets.get(bytes);
    if (same === undefined) this.#offsets.set(bytes, new Set([offset]));
    else same.add(offset);
  }

  #remove(offset: number): void {
    const bytes = this.#bytes.get(offset)!;
    this.#bytes.delete(offset);
    this.#starts.delete(offset + bytes);
    const same = this.#offsets.get(bytes)!;
    same.delete(offset);
    if (same.size === 0) this.#offsets.delete(bytes);
  }
}
