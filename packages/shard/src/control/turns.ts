/** Work that may wait, a few pieces at a time, in the order in which it was asked for. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param width - pieces at a time */
  constructor(width = 1) {
    this.#free = width;
  }

  /** Resolves when it is this one's turn. @returns ends the turn; call it once, in any case */
  async take(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return () => this.#end();
  }

  #end(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
