/**
 * What a member's volume holds of the consensus, read from the records that were committed to it: an account apart from
 * the code under test. Always: as of the newest commit that was reported durable.
 */
import { crc32 } from 'node:zlib';
import {
  decodeEntry,
  decodeHardState,
  decodeSnapshotMeta,
  type Entry,
  type SnapshotMeta,
} from '@quiver/raft';
import { decodePlain } from '@quiver/rpc';
import { readKey, type Change, type Store } from '@quiver/storage';

/** An entry as far as it must be the same everywhere. */
export interface LoggedEntry {
  readonly term: number;
  readonly hash: number;
  readonly entry: Entry;
}

interface Head {
  readonly meta: Uint8Array;
  readonly begin: { readonly index: number; readonly term: number };
}

const [hardStateKey, headKey, entryKey, chunkKey, identityKey] = 'hsrxi'
  .split('')
  .map((letter) => letter.charCodeAt(0));

export class DurableLog {
  term = 0;
  vote = 0;
  commit = 0;
  /** The entry before the first that is kept. */
  begin = { index: 0, term: 0 };
  snapshot: SnapshotMeta | null = null;
  /** State of the newest snapshot, when it was written since the last start; null otherwise. */
  snapshotState: Uint8Array | null = null;
  /** 0 until it is minted. */
  memberId = 0;
  readonly #entries: LoggedEntry[] = [];

  get lastIndex(): number {
    return this.begin.index + this.#entries.length;
  }

  at(index: number): LoggedEntry | undefined {
    return this.#entries[index - this.begin.index - 1];
  }

  termAt(index: number): number | undefined {
    return index === this.begin.index ? this.begin.term : this.at(index)?.term;
  }

  /** Entries that are not of the snapshot or before. */
  *above(index: number): Generator<LoggedEntry> {
    for (let at = Math.max(index, this.begin.index) + 1; at <= this.lastIndex; at += 1) yield this.at(at)!;
  }

  /** @returns the entries that were added */
  apply(changes: readonly Change[]): LoggedEntry[] {
    const added: LoggedEntry[] = [];
    const deleted: number[] = [];
    const chunks: Uint8Array[] = [];
    for (const change of changes)
      if (change.kind === 'delete') {
        if (change.key[0] === entryKey) deleted.push(indexOf(change.key));
      } else if (change.key[0] === hardStateKey) {
        const { term, vote, commit } = decodeHardState(Uint8Array.from(change.value));
        Object.assign(this, { term, vote, commit });
      } else if (change.key[0] === headKey) this.#moveBegin(change.value);
      else if (change.key[0] === chunkKey) chunks.push(Uint8Array.from(change.value));
      else if (change.key[0] === identityKey)
        this.memberId = (decodePlain(Uint8Array.from(change.value)) as { memberId: number }).memberId;
      else if (change.key[0] === entryKey) added.push(logged(decodeEntry(Uint8Array.from(change.value))));
    if (chunks.length > 0) this.snapshotState = Buffer.concat(chunks);
    const truncateTo = Math.min(
      ...deleted.filter((index) => index > this.begin.index),
      ...added.map(({ entry }) => entry.index),
    );
    if (truncateTo <= this.lastIndex) this.#entries.length = truncateTo - this.begin.index - 1;
    this.#entries.push(...added);
    return added;
  }

  #moveBegin(bytes: Uint8Array): void {
    const { meta, begin } = decodePlain(Uint8Array.from(bytes)) as Head;
    this.snapshot = decodeSnapshotMeta(meta);
    this.#entries.splice(0, begin.index - this.begin.index);
    this.begin = { index: begin.index, term: begin.term };
  }

  /** Reads it anew, as a start of the process does. */
  static async read(store: Store): Promise<DurableLog> {
    const found = new DurableLog();
    const changes: Change[] = [];
    for await (const [key, value] of store.scan({ from: Uint8Array.of(1), to: Uint8Array.of(0xfe) }))
      changes.push({ kind: 'put', key: Uint8Array.from(key), value: Uint8Array.from(value) });
    // The head first: it says where the entries begin.
    found.apply(changes.filter(({ key }) => key[0] === headKey));
    found.apply(changes.filter(({ key }) => key[0] !== headKey));
    return found;
  }
}

function indexOf(key: Uint8Array): number {
  const read = readKey(key);
  read.u8();
  return read.u64Number();
}

function logged(entry: Entry): LoggedEntry {
  return { term: entry.term, hash: crc32(entry.data, entry.type.length), entry };
}
