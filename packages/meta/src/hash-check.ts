/**
 * Whether all members have the same state. Every member remembers the hash of its state after each 1,000th entry and
 * tells the leader; when a majority of the voters agrees on one, it goes through the log, and a member that had another
 * one stops. The leader is not trusted: it counts as one voter.
 */
import { assert } from '@quiver/model';

export const hashEveryEntries = 1_000;
/** Hashes that a member remembers. */
const rememberedMax = 4;

export class OwnHashes {
  readonly #byIndex = new Map<number, string>();

  /** After entry `index` was applied; `hash` is asked for only when it is due. */
  note(index: number, hash: () => string): void {
    if (index % hashEveryEntries !== 0) return;
    this.#byIndex.set(index, hash());
    const [oldest] = this.#byIndex.keys();
    if (this.#byIndex.size > rememberedMax) this.#byIndex.delete(oldest!);
  }

  /** A majority had `hash` after `index`. Stops a process whose state is another. */
  check(index: number, hash: string): void {
    const own = this.#byIndex.get(index);
    assert(
      own === undefined || own === hash,
      `the state after entry ${index} is ${own} here and ${hash} at a majority`,
    );
  }

  entries(): (readonly [number, string])[] {
    return [...this.#byIndex];
  }

  clear(): void {
    this.#byIndex.clear();
  }
}

/** The leader's side: what a majority agrees on and was not checked yet. */
export class HashVotes {
  readonly #told = new Map<number, ReadonlyMap<number, string>>();
  #checked = 0;

  note(memberId: number, byIndex: readonly (readonly [number, string])[]): void {
    this.#told.set(memberId, new Map(byIndex));
  }

  agreed(voters: readonly number[]): { readonly index: number; readonly hash: string } | null {
    const counts = new Map<string, number>();
    for (const voter of voters)
      for (const [index, hash] of this.#told.get(voter) ?? []) {
        if (index <= this.#checked) continue;
        const key = `${index} ${hash}`;
        const count = (counts.get(key) ?? 0) + 1;
        counts.set(key, count);
        if (count * 2 <= voters.length) continue;
        this.#checked = index;
        return { index, hash };
      }
    return null;
  }
}
