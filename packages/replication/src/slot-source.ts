/**
 * The source's side of one move of slots: copies their points while they are written to, fences them, copies the rest, and
 * has the metadata store give them to the other shard. A deterministic state machine like a replica: inputs in, effects out.
 *
 * open -> copying (pages by seq, until the end comes near) -> fencing (what was admitted is committed) -> draining (the
 * rest) -> closing (the target has all, and says as of which configuration) -> deciding (move_slots) -> ended.
 *
 * Always: lives in one term of the source; `decide` is emitted only while the slots are fenced, all that was admitted to
 * them is committed, and the target has confirmed all of it; the fence stays up after a move that succeeded, until the
 * source knows that it does not own the slots; a move that fails takes the fence down, once nothing of it can come to pass.
 */
import { assert } from '@quiver/model';
import {
  isSameMove,
  type MoveName,
  type SlotSourceMessage,
  type SlotStep,
  type SlotTargetMessage,
} from './slot-message.ts';

export interface SlotMoveLimits {
  /** Of points in one step. */
  readonly pageBytes: number;
  /** Steps sent and not yet done. */
  readonly stepsInFlightMax: number;
  /** Less than this came while everything before was copied: the rest is copied behind the fence. */
  readonly fenceBytesMax: number;
  /** After so many rounds the fence goes up all the same: writes come faster than they are copied. */
  readonly roundsMax: number;
  readonly resendAfterMs: number;
  /** Without progress, before the fence. */
  readonly stallMs: number;
  /** From the fence to the decision: writes wait that long at most. */
  readonly fencedMsMax: number;
  /** Asking for a newer configuration of the target after a refused decision. */
  readonly decisionsMax: number;
}

export const defaultSlotMoveLimits: SlotMoveLimits = {
  pageBytes: 512 << 10,
  stepsInFlightMax: 4,
  fenceBytesMax: 256 << 10,
  roundsMax: 8,
  resendAfterMs: 1_000,
  stallMs: 10_000,
  fencedMsMax: 3_000,
  decisionsMax: 4,
};

export type SlotSourceInput<Change> =
  | { readonly kind: 'start'; readonly nowMs: number }
  | { readonly kind: 'tick'; readonly nowMs: number }
  | { readonly kind: 'receive'; readonly message: SlotTargetMessage; readonly nowMs: number }
  /** Answer to `read_slots`. */
  | {
      readonly kind: 'slot_page';
      /** In the order of the source. Deletions too, if they may be of points that were copied. */
      readonly changes: readonly Change[];
      readonly bytes: number;
      /** Everything up to here was looked at. */
      readonly upToSeq: number;
      /** The page ends at the end of the order, as of the question or later. */
      readonly isEnd: boolean;
      readonly nowMs: number;
    }
  /** The fence is up, and everything admitted before is committed and durable here. */
  | { readonly kind: 'fenced'; readonly nowMs: number }
  /** refused: it has not moved and never will by what was proposed. */
  | { readonly kind: 'decided'; readonly outcome: 'moved' | 'refused'; readonly nowMs: number }
  /** The source is no primary any more, or another move is wanted. Ignored while it is being decided. */
  | { readonly kind: 'stop'; readonly reason: string; readonly nowMs: number };

export type SlotSourceEffect<Change> =
  | { readonly kind: 'send'; readonly message: SlotSourceMessage<Change> }
  | { readonly kind: 'read_slots'; readonly afterSeq: number; readonly budgetBytes: number }
  | { readonly kind: 'fence' }
  | { readonly kind: 'unfence' }
  /** Propose move_slots until its fate is known; before that, reads must not be told to be the newest here. */
  | { readonly kind: 'decide'; readonly toCfgVersion: number }
  | { readonly kind: 'ended'; readonly isMoved: boolean; readonly reason: string };

type Phase = 'opening' | 'copying' | 'fencing' | 'draining' | 'closing' | 'deciding' | 'ended';

export class SlotSource<Change> {
  readonly #name: MoveName;
  readonly #slots: readonly [number, number];
  readonly #limits: SlotMoveLimits;
  #phase: Phase = 'opening';
  #effects: SlotSourceEffect<Change>[] = [];
  #nowMs = 0;
  #unacked: { readonly step: number; readonly part: SlotStep<Change> }[] = [];
  #nextStep = 0;
  #copiedSeq = 0;
  #isReading = false;
  #isAtEnd = false;
  #roundBytes = 0;
  #rounds = 0;
  #decisions = 0;
  #lastSentMs = 0;
  #lastProgressMs = 0;
  #fencedAtMs = 0;

  constructor(
    name: MoveName,
    slots: readonly [from: number, to: number],
    limits: Partial<SlotMoveLimits> = {},
  ) {
    const { fromShard, term, attempt } = name;
    this.#name = { fromShard, term, attempt };
    this.#slots = slots;
    this.#limits = { ...defaultSlotMoveLimits, ...limits };
  }

  get slots(): readonly [from: number, to: number] {
    return this.#slots;
  }
  get name(): MoveName {
    return this.#name;
  }
  get isEnded(): boolean {
    return this.#phase === 'ended';
  }
  get isDeciding(): boolean {
    return this.#phase === 'deciding';
  }
  /** Operations on the slots must be refused. */
  get isFenced(): boolean {
    return (
      this.#phase === 'fencing' ||
      this.#phase === 'draining' ||
      this.#phase === 'closing' ||
      this.#phase === 'deciding'
    );
  }

