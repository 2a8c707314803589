/**
 * What the disk holds of all replicas that a start opens, read by one scan over the volume: thousands of small ones would
 * each pay for a scan of their own. Always: what is given of a replica is what the store has, as with `readAhead`, which
 * takes over for what the scan cannot give.
 */
import { afterPrefix, StorageError, type Store } from '@quiver/storage';
import {
  fitsAhead,
  readAhead,
  readBeside,
  standsForPoints,
  wholeSource,
  type ReplicaSource,
} from './read-ahead.ts';
import { keys } from './records.ts';
import { openCursor, type Cursor, type Entry } from './scan-cursor.ts';

export class StartScan {
  readonly #store: Store;
  /** End of the last replica's records. */
  readonly #end: Uint8Array;
  #cursor: Cursor | null = null;
  /** Of the replica before; the scan is behind it. */
  #last = 0;
  #isDamaged = false;
  /** The replica before has saved segments or a copy: the next one may, too, and its points are not read then. */
  #isBeside = true;
  #before: Promise<unknown> = Promise.resolve();

  /** @param numbers - of all replicas that will be asked for; at least one */
  constructor(store: Store, numbers: readonly number[]) {
    this.#store = store;
    this.#end = afterPrefix(keys.replica(numbers.reduce((a, b) => Math.max(a, b))));
  }

  /**
   * Costs least in ascending order.
   * REQUIRES: nothing of the replica was written since the scan was made, nor is until the last use of what is returned, but
   * for its ident.
   * @throws StorageError
   */
  take(number: number): Promise<ReplicaSource> {
    const beside = this.#isBeside ? readBeside(this.#store, number) : null;
    const before = this.#before;
    const taking = (async () => {
      const found = await beside;
      await before;
      return found ?? this.#take(number);
    })();
    this.#before = taking.catch(() => undefined);
    return taking;
  }

  async close(): Promise<void> {
    await this.#before;
    await this.#leave();
  }

  async #take(number: number): Promise<ReplicaSource> {
    if (this.#isDamaged || number <= this.#last) return readAhead(this.#store, number);
    this.#last = number;
    try {
      const entries = await this.#entriesOf(number);
      if (entries === 'beside') {
        await this.#leave();
        this.#isBeside = true;
        return (await readBeside(this.#store, number)) ?? this.#store;
      }
      this.#isBeside = false;
      if (entries !== null) return wholeSource(this.#store, number, entries);
      // Far to go to the next one: a new scan begins there.
      await this.#leave();
      return this.#store;
    } catch (error) {
      await this.#leave();
      if (!(error instanceof StorageError) || error.code !== 'corruption') throw error;
      // It may be of another replica: each is read by itself now.
      this.#isDamaged = true;
      return readAhead(this.#store, number);
    }
  }

  /** @returns null where it is too much */
  async #entriesOf(number: number): Promise<readonly Entry[] | 'beside' | null> {
    const from = keys.replica(number);
    const to = afterPrefix(from);
    const entries: Entry[] = [];
    let bytes = 0;
    let cursor = await this.#cursorAt(from);
    for (;;) {
      const entry = cursor.peek();
      if (entry === null) {
        if (!(await cursor.turnPage())) break;
        continue;
      }
      const [key, value] = entry;
      if (Buffer.compare(key, from) < 0) {
        // Of a replica that nobody asked for, or that has saved segments.
        await this.#leave();
        cursor = await this.#cursorAt(from);
        continue;
      }
      if (Buffer.compare(key, to) >= 0) break;
      if (standsForPoints(key)) return 'beside';
      cursor.skip();
      bytes += key.length + value.length;
      entries.push(entry);
      if (!fitsAhead(entries.length, bytes)) return null;
    }
    return entries;
  }

  async #cursorAt(from: Uint8Array): Promise<Cursor> {
    if (this.#cursor === null) {
      this.#cursor = openCursor(this.#store.scanPages({ from, to: this.#end }));
      await this.#cursor.turnPage();
    }
    return this.#cursor;
  }

  async #leave(): Promise<void> {
    const cursor = this.#cursor;
    this.#cursor = null;
    await cursor?.close();
  }
}
