/**
 * Which pages of an arena hold physical memory: those that were handed out and not given back since. Always: a page that is not
 * touched is zero.
 */

/** Of 64 KiB, a multiple of every page size that a system has, and what WebAssembly counts in. */
export const pageBytes = 65_536;

export interface PageRange {
  readonly offset: number;
  readonly bytes: number;
}

export class TouchedPages {
  readonly #isTouched: Uint8Array;
  #count = 0;

  /** @param bytes - of the arena, beside scratch */
  constructor(bytes: number) {
    this.#isTouched = new Uint8Array(Math.ceil(bytes / pageBytes));
  }

  get bytes(): number {
    return this.#count * pageBytes;
  }

  /** What touching a range would add to `bytes`. */
  untouchedBytes(offset: number, bytes: number): number {
    let count = 0;
    for (let page = firstPage(offset), end = endPage(offset + bytes); page < end; page += 1)
      count += 1 - this.#isTouched[page]!;
    return count * pageBytes;
  }

  /** All of a range is zero. */
  isUntouched(offset: number, bytes: number): boolean {
    return !this.#isTouched.subarray(firstPage(offset), endPage(offset + bytes)).includes(1);
  }

  touch(offset: number, bytes: number): void {
    this.#count += this.untouchedBytes(offset, bytes) / pageBytes;
    this.#isTouched.fill(1, firstPage(offset), endPage(offset + bytes));
  }

  /**
   * Touched pages that lie wholly within a range are none any more. REQUIRES: nobody reads or writes the range.
   * @param bytesMax - about so many at most
   * @returns them, neighbours as one: the caller gives them back to the system
   */
  takeWithin(offset: number, bytes: number, bytesMax: number): PageRange[] {
    const ranges: { offset: number; bytes: number }[] = [];
    let taken = 0;
    for (
      let page = Math.ceil(offset / pageBytes), end = Math.floor((offset + bytes) / pageBytes);
      page < end && taken < bytesMax;
      page += 1
    ) {
      if (this.#isTouched[page] === 0) continue;
      this.#isTouched[page] = 0;
      this.#count -= 1;
      taken += pageBytes;
      const last = ranges.at(-1);
      if (last !== undefined && last.offset + last.bytes === page * pageBytes) last.bytes += pageBytes;
      else ranges.push({ offset: page * pageBytes, bytes: pageBytes });
    }
    return ranges;
  }
}

function firstPage(offset: number): number {
  return Math.floor(offset / pageBytes);
}

function endPage(end: number): number {
  return Math.ceil(end / pageBytes);
}