  step(input: SlotSourceInput<Change>): SlotSourceEffect<Change>[] {
    this.#nowMs = Math.max(this.#nowMs, input.nowMs);
    if (this.#phase !== 'ended') this.#dispatch(input);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #dispatch(input: SlotSourceInput<Change>): void {
    switch (input.kind) {
      case 'start':
        this.#lastProgressMs = this.#nowMs;
        this.#send({ kind: 'open', slots: this.#slots });
        break;
      case 'tick':
        this.#tick();
        break;
      case 'receive':
        if (isSameMove(input.message, this.#name)) this.#receive(input.message);
        break;
      case 'slot_page':
        this.#takePage(input);
        break;
      case 'fenced':
        assert(this.#phase === 'fencing', `a fence is up in phase ${this.#phase}`);
        this.#phase = 'draining';
        this.#isAtEnd = false;
        this.#advance();
        break;
      case 'decided':
        this.#decided(input.outcome);
        break;
      case 'stop':
        if (this.#phase !== 'deciding') this.#fail(input.reason);
    }
  }

  #tick(): void {
    const { resendAfterMs, stallMs, fencedMsMax } = this.#limits;
    if (this.#phase === 'deciding') return;
    if (this.isFenced && this.#nowMs - this.#fencedAtMs >= fencedMsMax) {
      this.#fail(`writes have waited for ${fencedMsMax} ms`);
      return;
    }
    // Reading may be held back, and comes to an end by itself.
    if (!this.#isReading && this.#nowMs - this.#lastProgressMs >= stallMs) {
      this.#fail(`nothing has come of it for ${stallMs} ms`);
      return;
    }
    if (this.#unacked.length === 0 || this.#nowMs - this.#lastSentMs < resendAfterMs) return;
    this.#lastSentMs = this.#nowMs;
    for (const { step, part } of this.#unacked) this.#emitStep(step, part);
  }

  #receive(message: SlotTargetMessage): void {
    if (message.kind === 'slot_refused') {
      if (this.#phase !== 'deciding') this.#fail(`the other shard refused: ${message.detail}`);
      return;
    }
    const before = this.#unacked.length;
    this.#unacked = this.#unacked.filter(({ step }) => step > message.step);
    if (this.#unacked.length === before) return;
    this.#lastProgressMs = this.#nowMs;
    if (this.#phase === 'closing' && this.#unacked.length === 0) {
      assert(message.cfgVersion !== null, 'a close is answered without a configuration');
      this.#phase = 'deciding';
      this.#effects.push({ kind: 'decide', toCfgVersion: message.cfgVersion });
      return;
    }
    if (this.#phase === 'opening') this.#phase = 'copying';
    this.#advance();
  }

  #takePage(page: Extract<SlotSourceInput<Change>, { kind: 'slot_page' }>): void {
    this.#isReading = false;
    this.#lastProgressMs = this.#nowMs;
    this.#copiedSeq = Math.max(this.#copiedSeq, page.upToSeq);
    this.#roundBytes += page.bytes;
    this.#isAtEnd = page.isEnd;
    if (page.changes.length > 0) this.#send({ kind: 'points', changes: page.changes });
    this.#advance();
  }

  #advance(): void {
    const { stepsInFlightMax, fenceBytesMax, roundsMax, pageBytes } = this.#limits;
    if (this.#isReading || (this.#phase !== 'copying' && this.#phase !== 'draining')) return;
    if (this.#isAtEnd) {
      if (this.#phase === 'draining') {
        this.#phase = 'closing';
        this.#send({ kind: 'close' });
        return;
      }
      // The target has all of the round before it is judged how much came meanwhile.
      if (this.#unacked.length > 0) return;
      this.#rounds += 1;
      if (this.#roundBytes <= fenceBytesMax || this.#rounds >= roundsMax) {
        this.#phase = 'fencing';
        this.#fencedAtMs = this.#nowMs;
        this.#effects.push({ kind: 'fence' });
        return;
      }
      this.#roundBytes = 0;
      this.#isAtEnd = false;
    }
    if (this.#unacked.length >= stepsInFlightMax) return;
    this.#isReading = true;
    this.#effects.push({ kind: 'read_slots', afterSeq: this.#copiedSeq, budgetBytes: pageBytes });
  }

  #decided(outcome: 'moved' | 'refused'): void {
    assert(this.#phase === 'deciding', `a decision in phase ${this.#phase}`);
    if (outcome === 'moved') {
      this.#phase = 'ended';
      this.#effects.push({ kind: 'ended', isMoved: true, reason: '' });
      return;
    }
    this.#decisions += 1;
    this.#phase = 'closing';
    if (this.#decisions >= this.#limits.decisionsMax) this.#fail('it was refused');
    else {
      this.#lastProgressMs = this.#nowMs;
      this.#send({ kind: 'close' });
    }
  }

  #fail(reason: string): void {
    assert(this.#phase !== 'deciding', 'what is being decided may come to pass');
    if (this.isFenced) this.#effects.push({ kind: 'unfence' });
    this.#phase = 'ended';
    this.#effects.push(
      { kind: 'send', message: { ...this.#name, kind: 'slot_stop' } },
      { kind: 'ended', isMoved: false, reason },
    );
  }

  #send(part: SlotStep<Change>): void {
    const step = this.#nextStep;
    this.#nextStep += 1;
    this.#lastSentMs = this.#nowMs;
    this.#unacked.push({ step, part });
    this.#emitStep(step, part);
  }

  #emitStep(step: number, part: SlotStep<Change>): void {
    this.#effects.push({ kind: 'send', message: { ...this.#name, kind: 'slot_step', step, part } });
  }
}
