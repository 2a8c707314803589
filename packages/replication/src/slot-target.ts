/**
 * The target's side of moves of slots to a shard: takes the steps of one move at a time and has them ordered like any other
 * write. A deterministic state machine: inputs in, effects out.
 * Always: lives in one term of the target (a new primary knows of no move, and the source begins anew); slots that the
 * shard owns are never opened; of two moves of one source the newer one counts; what is on its way is not rubbish, so the
 * slots of a move are held until the shard owns them, or they cannot come any more.
 */
import {
  isOlderMove,
  isSameMove,
  type MoveName,
  type SlotSourceMessage,
  type SlotTargetMessage,
} from './slot-message.ts';
import { containsRuns, type SlotRuns } from '@quiver/model';

export type SlotTargetInput<Change> =
  /** How the target's primary knows its shard. Before anything else, and at each change. */
  | { readonly kind: 'view'; readonly cfgVersion: number; readonly slots: SlotRuns }
  /** @param from - whom to answer: the source's replica */
  | {
      readonly kind: 'receive';
      readonly from: number;
      readonly message: SlotSourceMessage<Change>;
      readonly nowMs: number;
    }
  /** A `clear` or `write` is on every in-sync replica; or it failed, and then nothing after it counts. */
  | {
      readonly kind: 'written';
      readonly move: MoveName;
      readonly step: number;
      readonly failure: string | null;
      readonly nowMs: number;
    }
  | { readonly kind: 'tick'; readonly nowMs: number };

export type SlotTargetEffect<Change> =
  /** Delete what there is of the slots. Writes are begun only after it is done. */
  | { readonly kind: 'clear'; readonly move: MoveName; readonly step: number; readonly slots: SlotRuns }
  | {
      readonly kind: 'write';
      readonly move: MoveName;
      readonly step: number;
      readonly changes: readonly Change[];
    }
  | { readonly kind: 'send'; readonly to: number; readonly message: SlotTargetMessage };

interface Incoming {
  readonly name: MoveName;
  readonly from: number;
  readonly slots: SlotRuns;
  /** The next to be begun. */
  nextStep: number;
  doneStep: number;
  /** A close that waits for the writes before it. */
  closeStep: number | null;
  /** As of the last close: while it stands, the slots may be given to this shard at any moment. */
  closedAsOf: number | null;
  lastHeardMs: number;
}

/** A source that says nothing for so long has given up, or is gone. */
const silentMsMax = 30_000;

export class SlotTarget<Change> {
  #view: { readonly cfgVersion: number; readonly slots: SlotRuns } = { cfgVersion: 0, slots: [] };
  #incoming: Incoming | null = null;
  /** Of moves that ended here after their close, while nobody has said yet how they were decided. */
  #closed: readonly { readonly slots: SlotRuns; readonly asOf: number }[] = [];
  /** The newest move that was opened, by source. */
  readonly #newest = new Map<number, MoveName>();
  #effects: SlotTargetEffect<Change>[] = [];

  /** Slots that are on their way, or may have come without this node knowing it yet: neither owned nor rubbish. */
  get held(): SlotRuns {
    const closed = this.#closed.flatMap(({ slots }) => slots);
    return this.#incoming === null ? closed : [...closed, ...this.#incoming.slots];
  }

  isUnderWay(move: MoveName): boolean {
    return this.#incoming !== null && isSameMove(this.#incoming.name, move);
  }

