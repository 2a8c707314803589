/** Nodes joined by a network that delivers in order, and drops what a test asks it to. */
import type { Config } from '../config.ts';
import type { RaftCore } from '../core.ts';
import type { Entry, Message, MessageType, NodeId } from '../message.ts';
import { createMajority } from '../quorum-majority.ts';
import { Progress } from '../progress.ts';
import { step } from '../step.ts';
import type { ProgressMap } from '../tracker.ts';
import { idsTo, memoryOf, readMessages, settleAppends, testCore } from './core.ts';

/** A node to be made, one that is there (its membership is made that of the network), or a silent one. */
export type Peer = 'new' | 'silent' | RaftCore | ((id: NodeId, ids: readonly NodeId[]) => RaftCore);

export class Network {
  readonly cores = new Map<NodeId, RaftCore>();
  /** Sees each message on its way; false drops it. */
  hook: ((message: Message) => boolean) | null = null;
  readonly #silent = new Set<NodeId>();
  readonly #cut = new Set<string>();
  readonly #ignored = new Set<MessageType>();

  constructor(peers: readonly Peer[], options: Partial<Config> = {}) {
    const ids = idsTo(peers.length);
    for (const [i, peer] of peers.entries()) {
      const id = ids[i]!;
      if (peer === 'silent') this.#silent.add(id);
      else if (peer === 'new') this.cores.set(id, testCore(id, ids, options));
      else this.cores.set(id, joined(typeof peer === 'function' ? peer(id, ids) : peer, ids));
    }
  }

  get(id: NodeId): RaftCore {
    const core = this.cores.get(id);
    if (core === undefined) throw new Error(`no node ${id}`);
    return core;
  }

  /** Delivers messages, and what they cause, until nothing is under way. */
  send(...messages: readonly Message[]): void {
    const queue = [...messages];
    for (let message = queue.shift(); message !== undefined; message = queue.shift()) {
      if (this.#silent.has(message.to)) continue;
      const core = this.cores.get(message.to);
      if (core === undefined) continue;
      step(core, message);
      settleAppends(core);
      queue.push(...readMessages(core).filter((each) => this.#passes(each)));
    }
  }

  cut(one: NodeId, other: NodeId): void {
    this.#cut.add(`${one}>${other}`).add(`${other}>${one}`);
  }

  isolate(id: NodeId): void {
    for (const other of [...this.cores.keys(), ...this.#silent]) if (other !== id) this.cut(id, other);
  }

  ignore(type: MessageType): void {
    this.#ignored.add(type);
  }

  recover(): void {
    this.#cut.clear();
    this.#ignored.clear();
  }

  #passes(message: Message): boolean {
    if (message.type === 'MsgHup') throw new Error('MsgHup never goes over the network');
    if (this.#ignored.has(message.type) || this.#cut.has(`${message.from}>${message.to}`)) return false;
    return this.hook === null || this.hook(message);
  }
}

/** All nodes of the network are members; learners stay learners. */
function joined(core: RaftCore, ids: readonly NodeId[]): RaftCore {
  const { learners } = core.tracker.membership;
  const voters = ids.filter((id) => !learners.includes(id));
  const progress: ProgressMap = new Map(
    ids.map((id) => {
      const isLearner = learners.includes(id);
      return [id, new Progress({ match: 0, next: 1, inflights: core.tracker.createInflights(), isLearner })];
    }),
  );
  core.tracker.switchTo(
    {
      voters: { incoming: createMajority(voters), outgoing: [] },
      learners: createMajority(ids.filter((id) => learners.includes(id))),
      learnersNext: [],
      autoLeave: false,
    },
    progress,
  );
  core.reset(core.term);
  return core;
}

/** A node whose log has entries of these terms, and that is at the last of them. */
export function withTerms(...terms: readonly number[]) {
  return (id: NodeId, ids: readonly NodeId[]): RaftCore => {
    const entries = terms.map((term, i): Entry => ({
      term,
      index: i + 1,
      type: 'EntryNormal',
      data: new Uint8Array(0),
    }));
    const core = testCore(id, ids, { electionTicks: 5, entries });
    core.reset(terms.at(-1)!);
    return core;
  };
}

/** A node that voted in a term and got no entries. */
export function votedIn(term: number, vote: NodeId) {
  return (id: NodeId, ids: readonly NodeId[]): RaftCore => {
    const core = testCore(id, ids, { electionTicks: 5 });
    memoryOf(core).setHardState({ term, vote, commit: 0 });
    core.loadHardState({ term, vote, commit: 0 });
    return core;
  };
}
