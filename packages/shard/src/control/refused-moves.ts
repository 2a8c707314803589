/** Segments for whose smaller core there was no room beside the larger one. Pure. Always: a segment is tried again once more is free. */
export class RefusedMoves {
  /** Free bytes when it was refused, by the segment's id. */
  readonly #freeBytes = new Map<number, number>();

  note(segment: number, freeBytes: number): void {
    this.#freeBytes.set(segment, freeBytes);
  }

  forget(segment: number): void {
    this.#freeBytes.delete(segment);
  }

  /** @param freeBytes - now */
  isLeft(segment: number, freeBytes: number): boolean {
    const then = this.#freeBytes.get(segment);
    return then !== undefined && freeBytes <= then;
  }
}
