/**
 * The state of one node and the few moves every role shares: sending, and starting anew at a term. Role logic is in
 * `follower.ts`, `candidate.ts`, `leader.ts`; `step.ts` dispatches; `raft-node.ts` is what a host sees.
 * Always: `term` never falls, and `vote` changes only with it; `messages` may be sent at once, `messagesAfterAppend` only
 * once everything unstable at that moment is durable.
 */
import { completeConfig, type CompleteConfig, type Config, type Logger } from './config.ts';
import { assert, broken } from './invariants.ts';
import { RaftLog } from './log.ts';
import {
  createMessage,
  noNode,
  type HardState,
  type Message,
  type MessageFields,
  type MessageType,
  type NodeId,
} from './message.ts';
import { Progress } from './progress.ts';
import { ReadIndexQueue, type ReadState } from './read-index.ts';
import { Tracker } from './tracker.ts';

export type Role = 'StateFollower' | 'StateCandidate' | 'StateLeader' | 'StatePreCandidate';

/** What need not be durable. */
export interface SoftState {
  readonly lead: NodeId;
  readonly role: Role;
}

export class RaftCore {
  readonly id: NodeId;
  readonly config: CompleteConfig;
  readonly logger: Logger;
  readonly log: RaftLog;
  tracker: Tracker;

  term = 0;
  vote: NodeId = noNode;
  role: Role = 'StateFollower';
  lead: NodeId = noNode;
  isLearner = false;

  messages: Message[] = [];
  /** Responses that promise durability: votes and acknowledged appends, also those to this node itself. */
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];

  /** Who is to become leader, while a transfer is under way (Raft thesis, 3.10). */
  leadTransferee: NodeId = noNode;
  /** At or above the index of the last membership change that may not be applied yet; one at a time. */
  pendingConfIndex = 0;
  /** Payload appended as leader and not applied: never more than is there, so that proposals cannot be shut out. */
  uncommittedBytes = 0;
  readOnly = new ReadIndexQueue();
  /** Reads that came before the leader had committed an entry of its term. */
  pendingReads: Message[] = [];

  /** Leader: ticks since the last quorum check. Others: since the last word of a leader, or the last campaign. */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  /** In electionTicks .. 2*electionTicks-1, drawn anew at each change of role. */
  randomizedElectionTicks = 0;

  constructor(given: Config) {
    this.config = completeConfig(given);
    this.id = this.config.id;
    this.logger = this.config.logger;
    this.log = new RaftLog(this.config.storage, this.logger, this.config.applyingBytesMax);
    this.tracker = new Tracker(this.config.inflightCountMax, this.config.inflightBytesMax);
  }

  softState(): SoftState {
    return { lead: this.lead, role: this.role };
  }

  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  loadHardState(state: HardState): void {
    const { committed } = this.log;
    const last = this.log.lastIndex();
    assert(
      state.commit >= committed && state.commit <= last,
      `${this.id.toString(16)} state.commit ${state.commit} is out of range [${committed}, ${last}]`,
    );
    this.log.committed = state.commit;
    this.term = state.term;
    this.vote = state.vote;
  }

  /** Starts anew at `term`: nothing remembered of leaders, votes, followers and reads. */
  reset(term: number): void {
    if (this.term !== term) {
      this.term = term;
      this.vote = noNode;
    }
    this.lead = noNode;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.drawElectionTimeout();
    this.leadTransferee = noNode;
    this.tracker.resetVotes();
    const last = this.log.lastIndex();
    for (const [id, { isLearner }] of this.tracker.progress) {
      const match = id === this.id ? last : 0;
      const inflights = this.tracker.createInflights();
      this.tracker.progress.set(id, new Progress({ match, next: last + 1, inflights, isLearner }));
    }
    this.pendingConfIndex = 0;
    this.uncommittedBytes = 0;
    this.readOnly = new ReadIndexQueue();
  }

  drawElectionTimeout(): void {
    const { electionTicks, randomBelow } = this.config;
    const extra = randomBelow(electionTicks);
    if (!Number.isInteger(extra) || extra < 0 || extra >= electionTicks)
      broken(`random source gave ${extra}, wanted an integer in 0..${electionTicks - 1}`);
    this.randomizedElectionTicks = electionTicks + extra;
  }

  isPastElectionTimeout(): boolean {
    return this.electionElapsed >= this.randomizedElectionTicks;
  }

  /** Whether this node may become leader: a voter whose state is complete. */
  isPromotable(): boolean {
    const own = this.tracker.progress.get(this.id);
    return own !== undefined && !own.isLearner && !this.log.hasSnapshot();
  }

  hasCommittedInTerm(): boolean {
    return this.log.termOrZero(this.log.committed) === this.term;
  }

  /**
   * Queues a message with sender and term filled in.
   * Votes carry the term they are about; proposals and reads carry none, as they may be passed on to a later leader.
   */
  send(type: MessageType, given: MessageFields): void {
    const isVote =
      type === 'MsgVote' || type === 'MsgVoteResp' || type === 'MsgPreVote' || type === 'MsgPreVoteResp';
    let term = given.term ?? 0;
    if (isVote) {
      if (term === 0) broken(`term should be set when sending ${type}`);
    } else {
      if (term !== 0) broken(`term should not be set when sending ${type} (was ${term})`);
      if (type !== 'MsgProp' && type !== 'MsgReadIndex') term = this.term;
    }
    const from = given.from === undefined || given.from === noNode ? this.id : given.from;
    const message = createMessage(type, given, from, term);
    // A rejection would be safe to send at once in most cases; they are rare, so the simple rule holds for them too.
    if (type === 'MsgAppResp' || type === 'MsgVoteResp' || type === 'MsgPreVoteResp') {
      this.messagesAfterAppend.push(message);
    } else {
      if (message.to === this.id) broken(`message should not be self-addressed when sending ${type}`);
      this.messages.push(message);
    }
  }
}
