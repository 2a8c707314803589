/** The five properties of figure 3 of the Raft paper, and what the host's contract adds, checked on a whole cluster. */
import type { Entry, Message, NodeId } from '../message.ts';
import type { Ready } from '../ready.ts';
import type { ClusterMember } from './cluster.ts';

/** FNV-1a over term, type and data, so that one number stands for a whole history. */
export function foldEntry(fold: number, entry: Entry): number {
  let hash = fold ^ entry.term ^ (entry.type.length << 16);
  for (const byte of entry.data) hash = Math.imul(hash ^ byte, 0x01000193);
  return Math.imul(hash ^ entry.index, 0x01000193) >>> 0;
}

export class ClusterInvariants {
  /** Highest index applied anywhere. */
  committedIndex = 0;
  readonly counts = { elections: 0, applied: 0, snapshots: 0, truncations: 0 };
  readonly #leaders = new Map<number, NodeId>();
  readonly #votes = new Map<string, NodeId>();
  readonly #entries = new Map<string, number>();
  readonly #states = new Map<number, number>();
  readonly #terms = new Map<number, number>();
  readonly #stored = new Map<NodeId, { term: number; vote: NodeId; commit: number }>();
  readonly #lastStored = new Map<NodeId, number>();

  require(condition: boolean, text: string): void {
    if (!condition) throw new Error(text);
  }

  /** A vote is given once per term, and only after it is durable, or a later term is, which forbids another just so. */
  sent({ type, from, to, term, reject }: Message): void {
    if (type !== 'MsgVoteResp' || reject) return;
    const key = `${term}/${from}`;
    const before = this.#votes.get(key) ?? to;
    this.require(before === to, `node ${from} votes for ${before} and ${to} in term ${term}`);
    this.#votes.set(key, to);
    const stored = this.#stored.get(from);
    const isDurable =
      stored !== undefined && (stored.term > term || (stored.term === term && stored.vote === to));
    this.require(isDurable, `node ${from} sent a vote it has not stored`);
  }

  /** Log matching: an index and a term name one entry. Hard state: terms and commits never go back. */
  stored(
    id: NodeId,
    { hardState, entries, snapshot }: Pick<Ready, 'hardState' | 'entries' | 'snapshot'>,
  ): void {
    if (snapshot !== null) this.counts.snapshots += 1;
    for (const entry of entries) {
      const key = `${entry.term}/${entry.index}`;
      const hash = foldEntry(0, entry);
      const before = this.#entries.get(key) ?? hash;
      this.require(before === hash, `two entries ${key}`);
      this.#entries.set(key, hash);
    }
    if (entries.length > 0) {
      if ((this.#lastStored.get(id) ?? 0) >= entries[0]!.index) this.counts.truncations += 1;
      this.#lastStored.set(id, entries.at(-1)!.index);
    }
    if (hardState === null) return;
    const before = this.#stored.get(id);
    if (before !== undefined) {
      this.require(hardState.term >= before.term, `term of node ${id} fell from ${before.term}`);
      this.require(hardState.commit >= before.commit, `commit of node ${id} fell from ${before.commit}`);
      if (hardState.term === before.term && before.vote !== 0)
        this.require(hardState.vote === before.vote, `node ${id} voted twice in term ${before.term}`);
    }
    this.#stored.set(id, { ...hardState });
  }

  /** State machine safety: everybody is in the same state after the same index. */
  applied(id: NodeId, index: number, fold: number): void {
    const before = this.#states.get(index) ?? fold;
    this.require(before === fold, `node ${id} differs after index ${index}`);
    this.#states.set(index, fold);
    this.committedIndex = Math.max(this.committedIndex, index);
    this.counts.applied += 1;
  }

  /** Election safety, and leader completeness: a new leader has all that was ever applied. */
  check(members: readonly ClusterMember[]): void {
    for (const { id, node } of members) {
      if (node?.core.role !== 'StateLeader') continue;
      const { term, log } = node.core;
      const before = this.#leaders.get(term);
      this.require(before === undefined || before === id, `nodes ${before ?? 0} and ${id} lead term ${term}`);
      if (before === id) continue;
      this.#leaders.set(term, id);
      this.counts.elections += 1;
      this.require(
        log.lastIndex() > this.committedIndex,
        `node ${id} leads term ${term} with ${log.lastIndex()} entries, ${this.committedIndex} are applied`,
      );
    }
    for (const { id, node } of members) {
      if (node === null) continue;
      const { log } = node.core;
      // Of what is committed the term is one for all.
      const committedTerm = log.term(log.committed);
      if (typeof committedTerm !== 'number' || log.committed === 0) continue;
      const before = this.#terms.get(log.committed) ?? committedTerm;
      this.require(before === committedTerm, `node ${id} has another term at committed ${log.committed}`);
      this.#terms.set(log.committed, committedTerm);
    }
  }
}
