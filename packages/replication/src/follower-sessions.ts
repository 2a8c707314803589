/**
 * All sessions of a primary's followers. Always: one session for each copy, the newest attempt of its newest start; a
 * message of another session is answered with a reject and otherwise ignored.
 */
import { advanceCatchUp, planCatchUp, sendPlan, takeChunkAck, takeNeed } from './catch-up-source.ts';
import type { ReplicaCore } from './core.ts';
import type { Standing } from './in-sync-set.ts';
import type { FollowerMessage, PrimaryMessage, RejectReason } from './message.ts';
import type { OperationLog } from './operation-log.ts';
import type { FollowerStatus } from './replica.ts';
import type { Session } from './session.ts';
import { pump, resend, takeAck } from './stream.ts';
import type { AllocId } from './state.ts';

type Join<Key> = Extract<FollowerMessage<Key>, { kind: 'join' }>;
type WithoutSession<T> = T extends unknown ? Omit<T, 'term' | 'nonce'> : never;

/** A session of which nothing is heard is given up after so many times the limit for the in-sync set. */
const silenceFactor = 4;
/** Starts of a copy whose joins are told apart. */
const startsKept = 8;

export class FollowerSessions<Change, Key> {
  readonly #core: ReplicaCore<Change, Key>;
  readonly #log: OperationLog<Change>;
  readonly #sessions = new Map<AllocId, Session<Change, Key>>();
  /** Of each copy the newest attempts of its last starts: a join may come twice, and late. */
  readonly #attempts = new Map<AllocId, Map<string, number>>();
  /** What each copy acknowledged in this term, whatever became of its session. */
  readonly #ackedSeqs = new Map<AllocId, number>();
  readonly #sinceMs: number;

  constructor(core: ReplicaCore<Change, Key>, log: OperationLog<Change>) {
    this.#core = core;
    this.#log = log;
    this.#sinceMs = core.nowMs;
  }

