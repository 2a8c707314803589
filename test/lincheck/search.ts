/**
 * Wing and Gong's search with Lowe's memo: is there an order of the operations, each somewhere between its call and its
 * return, in which the model gives every recorded output? Depth first over a linked list of calls and returns; an
 * operation may go next exactly when no other operation has returned before its call, so the search walks the calls up
 * to the first return. Open operations have no return: they may be taken anywhere after their call, or never.
 *
 * Wing and Gong 1993, Testing and Verifying Concurrent Objects; Lowe 2017, Testing for linearizability, §3-4.
 */
import assert from 'node:assert';
import { ConfigurationSet } from './configuration-set.ts';
import { isOpen, type Operation } from './operation.ts';
import type { Model } from './model.ts';

export type Verdict = 'valid' | 'invalid' | 'unknown';

export interface SearchLimits {
  /** On the clock of `performance.now()`. Past it the verdict is unknown. */
  readonly deadlineMs: number;
  /** Memory of the memo. Past it the verdict is unknown. */
  readonly memoBytesMax: number;
}

const stepsPerClockLook = 1_024;

/** Verdict on one history as a whole; the caller has split it by object. */
export function search<I, O, S>(
  model: Model<I, O, S>,
  history: readonly Operation<I, O>[],
  limits: SearchLimits,
): Verdict {
  return new Walk(model, history, limits).run(() => 'stop');
}

/**
 * Every state that the history may end in: all returned operations took effect, each open one did or did not.
 * `complete` is false where a limit cut the enumeration short.
 */
export function reachableStates<I, O, S>(
  model: Model<I, O, S>,
  history: readonly Operation<I, O>[],
  limits: SearchLimits,
): { readonly states: readonly S[]; readonly complete: boolean } {
  const states = new Map<string, S>();
  const verdict = new Walk(model, history, limits).run((state) => {
    states.set(model.keyOf(state), state);
    return 'go on';
  });
  return { states: [...states.values()], complete: verdict !== 'unknown' };
}

interface Taken<S> {
  readonly call: number;
  /** Which of the states that the step allowed. */
  readonly choice: number;
  readonly stateBefore: S;
}

/** One search. Entries are numbered in order of time; entry 0 is the head of the list. */
class Walk<I, O, S> {
  readonly #model: Model<I, O, S>;
  readonly #limits: SearchLimits;
  readonly #history: readonly Operation<I, O>[];
  /** Operation of an entry. */
  readonly #operationOf: Int32Array;
  /** The return of a call (0 while open); -1 for a return. */
  readonly #returnOf: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #linearized: Uint32Array;
  readonly #seen: ConfigurationSet;
  readonly #stateIds = new Map<string, number>();
  #returnsLeft = 0;

  constructor(model: Model<I, O, S>, history: readonly Operation<I, O>[], limits: SearchLimits) {
    this.#model = model;
    this.#limits = limits;
    this.#history = history;
    const entries = entriesInOrder(history);
    const count = entries.length + 1;
    this.#operationOf = new Int32Array(count);
    this.#returnOf = new Int32Array(count);
    this.#next = new Int32Array(count);
    this.#previous = new Int32Array(count);
    this.#linearized = new Uint32Array(Math.ceil(history.length / 32));
    this.#seen = new ConfigurationSet(this.#linearized.length);
    const callOf = new Int32Array(history.length);
    for (let at = 1; at < count; at++) {
      const { operation, isReturn } = entries[at - 1]!;
      this.#operationOf[at] = operation;
      this.#previous[at] = at - 1;
      this.#next[at - 1] = at;
      if (isReturn) {
        this.#returnOf[at] = -1;
        this.#returnOf[callOf[operation]!] = at;
        this.#returnsLeft += 1;
      } else callOf[operation] = at;
    }
  }

