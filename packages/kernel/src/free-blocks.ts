/**
 * The free blocks between the regions of an arena. Always: no two of them touch (neighbours are one block), so what was freed in
 * small pieces can be had as a large one.
 */
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

  /** Bytes of the smallest block that has at least so many; undefined: there is none. */
  fit(bytes: number): number | undefined {
    if (this.#offsets.has(bytes)) return bytes;
    let best: number | undefined;
    for (const size of this.#offsets.keys())
      if (size > bytes && (best === undefined || size < best)) best = size;
    return best;
  }

  /** Takes the first bytes of such a block. @returns its offset; undefined: there is none */
  take(bytes: number): number | undefined {
    const size = this.fit(bytes);
    if (size === undefined) return undefined;
    const [offset] = this.#offsets.get(size)!;
    this.#remove(offset!);
    if (size > bytes) this.#insert(offset! + bytes, size - bytes);
    return offset;
  }

  /** Takes the block that ends there, whole. @returns its offset; undefined: there is none */
  takeEndingAt(end: number): number | undefined {
    const offset = this.#starts.get(end);
    if (offset !== undefined) this.#remove(offset);
    return offset;
  }

  clear(): void {
    this.#bytes.clear();
    this.#starts.clear();
    this.#offsets.clear();
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
