/**
 * A node of a script with its storage and its storage threads. The state machine appends the data of all entries, and a
 * snapshot of it is kept for every index.
 */
import { RawNode } from '../raft-node.ts';
import type { Config } from '../config.ts';
import { decodeConfChange } from '../conf-change-codec.ts';
import type { Argument } from './data-driven.ts';
import { MemoryStorage } from '../memory-storage.ts';
import {
  emptyConfState,
  isEmptyHardState,
  noLimit,
  type NodeId,
  type Entry,
  type HardState,
  type Message,
  type Snapshot,
} from '../message.ts';

/** The newest state is what a leader sends, however far the log was compacted. */
class HistoryStorage extends MemoryStorage {
  readonly history: Snapshot[];

  constructor(history: Snapshot[]) {
    super();
    this.history = history;
  }

  override snapshot(): Snapshot {
    return this.history.at(-1)!;
  }
}

export type NodeOptions = Omit<Config, 'storage' | 'randomBelow'>;

export class InteractionNode {
  readonly raw: RawNode;
  readonly storage: MemoryStorage;
  readonly config: NodeOptions;
  readonly appendWork: Message[] = [];
  readonly applyWork: Message[] = [];
  readonly #history: Snapshot[];

  constructor(config: NodeOptions, first: Snapshot) {
    this.#history = [first];
    this.config = config;
    this.storage = new HistoryStorage(this.#history);
    if (first.meta.index > 0) this.storage.applySnapshot(first);
    // The scripts do not depend on election timeouts, or set them.
    this.raw = new RawNode({ ...config, storage: this.storage, randomBelow: () => 0 });
  }

  append(state: HardState | null, entries: readonly Entry[], snapshot: Snapshot | null): void {
    if (state !== null && !isEmptyHardState(state)) this.storage.setHardState(state);
    if (snapshot === null) {
      this.storage.append(entries);
      return;
    }
    if (entries.length > 0) throw new Error("can't apply snapshot and entries at the same time");
    this.storage.applySnapshot(snapshot);
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const previous = this.#history.at(-1)!;
      let { confState } = previous.meta;
      let update = entry.data;
      if (entry.type !== 'EntryNormal') {
        const change = decodeConfChange(entry);
        update = change.context;
        confState = this.raw.applyConfChange(change);
      }
      const data = new Uint8Array([...previous.data, ...update]);
      this.#history.push({ meta: { index: entry.index, term: entry.term, confState }, data });
    }
  }
}

/** etcd's defaults of the scripts: the plain protocol, and no limit. */
const plain = {
  electionTicks: 3,
  heartbeatTicks: 1,
  messageBytesMax: noLimit,
  inflightCountMax: 2 ** 31 - 1,
  inflightBytesMax: noLimit,
  uncommittedBytesMax: noLimit,
  checkQuorum: false,
  preVote: false,
  stepDownOnRemoval: false,
  votesTellCommit: false,
  disableProposalForwarding: false,
};

/** What `add-nodes` asks for: settings of the nodes, and the state they start from (null: blank). */
export function nodeOptions(args: readonly Argument[]): {
  options: Omit<NodeOptions, 'id'>;
  snapshot: Snapshot | null;
} {
  const options: Partial<{ -readonly [K in keyof NodeOptions]: NodeOptions[K] }> = {};
  let voters: NodeId[] = [];
  let learners: NodeId[] = [];
  let index = 0;
  let content = '';
  for (const { key, values } of args) {
    const value = values[0] ?? '';
    const isTrue = value === 'true';
    if (key === 'voters') voters = values.map(Number);
    else if (key === 'learners') learners = values.map(Number);
    else if (key === 'index') options.applied = index = Number(value);
    else if (key === 'content') content = value;
    else if (key === 'inflight') options.inflightCountMax = Number(value);
    else if (key === 'async-storage-writes') options.asyncStorageWrites = isTrue;
    else if (key === 'prevote') options.preVote = isTrue;
    else if (key === 'checkquorum') options.checkQuorum = isTrue;
    else if (key === 'max-committed-size-per-ready') options.applyingBytesMax = Number(value);
    else if (key === 'disable-conf-change-validation') options.disableConfChangeValidation = isTrue;
    else if (key === 'read-only') options.readOnly = value === 'lease-based' ? 'lease_based' : 'safe';
    else if (key === 'step-down-on-removal') options.stepDownOnRemoval = isTrue;
    else throw new Error(`unknown option ${key}`);
  }
  if (index === 0 && voters.length === 0 && learners.length === 0)
    return { options: { ...plain, ...options }, snapshot: null };
  const meta = { index, term: 1, confState: { ...emptyConfState, voters, learners } };
  return { options: { ...plain, ...options }, snapshot: { meta, data: new TextEncoder().encode(content) } };
}
