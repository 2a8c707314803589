/**
 * Whose content memory shows: a copy that went back behind what it showed shows another one from then on. Always: between
 * the record that it goes back and the publish of where it came to, nothing of it may be read.
 */
export class Generation {
  /** Rises each time that the copy goes back. */
  number = 0;
  isStale: boolean;
  /** Persist effect that ended the catch-up under way, and the publish that shows its end. */
  #cleanPersist: number | null = null;
  #cleanPublish: number | null = null;

  constructor(isStale: boolean) {
    this.isStale = isStale;
  }

  persisting(mode: 'clean' | 'catch_up', persist: number): void {
    if (mode === 'catch_up') {
      if (!this.isStale) this.number += 1;
      this.isStale = true;
      this.#cleanPersist = null;
      this.#cleanPublish = null;
    } else if (this.isStale && this.#cleanPublish === null) this.#cleanPersist ??= persist;
  }

  /** Whether what the machine publishes next, as this write is durable, shows the end of the catch-up. */
  isEndedBy(persist: number): boolean {
    return this.#cleanPersist !== null && persist >= this.#cleanPersist;
  }

  endsWith(publish: number): void {
    this.#cleanPublish = publish;
    this.#cleanPersist = null;
  }

  published(publish: number): void {
    if (this.#cleanPublish === null || publish < this.#cleanPublish) return;
    this.#cleanPublish = null;
    this.isStale = this.#cleanPersist !== null;
  }
}
