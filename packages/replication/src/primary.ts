/**
 * The primary of one term: gives operations their place, streams them, and answers when every in-sync replica has them.
 * Always: refuses before anything is applied; committed never goes back; lives for one term and one start at most (a
 * restart begins a new term).
 */
import { assert } from '@quiver/model';
import type { ReplicaCore } from './core.ts';
import { DigestCheck } from './digest-check.ts';
import { FollowerSessions } from './follower-sessions.ts';
import { HandOver } from './hand-over.ts';
import { InSyncSet } from './in-sync-set.ts';
import type { Input, ProposeInput } from './input.ts';
import type { FollowerMessage } from './message.ts';
import { OperationLog } from './operation-log.ts';
import { ReadConfirmation } from './read-confirmation.ts';
import { SlotFences } from './slot-fences.ts';
import type { AllocId, Operation, ShardView } from './state.ts';
import { TombstoneHorizon } from './tombstones.ts';
import { Waiters } from './waiters.ts';

type InputOf<Change, Key, Kind> = Extract<Input<Change, Key>, { kind: Kind }>;

/** What an operation costs beside its changes. */
const operationBytes = 64;

export class Primary<Change, Key> {
  readonly #core: ReplicaCore<Change, Key>;
  #view: ShardView;
  readonly #log: OperationLog<Change>;
  readonly #inSync: InSyncSet<Change, Key>;
  readonly #sessions: FollowerSessions<Change, Key>;
  readonly #durableWaiters: Waiters<Change, Key>;
  readonly #appliedWaiters: Waiters<Change, Key>;
  readonly #reads: ReadConfirmation<Change, Key>;
  readonly #fences: SlotFences<Change, Key>;
  readonly #tombstones: TombstoneHorizon<Change, Key>;
  readonly #digests: DigestCheck<Change, Key>;
  #handOver: HandOver<Change, Key> | null = null;
  /** Where its term began: everything that was acknowledged before lies up to here. */
  readonly #ledFromSeq: number;
  #tickedMs: number;
  /** When it last went on after it had stood still. */
  #wokeMs = -Infinity;

