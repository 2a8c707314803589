/**
 * The node a host drives: it puts in ticks, messages and proposals, and takes out a `Ready` with what is to be written,
 * sent and applied. No I/O, no clock, no randomness of its own: the same calls give the same answers.
 * Always: between `ready` and `advance` at most one `Ready` is open (unless storage writes are asynchronous).
 */
import { bootstrapCore, type Founder } from './bootstrap.ts';
import { encodeConfChange } from './conf-change-codec.ts';
import type { ConfChange } from './conf-change.ts';
import type { Config } from './config.ts';
import type { RaftCore, SoftState } from './core.ts';
import { hup } from './election.ts';
import { entriesBytes } from './entry-size.ts';
import { RaftError, type StepResult } from './error.ts';
import { assert, assertCounter } from './invariants.ts';
import { isLogSlice } from './log-slice.ts';
import { applyConfChange } from './membership.ts';
import {
  createMessage,
  emptyHardState,
  isLocalMessage,
  isResponseMessage,
  isStorageThread,
  type ConfState,
  type HardState,
  type Message,
  type NodeId,
  type Proposal,
} from './message.ts';
import {
  needsStorageAppend,
  needsStorageAppendResponse,
  storageAppend,
  storageAppendResponse,
  storageApply,
  storageApplyResponse,
  type Ready,
} from './ready.ts';
import { startCore } from './start.ts';
import { statusOf, type Status } from './status.ts';
import { step, tick } from './step.ts';

export class RawNode {
  /** The state behind, for this package's tests. A host uses `status`. */
  readonly core: RaftCore;
  readonly #isAsync: boolean;
  #previousSoft: SoftState;
  #previousHard: HardState;
  /** To step when the host has done what the open `Ready` said. */
  #onAdvance: Message[] = [];

  /** @throws {RaftError} invalid_config; invalid_conf_change when the stored membership is none */
  constructor(config: Config) {
    this.core = startCore(config);
    this.#isAsync = this.core.config.asyncStorageWrites;
    this.#previousSoft = this.core.softState();
    this.#previousHard = this.core.hardState();
  }

  /**
   * Founds a cluster. Every founder is given the same list, and storage that is blank.
   * @throws {RaftError} invalid_config
   */
  bootstrap(founders: readonly Founder[]): void {
    bootstrapCore(this.core, founders);
    // All of it is news to the disk.
    this.#previousHard = emptyHardState;
  }

  /** One tick of the host's clock. */
  tick(): void {
    tick(this.core);
  }

  /** Starts an election now, if this node may lead. */
  campaign(): void {
    hup(this.core, this.core.config.preVote ? 'pre_election' : 'election');
  }

  /**
   * Appends data to the log, if this node leads or may pass it on. An entry is safe only once it comes back committed.
   * @throws {RaftError} proposal_dropped
   */
  propose(data: Uint8Array): void {
    this.#propose({ type: 'EntryNormal', data });
  }

  /**
   * Several entries in one append: none or all are taken.
   * @throws {RaftError} proposal_dropped
   */
  proposeBatch(batch: readonly Uint8Array[]): void {
    if (batch.length > 0) this.#propose(...batch.map((data): Proposal => ({ type: 'EntryNormal', data })));
  }

  /**
   * Proposes a change of membership. One that cannot follow the present membership comes back as an empty entry.
   * @throws {RaftError} proposal_dropped
   */
  proposeConfChange(change: ConfChange): void {
    this.#propose(encodeConfChange(change));
  }