  step(input: SlotTargetInput<Change>): SlotTargetEffect<Change>[] {
    switch (input.kind) {
      case 'view':
        this.#view = { cfgVersion: input.cfgVersion, slots: input.slots };
        this.#closed = this.#closed.filter(({ asOf }) => asOf >= input.cfgVersion);
        if (this.#incoming !== null && containsRuns(input.slots, this.#incoming.slots)) this.#incoming = null;
        break;
      case 'receive':
        this.#receive(input.from, input.message, input.nowMs);
        break;
      case 'written':
        this.#written(input);
        break;
      case 'tick': {
        const { lastHeardMs } = this.#incoming ?? { lastHeardMs: Infinity };
        if (input.nowMs - lastHeardMs >= silentMsMax) this.#forget();
      }
    }
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #receive(from: number, message: SlotSourceMessage<Change>, nowMs: number): void {
    const { fromShard, term, attempt } = message;
    const name: MoveName = { fromShard, term, attempt };
    if (isOlderMove(name, this.#newestOf(fromShard))) return;
    const incoming = this.#incoming;
    if (incoming === null || !isSameMove(incoming.name, name)) {
      if (message.kind === 'slot_stop') return;
      this.#open(from, name, message, nowMs);
      return;
    }
    incoming.lastHeardMs = nowMs;
    if (message.kind === 'slot_stop') {
      // What was proposed of it is void.
      this.#incoming = null;
      return;
    }
    const { step, part } = message;
    if (step < incoming.nextStep) {
      if (step <= incoming.doneStep && incoming.closeStep === null) this.#answer(incoming);
      return;
    }
    if (step > incoming.nextStep) return;
    incoming.nextStep += 1;
    if (part.kind === 'points') {
      incoming.closedAsOf = null;
      this.#effects.push({ kind: 'write', move: name, step, changes: part.changes });
    } else {
      incoming.closeStep = step;
      this.#close(incoming);
    }
  }

  #open(
    from: number,
    name: MoveName,
    { step, part }: Extract<SlotSourceMessage<Change>, { kind: 'slot_step' }>,
    nowMs: number,
  ): void {
    const refuse = (detail: string): void => {
      this.#effects.push({ kind: 'send', to: from, message: { ...name, kind: 'slot_refused', detail } });
    };
    // Of a move that an earlier primary knew, or that has ended here.
    if (step !== 0 || part.kind !== 'open' || isSameMove(name, this.#newestOf(name.fromShard))) {
      refuse('it knows nothing of this move');
      return;
    }
    const slots: SlotRuns = [part.slots];
    if (this.#view.slots.some(([a, b]) => a < part.slots[1] && part.slots[0] < b)) {
      refuse(`it owns some of the slots ${part.slots.join('..')} already`);
      return;
    }
    this.#forget();
    this.#newest.set(name.fromShard, name);
    this.#incoming = {
      name,
      from,
      slots,
      nextStep: 1,
      doneStep: -1,
      closeStep: null,
      closedAsOf: null,
      lastHeardMs: nowMs,
    };
    this.#effects.push({ kind: 'clear', move: name, step: 0, slots });
  }

  #newestOf(fromShard: number): MoveName {
    return this.#newest.get(fromShard) ?? { fromShard, term: 0, attempt: 0 };
  }

  /** The move under way goes on no more; whether it was decided may show only in a later view. */
  #forget(): void {
    const { closedAsOf, slots } = this.#incoming ?? { closedAsOf: null, slots: [] };
    this.#incoming = null;
    if (closedAsOf !== null && closedAsOf >= this.#view.cfgVersion)
      this.#closed = [...this.#closed, { slots, asOf: closedAsOf }];
  }

  #written({ move, step, failure, nowMs }: Extract<SlotTargetInput<Change>, { kind: 'written' }>): void {
    const incoming = this.#incoming;
    if (incoming === null || !isSameMove(incoming.name, move)) return;
    if (failure !== null) {
      this.#forget();
      const message = { ...move, kind: 'slot_refused' as const, detail: failure };
      this.#effects.push({ kind: 'send', to: incoming.from, message });
      return;
    }
    incoming.lastHeardMs = Math.max(incoming.lastHeardMs, nowMs);
    incoming.doneStep = Math.max(incoming.doneStep, step);
    if (incoming.closeStep === null) this.#answer(incoming);
    else this.#close(incoming);
  }

  #close(incoming: Incoming): void {
    if (incoming.closeStep === null || incoming.doneStep !== incoming.closeStep - 1) return;
    incoming.doneStep = incoming.closeStep;
    incoming.closeStep = null;
    incoming.closedAsOf = this.#view.cfgVersion;
    this.#answer(incoming);
  }

  #answer({ name, from, doneStep, closedAsOf }: Incoming): void {
    const message = { ...name, kind: 'slot_done' as const, step: doneStep, cfgVersion: closedAsOf };
    this.#effects.push({ kind: 'send', to: from, message });
  }
}
