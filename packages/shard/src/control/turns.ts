/** Work that may wait, a few pieces at a time, in the order in which it was asked for. */
export class Turns {
  #free: number;
  #holds = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param width - pieces at a time */
  constructor(width = 1) {
    this.#free = width;
  }

  /** Resolves when it is this one's turn. @returns ends the turn; call it once, in any case */
  async take(): Promise<() => void> {
    if (this.#free > 0 && this.#holds === 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return () => this.#end();
  }

  /** No turn begins until what is returned is called, once. */
  hold(): () => void {
    this.#holds += 1;
    return () => {
      this.#holds -= 1;
      this.#begin();
    };
  }

  #end(): void {
    this.#free += 1;
    this.#begin();
  }

  #begin(): void {
    while (this.#holds === 0 && this.#free > 0 && this.#waiting.length > 0) {
      this.#free -= 1;
      this.#waiting.shift()!();
    }
  }
}