  #propose(...proposals: readonly Proposal[]): void {
    const entries = proposals.map(({ type, data }) => ({ term: 0, index: 0, type, data }));
    const message = createMessage('MsgProp', { from: this.core.id, entries });
    if (step(this.core, message) !== 'stepped')
      throw new RaftError(
        'proposal_dropped',
        `proposal dropped by node ${this.core.id} (${this.core.role}, term ${this.core.term}, leader ${this.core.lead})`,
      );
  }

  /**
   * Makes a committed membership change the active one; called when its entry is applied, or not at all when the host
   * decides against it.
   * @returns the membership, to keep with the next snapshot
   * @throws {RaftError} invalid_conf_change
   */
  applyConfChange(change: ConfChange): ConfState {
    return applyConfChange(this.core, change);
  }

  /** Takes a message of a peer, or a response of the storage threads. Anything but `stepped` changed nothing. */
  step(message: Message): StepResult {
    const isFromStorage = isStorageThread(message.from);
    if (isLocalMessage(message.type) && !isFromStorage) return 'local_message';
    if (isResponseMessage(message.type) && !isFromStorage && !this.core.tracker.progress.has(message.from))
      return 'peer_unknown';
    assertCounter(message.term, 'term');
    assertCounter(message.index, 'index');
    assertCounter(message.commit, 'commit');
    if (message.type === 'MsgApp' && !isAppendWellFormed(message)) return 'malformed';
    if ((message.type === 'MsgProp' || message.type === 'MsgReadIndex') && message.entries.length === 0)
      return 'malformed';
    return step(this.core, message);
  }

  /**
   * Asks for a read index; it comes in `Ready.readStates` with the same context, or never: after a change of leader, a
   * lost message or too many reads waiting. The caller asks again after a while.
   */
  readIndex(context: Uint8Array): void {
    const entries = [{ term: 0, index: 0, type: 'EntryNormal' as const, data: context }];
    step(this.core, createMessage('MsgReadIndex', { entries }));
  }

  /** Hands leadership over; given up after an election timeout. */
  transferLeader(to: NodeId): void {
    step(this.core, createMessage('MsgTransferLeader', { from: to }));
  }

  /** A follower forgets its leader, without waiting for a timeout: it may then vote for another. */
  forgetLeader(): void {
    step(this.core, createMessage('MsgForgetLeader'));
  }

  /** The last message to this peer was probably lost. */
  reportUnreachable(id: NodeId): void {
    step(this.core, createMessage('MsgUnreachable', { from: id }));
  }

  /** A snapshot sent to this peer has arrived, or has failed. Must be called for each, or the peer is sent nothing more. */
  reportSnapshot(id: NodeId, outcome: 'finished' | 'failed'): void {
    step(this.core, createMessage('MsgSnapStatus', { from: id, reject: outcome === 'failed' }));
  }

  status(): Status {
    return statusOf(this.core);
  }

  hasReady(): boolean {
    const { core } = this;
    return (
      this.#isSoftChanged() ||
      this.#isHardChanged() ||
      core.log.unstable.nextSnapshot() !== null ||
      core.messages.length > 0 ||
      core.messagesAfterAppend.length > 0 ||
      core.log.unstable.hasNextEntries() ||
      core.log.hasNextCommitted(!this.#isAsync) ||
      core.readStates.length > 0
    );
  }

  /** Takes the work that is due. The host must do it, and then call `advance` (or deliver the responses). */
  ready(): Ready {
    const ready = this.peekReady();
    this.acceptReady(ready);
    return ready;
  }

  /** What `ready` would give, taking nothing. */
  peekReady(): Ready {
    const { core } = this;
    const entries = core.log.unstable.nextEntries();
    const isHardChanged = this.#isHardChanged();
    const ready = {
      softState: this.#isSoftChanged() ? core.softState() : null,
      hardState: isHardChanged ? core.hardState() : null,
      readStates: core.readStates,
      entries,
      snapshot: core.log.unstable.nextSnapshot(),
      committedEntries: core.log.nextCommitted(!this.#isAsync),
      mustSync:
        entries.length > 0 || core.vote !== this.#previousHard.vote || core.term !== this.#previousHard.term,
    };
    const messages = [...core.messages];
    if (this.#isAsync) {
      if (needsStorageAppend(core, ready)) messages.push(storageAppend(core, ready));
      if (ready.committedEntries.length > 0) messages.push(storageApply(core, ready.committedEntries));
    } else {
      for (const message of core.messagesAfterAppend) if (message.to !== core.id) messages.push(message);
    }
    return { ...ready, messages };
  }

  /** REQUIRES: `ready` is what `peekReady` just gave. */
  acceptReady(ready: Ready): void {
    const { core } = this;
    const { committedEntries } = ready;
    if (ready.softState !== null) this.#previousSoft = ready.softState;
    if (ready.hardState !== null) this.#previousHard = ready.hardState;
    if (ready.readStates.length > 0) core.readStates = [];
    if (!this.#isAsync) {
      assert(this.#onAdvance.length === 0, 'two accepted Ready structs without call to Advance');
      for (const message of core.messagesAfterAppend)
        if (message.to === core.id) this.#onAdvance.push(message);
      if (needsStorageAppendResponse(core, ready)) this.#onAdvance.push(storageAppendResponse(core, ready));
      if (committedEntries.length > 0) this.#onAdvance.push(storageApplyResponse(core, committedEntries));
    }
    core.messages = [];
    core.messagesAfterAppend = [];
    core.log.unstable.acceptInProgress();
    if (committedEntries.length > 0)
      core.log.acceptApplying(committedEntries.at(-1)!.index, entriesBytes(committedEntries), !this.#isAsync);
  }

  /** The open `Ready` is done: durable, and applied. Not with async storage writes, whose responses say it. */
  advance(): void {
    assert(!this.#isAsync, 'Advance must not be called when using AsyncStorageWrites');
    const messages = this.#onAdvance;
    this.#onAdvance = [];
    for (const message of messages) step(this.core, message);
  }

  #isSoftChanged(): boolean {
    return this.core.lead !== this.#previousSoft.lead || this.core.role !== this.#previousSoft.role;
  }

  #isHardChanged(): boolean {
    const { core } = this;
    const { term, vote, commit } = this.#previousHard;
    return core.term !== term || core.vote !== vote || core.log.committed !== commit;
  }
}

function isAppendWellFormed({ term, index, logTerm, entries }: Message): boolean {
  return isLogSlice(term, { index, term: logTerm }, entries);
}
