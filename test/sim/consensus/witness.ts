/**
 * What must hold of a consensus, looked at after everything that a member writes, sends, commits or applies. Always: it
 * sees the members from outside (their disks, their messages), so that nothing of the code under test judges itself; a
 * breach throws `Violation`.
 * - election safety; a vote is on the disk before it is sent, and one for each term; a leader was voted for by a quorum;
 * - log matching: one entry, and one entry before it, for each (index, term); so a leader only appends;
 * - leader completeness; one committed entry for each index, of the leader's own term, on the disks of a quorum;
 * - what was acknowledged is on the disk, and stays there while its term lasts; terms and commits never fall;
 * - at most one membership change is not committed in a log; members know the membership that the log says;
 * - a term begins only with a candidate, and a candidate was wanted by a quorum (or was told to take over).
 */
import { decodeConfChange, RaftError, type ConfState, type Message } from '@quiver/raft';
import { Violation } from '../checks.ts';
import { changed, isQuorum, isSame, membershipOf, type MembershipModel } from './membership-model.ts';
import type { DurableLog, LoggedEntry } from './durable-log.ts';

interface Committed {
  readonly term: number;
  readonly hash: number;
  /** Term of the leader that committed it. */
  readonly byTerm: number;
}

interface Seen {
  log: DurableLog;
  /** Commit index that it showed last, since its start. */
  commit: number;
  /** What it has applied at least: the membership it acts on is this one or a later one. */
  applied: number;
  /** As it was before: a commit that shows now may have been decided then. */
  appliedBefore: number;
  term: number;
  leads: number;
  /** Highest index acknowledged to the leader of a term. */
  acked: { term: number; index: number };
  /** Term that it was told to take over after. */
  toldTerm: number;
  /** Newest term for which each other member wanted it. */
  readonly preVotes: Map<number, number>;
}

/** Terms and indexes stay far below. */
const placeOf = (index: number, term: number): number => index * 1_000_000 + term;

export class Witness {
  readonly #members = new Map<number, Seen>();
  /** Disks that are gone: what they had acknowledged may be counted by a leader still. */
  readonly #lost = new Map<number, DurableLog>();
  readonly #leaders = new Map<number, number>();
  readonly #votes = new Map<number, Map<number, number>>();
  readonly #entries = new Map<number, { logged: LoggedEntry; previousTerm: number }>();
  readonly #committed: Committed[] = [];
  readonly #memberships: { index: number; membership: MembershipModel }[] = [];
  readonly #isChange: boolean[] = [];
  readonly #candidacies = new Set<number>();
  #jointSinceTerm = 0;
  readonly #count: (what: string) => void;
  #termMax: number;
  /** Called for each entry when it is committed first, in order. */
  onCommitted: (entry: LoggedEntry) => void = () => undefined;

  constructor(
    founding: { index: number; term: number; confState: ConfState },
    count: (what: string) => void,
  ) {
    const { index, term, confState } = founding;
    this.#committed[index] = { term, hash: 0, byTerm: term };
    this.#memberships.push({ index, membership: membershipOf(confState) });
    this.#termMax = term;
    this.#count = count;
  }

