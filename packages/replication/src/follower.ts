/**
 * A replica that follows: joins the primary, lets itself be brought to the primary's order, then takes the stream.
 * Always: one attempt at a time, under a nonce that is never reused; what belongs to another attempt or an older term is
 * ignored; nothing is acknowledged before it is durable; the mixture that a catch-up leaves behind is on record (mode,
 * clean seq) before the first record is replaced.
 */
import { assert } from '@quiver/model';
import { sendChunkAck, takeChunk, takePlan, type Attempt } from './catch-up-target.ts';
import type { ReplicaCore } from './core.ts';
import type { PrimaryMessage } from './message.ts';
import type { AllocId } from './state.ts';

type MessageOf<Change, Key, Kind> = Extract<PrimaryMessage<Change, Key>, { kind: Kind }>;

export class Follower<Change, Key> {
  readonly #core: ReplicaCore<Change, Key>;
  #attempt: Attempt | null = null;
  #attemptCount = 0;
  #nextJoinMs = 0;
  #isAckDue = false;
  #lastAckMs = 0;
  /** Barriers whose seq is still to come. */
  #barriers: { attempt: Attempt; barrier: number; seq: number }[] = [];

  constructor(core: ReplicaCore<Change, Key>) {
    this.#core = core;
  }

  /** Whoever is primary now, this is not its session any more. */
  leave(): void {
    this.#attempt = null;
    this.#barriers = [];
    this.#nextJoinMs = this.#core.nowMs;
    this.#core.forgetAsks();
  }