  /** Calls `onOrder` with the state of each order found; 'invalid' when the search ends without being stopped. */
  run(onOrder: (state: S) => 'stop' | 'go on'): Verdict {
    const stack: Taken<S>[] = [];
    let state = this.#model.initial;
    let entry = this.#next[0]!;
    let choice = 0;
    if (this.#returnsLeft === 0 && onOrder(state) === 'stop') return 'valid';
    for (let steps = 1; ; steps++) {
      if (steps % stepsPerClockLook === 0 && this.#isPastLimit()) return 'unknown';
      const taken =
        entry !== 0 && this.#returnOf[entry] !== -1 ? this.#take(entry, state, choice) : undefined;
      if (taken !== undefined) {
        stack.push({ call: entry, choice: taken.choice, stateBefore: state });
        state = taken.state;
        this.#lift(entry);
        entry = this.#next[0]!;
        choice = 0;
        if (this.#returnsLeft === 0 && onOrder(state) === 'stop') return 'valid';
        continue;
      }
      choice = 0;
      if (entry !== 0 && this.#returnOf[entry] !== -1) {
        entry = this.#next[entry]!;
        continue;
      }
      // At a return of an operation not yet taken, or at the end: nothing further may go next here.
      const last = stack.pop();
      if (last === undefined) return 'invalid';
      this.#unlift(last.call);
      state = last.stateBefore;
      entry = last.call;
      choice = last.choice + 1;
    }
  }

  /** The first choice from `choice` on that leads to a configuration not seen before; its operation is then marked. */
  #take(call: number, state: S, choice: number): { state: S; choice: number } | undefined {
    const index = this.#operationOf[call]!;
    const operation = this.#history[index]!;
    const states = this.#model.step(state, operation.input, operation.output);
    const word = index >>> 5;
    const bit = 1 << (index & 31);
    this.#linearized[word]! |= bit;
    for (let at = choice; at < states.length; at++) {
      const next = states[at]!;
      if (this.#seen.add(this.#linearized, this.#stateId(next))) return { state: next, choice: at };
    }
    this.#linearized[word]! &= ~bit;
    return undefined;
  }

  #stateId(state: S): number {
    const key = this.#model.keyOf(state);
    let id = this.#stateIds.get(key);
    if (id === undefined) this.#stateIds.set(key, (id = this.#stateIds.size));
    return id;
  }

  #lift(call: number): void {
    this.#unlink(call);
    const end = this.#returnOf[call]!;
    if (end === 0) return;
    this.#unlink(end);
    this.#returnsLeft -= 1;
  }

  /** Undoes `#lift`; calls come back in the reverse order of their taking, so the neighbours are those of then. */
  #unlift(call: number): void {
    const index = this.#operationOf[call]!;
    this.#linearized[index >>> 5]! &= ~(1 << (index & 31));
    const end = this.#returnOf[call]!;
    if (end !== 0) {
      this.#relink(end);
      this.#returnsLeft += 1;
    }
    this.#relink(call);
  }

  #unlink(entry: number): void {
    this.#next[this.#previous[entry]!] = this.#next[entry]!;
    // The head's `previous` takes the last entry's writes: 0 is both head and end, and its `previous` is never read.
    this.#previous[this.#next[entry]!] = this.#previous[entry]!;
  }

  #relink(entry: number): void {
    this.#next[this.#previous[entry]!] = entry;
    this.#previous[this.#next[entry]!] = entry;
  }

  #isPastLimit(): boolean {
    return performance.now() > this.#limits.deadlineMs || this.#seen.bytes > this.#limits.memoBytesMax;
  }
}

/** Calls and returns by time. At the same instant calls come first: what touches is taken as concurrent. */
function entriesInOrder(history: readonly Operation<unknown, unknown>[]) {
  const entries: { operation: number; isReturn: boolean; at: number }[] = [];
  history.forEach((op, operation) => {
    assert(op.returnedAt >= op.calledAt, `returned at ${op.returnedAt}, called at ${op.calledAt}`);
    entries.push({ operation, isReturn: false, at: op.calledAt });
    if (!isOpen(op)) entries.push({ operation, isReturn: true, at: op.returnedAt });
  });
  return entries.sort((a, b) => a.at - b.at || Number(a.isReturn) - Number(b.isReturn));
}