  get commitMax(): number {
    return this.#committed.length - 1;
  }
  get membership(): MembershipModel {
    return this.#memberships.at(-1)!.membership;
  }
  /** Memberships from the one at `index` to the newest. */
  membershipsSince(index: number): MembershipModel[] {
    const from = this.#memberships.findLastIndex((one) => one.index <= index);
    return this.#memberships.slice(Math.max(0, from)).map(({ membership }) => membership);
  }
  /** Terms that somebody asked for and nobody led. */
  get electionsLost(): number {
    return [...this.#candidacies].filter((term) => !this.#leaders.has(term)).length;
  }
  hasUncommittedChange(): boolean {
    return [...this.#members.values()].some(({ log }) =>
      [...log.above(this.commitMax)].some(({ entry }) => entry.type !== 'EntryNormal'),
    );
  }

  /** A member starts, with what its volume holds. */
  started(id: number, log: DurableLog): void {
    const before = this.#members.get(id);
    if (before !== undefined) {
      if (log.term < before.log.term)
        throw new Violation(`${id} came back in term ${log.term} of ${before.log.term}`);
      this.#assertKept(id, before, log);
    }
    // A candidacy that was on its way to the disk when the process ended.
    this.#termMax = Math.max(this.#termMax, log.term);
    const preVotes = new Map<number, number>();
    const acked = before?.acked ?? { term: 0, index: 0 };
    this.#members.set(id, {
      log,
      commit: log.begin.index,
      applied: log.snapshot?.index ?? 0,
      appliedBefore: log.snapshot?.index ?? 0,
      term: log.term,
      leads: 0,
      acked,
      toldTerm: 0,
      preVotes,
    });
    // A snapshot that was on its way to the disk when the process ended holds what nobody had shown as committed.
    const { snapshot } = log;
    if (snapshot !== null && snapshot.index > this.commitMax)
      this.#commitUnseen(id, snapshot.index, snapshot.term);
  }

  /** Its disk is gone: it counts in no quorum any more. */
  lost(id: number): void {
    const seen = this.#members.get(id);
    if (seen !== undefined) this.#lost.set(id, seen.log);
    this.#members.delete(id);
  }
  has(id: number): boolean {
    return this.#members.has(id);
  }

  /** A commit to its volume is durable. */
  wrote(id: number, added: readonly LoggedEntry[]): void {
    const seen = this.#members.get(id)!;
    const { log } = seen;
    if (log.term < seen.term) throw new Violation(`the term of ${id} fell from ${seen.term} to ${log.term}`);
    if (log.vote === id && log.term > seen.term) this.#campaigns(id, seen, log.term);
    if (log.term > this.#termMax)
      throw new Violation(`${id} is in term ${log.term}, nobody asked for more than ${this.#termMax}`);
    seen.term = log.term;
    for (const logged of added) {
      const { term, hash, entry } = logged;
      const place = placeOf(entry.index, term);
      const previousTerm = log.termAt(entry.index - 1) ?? 0;
      const known = this.#entries.get(place);
      if (known === undefined) this.#entries.set(place, { logged, previousTerm });
      else if (known.logged.hash !== hash || known.previousTerm !== previousTerm)
        throw new Violation(`two logs part before entry ${entry.index} of term ${term}, seen at ${id}`);
    }
    this.#assertKept(id, seen, log);
    if (log.vote !== 0) this.#voted(id, log.term, log.vote);
    this.#note(id, log.commit, log.term);
    this.#assertSnapshot(id, log);
    if (added.some(({ entry }) => entry.type !== 'EntryNormal')) this.#assertOneChange(id, log);
  }

  #assertKept(id: number, { acked }: Seen, log: DurableLog): void {
    // A later leader may replace what was not committed.
    if (acked.term === log.term && log.lastIndex < acked.index)
      throw new Violation(
        `${id} had acknowledged entry ${acked.index} in term ${acked.term}, its log ends at ${log.lastIndex}`,
      );
  }

  #assertSnapshot(id: number, { snapshot }: DurableLog): void {
    if (snapshot === null) return;
    const { index, term, confState } = snapshot;
    if (index > this.commitMax) this.#commitUnseen(id, index, term);
    const committed = this.#committed[index]!;
    if (committed.term !== term)
      throw new Violation(`${id} has a snapshot at ${index} of term ${term}, not ${committed.term}`);
    if (!isSame(membershipOf(confState), this.membershipsSince(index)[0]!))
      throw new Violation(`${id} has another membership at ${index} than the log says`);
  }

  /** A leader may end between the write of a snapshot and the first word of the commit that the snapshot holds. */
  #commitUnseen(id: number, index: number, term: number): void {
    const holds = (voter: number): boolean => this.#members.get(voter)?.log.termAt(index) === term;
    const unseen: LoggedEntry[] = [];
    for (let at = index, atTerm = term; at > this.commitMax; at -= 1) {
      const known = this.#entries.get(placeOf(at, atTerm));
      if (known === undefined || !isQuorum(this.membership, holds))
        throw new Violation(`${id} has a snapshot at ${index}, committed is ${this.commitMax}`);
      unseen.push(known.logged);
      atTerm = known.previousTerm;
    }
    for (const one of unseen.reverse()) this.#commit(one, term);
  }

  #assertOneChange(id: number, log: DurableLog): void {
    const open = [...log.above(this.commitMax)].filter(({ entry }) => entry.type !== 'EntryNormal');
    if (open.length > 1)
      throw new Violation(`${open.length} membership changes are open in the log of ${id}`);
  }

  #voted(id: number, term: number, candidate: number): void {
    if (!this.#votes.has(term)) this.#votes.set(term, new Map());
    const votes = this.#votes.get(term)!;
    const earlier = votes.get(id);
    if (earlier !== undefined && earlier !== candidate)
      throw new Violation(`${id} voted for ${earlier} and for ${candidate} in term ${term}`);
    votes.set(id, candidate);
  }

  /** What it knows as committed by now, whether or not it has said so. */
  shows(id: number, commit: number, term: number): void {
    this.#note(id, commit, term);
  }

  /** What it has applied by now, whether or not it has said so. */
  applied(id: number, index: number, term: number): void {
    const seen = this.#members.get(id);
    if (seen === undefined || index <= seen.applied) return;
    // It may be a part of what is committed: the rest follows.
    this.#note(id, index, term, true);
    seen.appliedBefore = seen.applied;
    seen.applied = index;
  }

  sent(from: number, message: Message): void {
    const seen = this.#members.get(from)!;
    const { log } = seen;
    const { type, term, to } = message;
    switch (type) {
      case 'MsgApp':
      case 'MsgHeartbeat':
      case 'MsgSnap':
        this.#leads(from, seen, term);
        if (type !== 'MsgSnap') this.#note(from, message.commit, term, type === 'MsgHeartbeat');
        break;
      case 'MsgVote':
        if (log.term !== term || log.vote !== from) this.#campaigns(from, seen, term);
        break;
      case 'MsgVoteResp':
        if (message.reject) {
          this.#note(from, message.commit, term);
          break;
        }
        if (log.term < term || (log.term === term && log.vote !== to))
          throw new Violation(
            `${from} sent its vote of term ${term} to ${to} and has ${log.vote} of ${log.term} on its disk`,
          );
        this.#voted(from, term, to);
        break;
      case 'MsgPreVoteResp':
        if (!message.reject) break;
        this.#count('pre-vote refused');
        this.#note(from, message.commit, term);
        break;
      case 'MsgAppResp':
        // Of an earlier term: entries that a later leader has replaced since. It did not have them, so no quorum that
        // voted for it can have acknowledged them: the answer does no harm.
        if (message.reject || message.index === 0 || term < log.term) break;
        if (message.index > log.lastIndex)
          throw new Violation(
            `${from} acknowledged entry ${message.index}, on its disk are ${log.lastIndex}`,
          );
        if (term > seen.acked.term || (term === seen.acked.term && message.index > seen.acked.index))
          seen.acked = { term, index: message.index };
        break;
      case 'MsgTimeoutNow':
        this.#leads(from, seen, term);
        break;
      default:
    }
  }

  received(id: number, message: Message): void {
    const seen = this.#members.get(id)!;
    if (message.type === 'MsgTimeoutNow') seen.toldTerm = Math.max(seen.toldTerm, message.term);
    if (message.type !== 'MsgPreVoteResp' || message.reject) return;
    seen.preVotes.set(message.from, Math.max(seen.preVotes.get(message.from) ?? 0, message.term));
  }

  #campaigns(id: number, { applied, preVotes, toldTerm }: Seen, term: number): void {
    this.#termMax = Math.max(this.#termMax, term);
    this.#candidacies.add(term);
    // A late answer to a question about the term before counts too, as in etcd: no vote is given by it.
    const wants = (voter: number): boolean => voter === id || (preVotes.get(voter) ?? -1) >= term - 1;
    const isWanted = this.membershipsSince(applied).some((membership) => isQuorum(membership, wants));
    if (!isWanted && toldTerm < term - 1)
      throw new Violation(`${id} campaigns for term ${term}, which no quorum wanted`);
  }

  #leads(id: number, seen: Seen, term: number): void {
    const leader = this.#leaders.get(term);
    if (leader === id) return;
    if (leader !== undefined) throw new Violation(`${leader} and ${id} lead in term ${term}`);
    this.#leaders.set(term, id);
    this.#termMax = Math.max(this.#termMax, term);
    this.#count('leader elected');
    const votes = this.#votes.get(term) ?? new Map<number, number>();
    const hasVote = (voter: number): boolean => votes.get(voter) === id;
    if (!this.membershipsSince(seen.applied).some((membership) => isQuorum(membership, hasVote)))
      throw new Violation(
        `${id} leads in term ${term} with the votes of ${[...votes.keys()].filter(hasVote).join()}`,
      );
    for (let index = seen.log.begin.index + 1; index <= this.commitMax; index += 1) {
      const committed = this.#committed[index];
      if (committed === undefined || committed.byTerm >= term) continue;
      if (seen.log.at(index)?.term !== committed.term)
        throw new Violation(
          `${id} leads in term ${term} without entry ${index}, committed in ${committed.byTerm}`,
        );
    }
  }

  /** It shows a commit index. */
  #note(id: number, commit: number, term: number, isBounded = false): void {
    const seen = this.#members.get(id)!;
    if (commit <= seen.commit) return;
    const { log } = seen;
    const from = seen.commit;
    const [first, before] = [this.commitMax + 1, this.commitMax];
    for (let index = from + 1; index <= commit; index += 1) {
      const own = log.at(index);
      const committed = this.#committed[index];
      if (own === undefined) {
        if (index <= log.begin.index && committed !== undefined) continue;
        throw new Violation(`${id} commits entry ${index}, its log ends at ${log.lastIndex}`);
      }
      if (committed === undefined) this.#commit(own, log.at(commit)?.term ?? 0);
      else if (committed.term !== own.term || committed.hash !== own.hash)
        throw new Violation(
          `${id} commits entry ${index} of term ${own.term}, committed was one of ${committed.term}`,
        );
    }
    seen.commit = commit;
    if (commit < first || isBounded) return;
    const newest = log.at(commit)!;
    // Who leads no more may have committed before, and so may who led in the entry's own term and shows it late.
    const couldBefore = this.#leaders.get(newest.term) === id;
    if (newest.term !== term && this.#leaders.get(term) === id && !couldBefore)
      throw new Violation(`${id} commits entry ${commit} of term ${newest.term} in term ${term}`);
    const holds = (voter: number): boolean =>
      (this.#members.get(voter)?.log ?? this.#lost.get(voter))?.at(commit)?.term === newest.term;
    // Those that it can have applied: not the ones that this commit brings.
    const { appliedBefore: since } = seen;
    const memberships = this.membershipsSince(since).slice(0, 1 + this.#changesIn(since, before));
    if (!memberships.some((one) => isQuorum(one, holds)))
      throw new Violation(`${id} commits entry ${commit}, which no quorum has on its disks`);
  }

  #changesIn(from: number, to: number): number {
    let count = 0;
    for (let index = from + 1; index <= to; index += 1) if (this.#isChange[index] === true) count += 1;
    return count;
  }

  #commit(one: LoggedEntry, byTerm: number): void {
    const { entry, term, hash } = one;
    this.#committed.push({ term, hash, byTerm });
    this.#isChange[entry.index] = entry.type !== 'EntryNormal';
    if (entry.type !== 'EntryNormal') {
      const next = changed(this.membership, decodeConfChange(entry));
      if (next !== null) {
        const isJoint = next.outgoing.size > 0;
        this.#count(isJoint ? 'joint membership entered' : 'membership changed');
        if (isJoint) this.#jointSinceTerm = term;
        else if (this.membership.outgoing.size > 0 && term !== this.#jointSinceTerm)
          this.#count('joint membership left by another leader');
        this.#memberships.push({ index: entry.index, membership: next });
      }
    }
    this.onCommitted(one);
  }
}

/** A broken invariant of the code under test counts as much as one of ours. */
export function isBreach(error: unknown): error is Error {
  if (error instanceof Violation) return true;
  return (
    error instanceof Error && !(error instanceof RaftError) && error.message.startsWith('invariant broken')
  );
}