  constructor(core: ReplicaCore<Change, Key>, view: ShardView) {
    this.#core = core;
    this.#view = view;
    this.#ledFromSeq = core.state.lastSeq;
    this.#tickedMs = core.nowMs;
    this.#log = new OperationLog(core.state.lastSeq);
    this.#inSync = new InSyncSet(core, view);
    this.#sessions = new FollowerSessions(core, this.#log);
    this.#durableWaiters = new Waiters(core);
    this.#appliedWaiters = new Waiters(core);
    this.#reads = new ReadConfirmation(
      core,
      (member) => this.#sessions.nonceOf(member),
      () => this.#inSync.effective,
    );
    this.#fences = new SlotFences(core);
    this.#tombstones = new TombstoneHorizon(core);
    this.#digests = new DigestCheck(core, true, (follower, message) =>
      this.#sessions.sendTo(follower, message),
    );
    this.advance();
  }

  get effectiveIsr(): readonly AllocId[] {
    return this.#inSync.effective;
  }
  get isDraining(): boolean {
    return this.#handOver !== null;
  }
  get sessions(): FollowerSessions<Change, Key> {
    return this.#sessions;
  }
  get admittedBytes(): number {
    return this.#log.bytesBetween(this.#core.committedSeq, this.#core.state.lastSeq);
  }

  propose(input: ProposeInput<Change>): void {
    const core = this.#core;
    const { call, operationKey, receipt, deadlineMs, waitFor } = input;
    const waiters = waitFor === 'applied' ? this.#appliedWaiters : this.#durableWaiters;
    const earlier = operationKey === null ? undefined : core.operations.find(operationKey);
    if (earlier?.isTorn === true) {
      core.refuse(
        call,
        'torn',
        true,
        `operation ${earlier.seq} was cut by a promotion; its outcome is unknown`,
      );
      return;
    }
    if (earlier !== undefined) {
      waiters.add({ call, seq: earlier.seq, receipt: earlier.receipt, isRepeated: true, deadlineMs });
      this.#answer();
      return;
    }
    if (input.isElsewhere === true) {
      core.refuse(call, 'elsewhere', false, 'the shard does not own all of its points');
      return;
    }
    const bytes = this.#admit(input);
    if (bytes === null) return;
    const seq = core.state.lastSeq + 1;
    const operation: Operation<Change> = {
      seq,
      term: core.state.term,
      operationKey,
      wallMs: input.wallMs,
      receipt,
      changes: input.changes,
      adopted: input.adopted ?? [],
    };
    waiters.add({ call, seq, receipt, isRepeated: false, deadlineMs });
    core.persistOperation(operation, () => {
      if (this.#core.role !== 'primary') return;
      this.#digests.reached(seq);
      this.advance();
    });
    this.#log.push(operation, bytes);
    this.#sessions.ordered();
    this.#sessions.pumpAll();
  }

  /** @returns bytes of the operation, or null when it was refused; then nothing of it exists */
  #admit({ call, changes, deadlineMs }: ProposeInput<Change>): number | null {
    const core = this.#core;
    const { admittedBytesMax, admittedCountMax } = core.limits;
    const refuse = (...[reason, detail]: [Parameters<typeof core.refuse>[1], string]): null => {
      core.refuse(call, reason, false, detail);
      return null;
    };
    if (deadlineMs <= core.nowMs)
      return refuse('deadline_exceeded', 'the deadline had passed before it began');
    if (this.#handOver !== null)
      return refuse('handing_over', `${this.#handOver.to} is about to be the primary`);
    const slot = this.#fences.hit(changes);
    if (slot !== null) return refuse('fenced', `slot ${slot} is moving to another shard`);
    const [inSync, wanted] = [this.#inSync.surelyCount, this.#view.minInSync];
    if (inSync < wanted)
      return refuse('not_enough_replicas', `${inSync} replicas are in sync, the write needs ${wanted}`);
    let bytes = operationBytes;
    for (const change of changes) bytes += core.config.traits.bytesOf(change);
    const admitted = this.admittedBytes;
    if (admitted > 0 && admitted + bytes > admittedBytesMax)
      return refuse(
        'resource_exhausted',
        `${admitted} of ${admittedBytesMax} bytes are being replicated, this write has ${bytes}`,
      );
    const waiting = this.#durableWaiters.count + this.#appliedWaiters.count;
    if (waiting >= admittedCountMax)
      return refuse('resource_exhausted', `${waiting} writes wait for their replicas already`);
    return bytes;
  }

  /** Something became durable or applied somewhere, or the in-sync set changed. */
  advance(): void {
    const core = this.#core;
    const seqs = this.#inSync.effective.map((member) =>
      member === core.allocId ? core.durableSeq : this.#sessions.durableSeqOf(member),
    );
    const common = Math.min(core.rules.commonSeq(seqs), core.durableSeq);
    assert(common <= core.state.lastSeq, `seq ${common} is in sync, ${core.state.lastSeq} is the last one`);
    core.committedSeq = Math.max(core.committedSeq, common);
    this.#sessions.trimLog();
    this.#reads.answer();
    this.#fences.drain();
    this.#answer();
    this.#handOver?.advance(this.#handOverSeq());
  }

  #answer(): void {
    const core = this.#core;
    // Enough replicas when it was admitted, not enough now: the promise of so many copies holds the answer back.
    if (this.#inSync.effective.length < this.#view.minInSync) return;
    this.#durableWaiters.answerTo(core.committedSeq);
    if (this.#appliedWaiters.count === 0) return;
    const seqs = this.#inSync.effective.map((member) =>
      member === core.allocId ? core.appliedSeq : this.#sessions.appliedSeqOf(member),
    );
    this.#appliedWaiters.answerTo(Math.min(core.committedSeq, core.rules.commonSeq(seqs)));
  }

  #handOverSeq(): number {
    const to = this.#handOver?.to ?? '';
    return this.#inSync.known.includes(to) ? this.#sessions.streamingSeqOf(to) : -1;
  }

  takeView(view: ShardView): void {
    this.#view = view;
    this.#inSync.take(view);
    this.#sessions.keepOnly(view.replicas);
    if (this.#reads.keepOnly(this.#inSync.effective)) this.#reads.end();
    this.advance();
  }

  receive(from: AllocId, message: FollowerMessage<Key>): void {
    const core = this.#core;
    if (message.kind === 'join') {
      this.#sessions.join(from, message, this.#view.replicas.includes(from));
      return;
    }
    // A confirmation stands for itself: it says what the follower knows, not what it has.
    if (message.kind === 'confirmed') {
      if (this.#reads.confirmed(from, message.round)) this.#reads.end();
      return;
    }
    if (!this.#sessions.isOf(from, message)) return;
    switch (message.kind) {
      case 'need':
      case 'chunk_ack':
      case 'ack':
        if (this.#sessions.receive(from, message)) this.advance();
        break;
      case 'digests':
        this.#digests.taken(from, message.barrier, message.buckets);
        break;
      case 'bucket_listed':
        this.#digests.listed(from, message.barrier, message.bucket, message.entries);
        break;
    }
    const session = this.#sessions.get(from);
    if (session === undefined) return;
    session.lastHeardMs = core.nowMs;
    session.brokenMs = null;
  }

  confirmRead(input: InputOf<Change, Key, 'confirm_read'>): void {
    const { call, seq, deadlineMs } = input;
    const { limits, state } = this.#core;
    if (seq !== null && seq > state.lastSeq)
      // It was evaluated before a rewind: what it saw was never committed.
      this.#core.refuse(call, 'stale_route', false, `seq ${seq} of the read is beyond ${state.lastSeq}`);
    else if (seq !== null && seq < this.#ledFromSeq)
      // It was evaluated while another led: what that one acknowledged may not have been visible here yet.
      this.#core.refuse(call, 'stale_route', false, `seq ${seq} of the read is from before this replica led`);
    else if (this.#reads.count >= limits.pendingReadsMax)
      this.#core.refuse(
        call,
        'resource_exhausted',
        false,
        `${this.#reads.count} reads wait for confirmation`,
      );
    else this.#reads.add({ call, seq: seq ?? 0, deadlineMs });
  }

  handOver(input: InputOf<Change, Key, 'hand_over'>): void {
    if (
      this.#handOver !== null ||
      !this.#inSync.known.includes(input.to) ||
      input.to === this.#core.allocId
    ) {
      this.#core.emit({ kind: 'hand_over_ended', isDone: false });
      return;
    }
    this.#handOver = new HandOver(this.#core, input.to, input.deadlineMs);
    this.#handOver.advance(this.#handOverSeq());
  }

  fence(input: InputOf<Change, Key, 'fence' | 'unfence'>): void {
    if (input.kind === 'fence') this.#fences.raise(input.fence, input.slots);
    else this.#fences.lower(input.fence);
  }

  checkDigests(): void {
    this.#digests.begin(this.#sessions.streaming());
  }

  tick(): void {
    this.#durableWaiters.tick();
    this.#appliedWaiters.tick();
    this.#reads.tick();
    this.#sessions.tick(this.#inSync.known);
    if (!this.#isWaking())
      this.#inSync.tick((member) => this.#sessions.standingOf(member), this.#sessions.followers());
    this.#tombstones.tick(this.#lowestPosition());
    this.#digests.tick();
    if (this.#digests.isDue) this.checkDigests();
    if (this.#handOver?.isOver() === true) this.#handOver = null;
    this.advance();
  }

  /**
   * This process stood still a moment ago: others seem silent whose messages are only not read yet. Counted once in a
   * while: a process that stands still again and again still evicts who is silent.
   */
  #isWaking(): boolean {
    const { nowMs, limits } = this.#core;
    const { stalledMs, wakeMs, silentMs } = limits;
    const stoodMs = nowMs - this.#tickedMs;
    this.#tickedMs = nowMs;
    if (stoodMs >= stalledMs && nowMs - this.#wokeMs >= 2 * silentMs) this.#wokeMs = nowMs;
    return nowMs - this.#wokeMs < wakeMs;
  }

  #lowestPosition(): number {
    const { allocId, durableSeq, rules } = this.#core;
    const counted = rules.tombstonesWaitForAll ? this.#view.replicas : [allocId];
    return Math.min(
      ...counted.map((copy) => (copy === allocId ? durableSeq : this.#sessions.positionOf(copy))),
    );
  }

  /** Another replica leads, or nobody. What was not answered may or may not stay. */
  stepDown(view: ShardView): void {
    this.#durableWaiters.refuseAll();
    this.#appliedWaiters.refuseAll();
    this.#reads.refuseAll();
    this.#handOver?.ended(view);
  }
}