  get(follower: AllocId): Session<Change, Key> | undefined {
    return this.#sessions.get(follower);
  }
  followers(): AllocId[] {
    return [...this.#sessions.keys()];
  }
  nonceOf(follower: AllocId): string {
    return this.#sessions.get(follower)?.nonce ?? '';
  }
  durableSeqOf(follower: AllocId): number {
    return this.#sessions.get(follower)?.durableSeq ?? 0;
  }
  appliedSeqOf(follower: AllocId): number {
    return this.#sessions.get(follower)?.appliedSeq ?? 0;
  }
  /** Durable seq of a follower that streams; else -1. */
  streamingSeqOf(follower: AllocId): number {
    const session = this.#sessions.get(follower);
    return session?.phase === 'streaming' ? session.durableSeq : -1;
  }
  /** What the copy may need tombstones above; 0 when that is not known. */
  positionOf(copy: AllocId): number {
    return this.#sessions.get(copy)?.positionSeq ?? 0;
  }

  standingOf(member: AllocId): Standing {
    const session = this.#sessions.get(member);
    return {
      lastHeardMs: session?.lastHeardMs ?? this.#sinceMs,
      brokenMs: session?.brokenMs ?? null,
      lastProgressMs: session?.lastProgressMs ?? this.#sinceMs,
      hasJoined: session !== undefined,
      isStreaming: session?.phase === 'streaming',
      durableSeq: session?.durableSeq ?? 0,
      isSearchable: (session?.appliedSeq ?? 0) > 0,
    };
  }

  streaming(): Session<Change, Key>[] {
    return [...this.#sessions.values()].filter(({ phase }) => phase === 'streaming');
  }

  join(follower: AllocId, join: Join<Key>, isPlaced: boolean): void {
    const core = this.#core;
    if (!isPlaced) {
      this.#reject(follower, join.nonce, 'unknown_allocation');
      core.emit({ kind: 'refresh_view' });
      return;
    }
    if (!this.#isNew(follower, join)) return;
    const ackedSeq = this.#ackedSeqs.get(follower) ?? 0;
    if (join.positionSeq < ackedSeq) {
      // Or the join is late, and of an earlier start: only the copy itself can tell, and alarms.
      this.#reject(follower, join.nonce, 'lost_data');
      return;
    }
    const source = planCatchUp<Change, Key>(core, join);
    const earlier = this.#sessions.get(follower);
    const session: Session<Change, Key> = {
      follower,
      nonce: join.nonce,
      phase: 'planned',
      durableSeq: 0,
      appliedSeq: 0,
      receivedSeq: 0,
      sentSeq: 0,
      lastHeardMs: core.nowMs,
      brokenMs: null,
      // A new attempt is no progress: who fails again and again is stuck.
      lastProgressMs: earlier?.lastProgressMs ?? core.nowMs,
      lastSentMs: core.nowMs,
      positionSeq: source.copiedSeq,
      source,
    };
    this.#sessions.set(follower, session);
    sendPlan(core, session);
  }

  #isNew(follower: AllocId, { startId, attempt }: Join<Key>): boolean {
    const attempts = this.#attempts.get(follower) ?? new Map<string, number>();
    this.#attempts.set(follower, attempts);
    if (attempt <= (attempts.get(startId) ?? 0)) return false;
    attempts.set(startId, attempt);
    const [oldest] = attempts.keys();
    if (attempts.size > startsKept) attempts.delete(oldest!);
    return true;
  }

  /** Whether a message belongs to the follower's session; if not, it is told to join again. */
  isOf(follower: AllocId, message: FollowerMessage<Key>): boolean {
    const isKnown = this.#sessions.get(follower)?.nonce === message.nonce;
    if (!isKnown) this.#reject(follower, message.nonce, 'no_session');
    return isKnown;
  }

  /** @returns whether more may be committed or applied now */
  receive(
    follower: AllocId,
    message: Extract<FollowerMessage<Key>, { kind: 'need' | 'chunk_ack' | 'ack' }>,
  ): boolean {
    const core = this.#core;
    const session = this.#sessions.get(follower)!;
    const isOpen = (): boolean => this.#sessions.get(follower) === session;
    let isMore = false;
    if (message.kind === 'need') takeNeed(core, session, message, isOpen);
    else if (message.kind === 'chunk_ack') isMore = takeChunkAck(core, session, message.index, isOpen);
    else isMore = takeAck(core, session, message);
    if (session.phase === 'streaming')
      this.#ackedSeqs.set(follower, Math.max(this.#ackedSeqs.get(follower) ?? 0, session.durableSeq));
    this.#pump(session);
    return isMore;
  }

  /** A new operation begins the time in which followers must make it durable. */
  ordered(): void {
    const { state, nowMs } = this.#core;
    for (const session of this.#sessions.values())
      if (session.phase === 'streaming' && session.durableSeq === state.lastSeq - 1)
        session.lastProgressMs = nowMs;
  }

  pumpAll(): void {
    for (const session of this.#sessions.values()) this.#pump(session);
  }

  sendTo(follower: AllocId, message: WithoutSession<PrimaryMessage<Change, Key>>): void {
    const session = this.#sessions.get(follower);
    if (session?.phase !== 'streaming') return;
    this.#core.send(follower, { ...message, term: this.#core.state.term, nonce: session.nonce });
  }

  /** The connection broke: what is on its way is lost. */
  disconnected(follower: AllocId): void {
    const session = this.#sessions.get(follower);
    if (session === undefined) return;
    const { nowMs, limits } = this.#core;
    session.brokenMs ??= nowMs;
    session.lastSentMs = Math.min(session.lastSentMs, nowMs - limits.resendAfterMs);
    session.source.resends = 0;
    session.source.chunkSentMs = -Infinity;
  }

  keepOnly(placed: readonly AllocId[]): void {
    for (const follower of this.#sessions.keys()) if (!placed.includes(follower)) this.#drop(follower);
  }

  tick(inSync: readonly AllocId[]): void {
    const core = this.#core;
    for (const session of [...this.#sessions.values()]) {
      const { follower, lastHeardMs } = session;
      const isSilent = core.nowMs - lastHeardMs >= silenceFactor * core.limits.silentMs;
      if (isSilent && !inSync.includes(follower)) this.#drop(follower);
      else {
        resend(core, session);
        this.#pump(session);
        advanceCatchUp(core, session, () => this.#sessions.get(follower) === session);
      }
    }
  }

  /** Keeps what is not committed, and what sessions need next, within the window. */
  trimLog(): void {
    const { committedSeq, limits } = this.#core;
    let keptAbove = committedSeq;
    for (const session of this.#sessions.values()) {
      const needed = session.phase === 'streaming' ? session.durableSeq : session.source.holdSeq;
      if (needed >= this.#log.firstSeq - 1) keptAbove = Math.min(keptAbove, needed);
    }
    while (
      keptAbove < committedSeq &&
      this.#log.bytesBetween(keptAbove, committedSeq) > limits.windowBytesMax
    )
      keptAbove += 1;
    this.#log.trimTo(keptAbove);
  }

  get isEmpty(): boolean {
    return this.#sessions.size === 0;
  }

  status(inSync: readonly AllocId[]): FollowerStatus[] {
    return [...this.#sessions.values()].map(({ follower, phase, durableSeq, appliedSeq }) => ({
      allocId: follower,
      phase: phase === 'planned' ? 'joining' : phase === 'copying' ? 'catching_up' : 'streaming',
      durableSeq,
      appliedSeq,
      isInSync: inSync.includes(follower),
    }));
  }

  #pump(session: Session<Change, Key>): void {
    if (pump(this.#core, this.#log, session)) return;
    this.#reject(session.follower, session.nonce, 'too_far_behind');
    this.#drop(session.follower);
  }

  #reject(follower: AllocId, nonce: string, reason: RejectReason): void {
    this.#core.send(follower, { kind: 'reject', term: this.#core.state.term, nonce, reason });
  }

  #drop(follower: AllocId): void {
    this.#sessions.delete(follower);
  }
}
