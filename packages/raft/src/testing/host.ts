/** The shortest host there is: one node, storage in memory, every write durable at once. */
import { decodeConfChange } from '../conf-change-codec.ts';
import type { Config } from '../config.ts';
import type { MemoryStorage } from '../memory-storage.ts';
import type { ConfState, Entry, NodeId } from '../message.ts';
import { RawNode } from '../raft-node.ts';
import type { Ready } from '../ready.ts';
import { blankStorage, testConfig } from './core.ts';

export class Host {
  readonly node: RawNode;
  readonly storage: MemoryStorage;
  /** Everything applied so far. */
  readonly applied: Entry[] = [];
  /** After each change of membership applied. */
  readonly confStates: ConfState[] = [];

  constructor(storage: MemoryStorage, options: Partial<Config> & { id?: NodeId } = {}) {
    const { id, ...config } = options;
    this.storage = storage;
    this.node = new RawNode(testConfig(id ?? 1, storage, config));
  }

  /** Does the work of one `Ready`. */
  turn(): Ready {
    const ready = this.node.ready();
    this.storage.append(ready.entries);
    this.apply(ready.committedEntries);
    this.node.advance();
    return ready;
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.applied.push(entry);
      if (entry.type !== 'EntryNormal')
        this.confStates.push(this.node.applyConfChange(decodeConfChange(entry)));
    }
  }

  /** @returns the last `Ready`, once none is left */
  drain(): Ready | null {
    let last: Ready | null = null;
    while (this.node.hasReady()) last = this.turn();
    return last;
  }
}

/** The only voter, and leader; its empty entry is applied. */
export function soleLeader(options: Partial<Config> = {}): Host {
  const host = new Host(blankStorage([1]), options);
  host.node.campaign();
  host.drain();
  return host;
}