  tick(): void {
    const { nowMs, limits, view, allocId } = this.#core;
    const attempt = this.#attempt;
    if (
      attempt !== null &&
      attempt.phase !== 'following' &&
      nowMs - attempt.lastProgressMs >= this.#patienceMs(attempt)
    )
      this.leave();
    if (
      this.#attempt?.phase === 'needing' &&
      this.#attempt.need !== null &&
      nowMs - this.#attempt.needSentMs >= limits.resendAfterMs
    )
      this.#sendNeed(this.#attempt);
    if (this.#attempt?.phase === 'following' && nowMs - this.#lastAckMs >= limits.keepaliveEveryMs)
      this.#isAckDue = true;
    if (this.#attempt !== null || nowMs < this.#nextJoinMs) return;
    const primary = view?.primary ?? null;
    if (primary !== null && primary !== allocId) this.#join(primary, view!.term);
  }

  #patienceMs(attempt: Attempt): number {
    const { joinEveryMs, catchUpStallMs } = this.#core.limits;
    return attempt.phase === 'joining' ? joinEveryMs : catchUpStallMs;
  }

  #join(primary: AllocId, term: number): void {
    const core = this.#core;
    this.#attemptCount += 1;
    const nonce = `${core.startId}/${this.#attemptCount}`;
    const { copiedSeq, sourceSeq, cleanSeq, rangeCopy, tombstoneHorizon } = core.state;
    const { nowMs } = core;
    this.#nextJoinMs = nowMs + core.limits.joinEveryMs;
    this.#attempt = {
      primary,
      term,
      nonce,
      phase: 'joining',
      planIndex: -1,
      need: null,
      needSentMs: 0,
      nextChunk: 0,
      durableChunks: 0,
      lastProgressMs: nowMs,
    };
    core.setRole('catching_up');
    core.send(primary, {
      kind: 'join',
      term,
      nonce,
      startId: core.startId,
      attempt: this.#attemptCount,
      history: core.history,
      positionSeq: copiedSeq,
      sourceSeq,
      cleanSeq,
      rangeCopy,
      tombstoneHorizon,
    });
  }

  receive(from: AllocId, message: PrimaryMessage<Change, Key>): void {
    const core = this.#core;
    if (message.kind === 'confirm') {
      const { term, nonce, round } = message;
      if (term >= core.knownTerm) core.send(from, { kind: 'confirmed', term, nonce, round });
      return;
    }
    const attempt = this.#attempt;
    if (attempt?.primary !== from || attempt.nonce !== message.nonce || attempt.term !== message.term) return;
    if (core.rules.fencesOlderTerms && core.knownTerm > message.term) return;
    switch (message.kind) {
      case 'reject':
        this.#rejected(message);
        break;
      case 'plan':
        takePlan(core, attempt, message, this.#isCurrent(attempt), () => this.#sendNeed(attempt));
        break;
      case 'chunk':
        this.#chunk(attempt, message);
        break;
      case 'append':
        this.#append(attempt, message);
        break;
      case 'keepalive':
        if (attempt.phase === 'following') this.#note(message);
        this.#isAckDue = true;
        break;
      case 'barrier':
        if (attempt.phase === 'following') this.#barrier(attempt, message);
        break;
      case 'list_bucket':
        this.#listBucket(attempt, message);
        break;
      case 'repair':
        this.#repair(attempt, message);
        break;
    }
  }

  #isCurrent(attempt: Attempt): () => boolean {
    return () => this.#attempt === attempt;
  }

  #rejected({ reason }: MessageOf<Change, Key, 'reject'>): void {
    const core = this.#core;
    this.leave();
    this.#nextJoinMs = core.nowMs + (reason === 'too_far_behind' ? 0 : core.limits.joinEveryMs);
    if (reason === 'no_session' || reason === 'too_far_behind') return;
    if (reason !== 'lost_data') {
      core.emit({ kind: 'refresh_view' });
      return;
    }
    core.alarm('lost_data', `${core.allocId} lacks what it had acknowledged; it must be replaced`);
    core.emit({ kind: 'replace_allocation' });
    core.setRole('removed');
  }

  #sendNeed(attempt: Attempt): void {
    const core = this.#core;
    const need = attempt.need as { dirty: readonly Key[] | null; isTooMany: boolean };
    attempt.needSentMs = core.nowMs;
    core.send(attempt.primary, { kind: 'need', term: attempt.term, nonce: attempt.nonce, ...need });
  }

  #chunk(attempt: Attempt, chunk: MessageOf<Change, Key, 'chunk'>): void {
    const core = this.#core;
    if (chunk.index < attempt.durableChunks) sendChunkAck(core, attempt, attempt.durableChunks - 1);
    takeChunk(core, attempt, chunk, this.#isCurrent(attempt), () => {
      core.setRole('follower');
      core.isTailWhole = true;
      this.#isAckDue = true;
    });
  }

  #append(attempt: Attempt, message: MessageOf<Change, Key, 'append'>): void {
    if (attempt.phase !== 'following') return;
    const core = this.#core;
    for (const operation of message.operations) {
      if (operation.seq !== core.state.lastSeq + 1) continue;
      core.persistOperation(operation, () => {
        this.#reached(operation.seq);
        this.#isAckDue = true;
      });
    }
    this.#note(message);
    this.#isAckDue = true;
  }

  #note({ committedSeq, tombstoneHorizon }: { committedSeq: number; tombstoneHorizon: number }): void {
    const core = this.#core;
    core.committedSeq = Math.max(core.committedSeq, Math.min(committedSeq, core.state.lastSeq));
    if (tombstoneHorizon <= core.durableSeq) core.raiseTombstoneHorizon(tombstoneHorizon);
  }

  #barrier(attempt: Attempt, { barrier, seq }: MessageOf<Change, Key, 'barrier'>): void {
    const { durableSeq } = this.#core;
    if (seq < durableSeq) this.#sendDigests(attempt, barrier, null);
    else if (seq === durableSeq) this.#takeDigests(attempt, barrier, seq);
    else this.#barriers.push({ attempt, barrier, seq });
  }

  #reached(seq: number): void {
    if (this.#barriers.length === 0) return;
    for (const { attempt, barrier, seq: at } of this.#barriers)
      if (at === seq) this.#takeDigests(attempt, barrier, seq);
    this.#barriers = this.#barriers.filter(({ seq: at }) => at > seq);
  }

  /** The answer may be long in coming: it belongs to this attempt's barrier, not to one of the same number later. */
  #takeDigests(attempt: Attempt, barrier: number, seq: number): void {
    this.#core.ask({ kind: 'take_digests', seq }, ({ buckets }) =>
      this.#sendDigests(attempt, barrier, buckets),
    );
  }

  #sendDigests({ primary, term, nonce }: Attempt, barrier: number, buckets: Uint32Array | null): void {
    this.#core.send(primary, { kind: 'digests', term, nonce, barrier, buckets });
  }

  #listBucket(
    { primary, term, nonce }: Attempt,
    { barrier, bucket }: MessageOf<Change, Key, 'list_bucket'>,
  ): void {
    this.#core.ask({ kind: 'list_bucket', bucket }, ({ entries }) =>
      this.#core.send(primary, { kind: 'bucket_listed', term, nonce, barrier, bucket, entries }),
    );
  }

  #repair(attempt: Attempt, { seq, records, absent }: MessageOf<Change, Key, 'repair'>): void {
    const core = this.#core;
    if (attempt.phase !== 'following' || core.state.lastSeq < seq) return;
    const write = { kind: 'repair', seq, records, absent } as const;
    core.persist({ write, state: {} }, () => {
      core.emit({ kind: 'install', write });
      core.publish(core.durableSeq);
    });
  }

  /** At the end of a step, so that one acknowledgement stands for all of it. */
  acknowledge(): void {
    if (!this.#isAckDue) return;
    this.#isAckDue = false;
    const attempt = this.#attempt;
    if (attempt === null) return;
    const core = this.#core;
    const { primary, term, nonce, phase } = attempt;
    this.#lastAckMs = core.nowMs;
    const isFollowing = phase === 'following';
    assert(
      !isFollowing || core.durableSeq <= core.state.lastSeq,
      `durable ${core.durableSeq} of ${core.state.lastSeq}`,
    );
    core.send(primary, {
      kind: 'ack',
      term,
      nonce,
      // In the middle of a catch-up this only says that we live.
      receivedSeq: isFollowing ? core.state.lastSeq : 0,
      durableSeq: isFollowing ? core.durableSeq : 0,
      appliedSeq: isFollowing ? core.appliedSeq : 0,
    });
  }

  noteApplied(): void {
    if (this.#attempt?.phase === 'following') this.#isAckDue = true;
  }
}
