/** Work that may wait and is done one piece at a time, in the order in which it was asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Resolves when all turns before have ended. @returns ends the turn; call it in any case */
  async take(): Promise<() => void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<null>();
    this.#last = promise;
    await before;
    return () => resolve(null);
  }
}
