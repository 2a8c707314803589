/**
 * Where a history that is not linearizable gets stuck, as small as it can be shown: the shortest prefix without an
 * order, the operation whose return ended it (the culprit), the operations concurrent with it, and the states that
 * everything before could have left. No order of the concurrent ones from any of those states gives the culprit's output.
 */
import assert from 'node:assert';
import { isOpen, type Operation } from './operation.ts';
import { reachableStates, search, type SearchLimits } from './search.ts';
import type { Model } from './model.ts';

export interface StuckWindow<I, O> {
  readonly culprit: Operation<I, O>;
  /** By call. Those that return after the culprit are cut there: shown with the outcome the prefix did not use. */
  readonly concurrent: readonly Operation<I, O>[];
  /** Keys of the states possible at the culprit's call. */
  readonly statesBefore: readonly string[];
  /** False when a limit cut the prefix search or the enumeration of states. */
  readonly isSmallest: boolean;
}

/** REQUIRES: `search` says 'invalid' for this history. */
export function findStuckWindow<I, O, S>(
  model: Model<I, O, S>,
  history: readonly Operation<I, O>[],
  limits: SearchLimits,
): StuckWindow<I, O> {
  const returns = history.filter((op) => !isOpen(op)).sort((a, b) => a.returnedAt - b.returnedAt);
  assert(returns.length > 0, 'a history without a return is always linearizable');
  // Prefixes are monotonic: once without an order, every longer one is too.
  let low = 0;
  let high = returns.length - 1;
  let isSmallest = true;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const verdict = search(model, prefix(model, history, returns[middle]!.returnedAt), limits);
    if (verdict === 'unknown') isSmallest = false;
    if (verdict === 'invalid') high = middle;
    else low = middle + 1;
  }
  const culprit = returns[high]!;
  const before = prefix(model, history, culprit.calledAt).filter((op) => op.calledAt < culprit.calledAt);
  const { states, complete } = reachableStates(model, before, limits);
  const concurrent = history
    .filter((op) => op !== culprit && op.calledAt <= culprit.returnedAt && op.returnedAt >= culprit.calledAt)
    .filter((op) => !(isOpen(op) && model.isRead(op.input)))
    .sort((a, b) => a.calledAt - b.calledAt);
  return {
    culprit,
    concurrent,
    statesBefore: states.map((state) => model.keyOf(state)),
    isSmallest: isSmallest && complete,
  };
}

/** The history as an observer at that instant knows it: later calls left out, later returns not there yet. */
function prefix<I, O>(
  model: Model<I, O, unknown>,
  history: readonly Operation<I, O>[],
  instant: number,
): Operation<I, O>[] {
  return history
    .filter((op) => op.calledAt <= instant)
    .map((op) => (op.returnedAt <= instant ? op : { ...op, output: undefined, returnedAt: Infinity }))
    .filter((op) => !(isOpen(op) && model.isRead(op.input)));
}

const listedMax = 12;

/** Text for a person: one line each for the states, the operations concurrent with the culprit, and the culprit. */
export function describeStuckWindow<I, O>(
  model: Pick<Model<I, O, unknown>, 'describe'>,
  window: StuckWindow<I, O>,
): string {
  const line = (op: Operation<I, O>): string =>
    `client ${op.client} [${op.calledAt}, ${isOpen(op) ? 'open' : op.returnedAt}] ${model.describe(op.input, op.output)}`;
  const cut = (items: readonly string[]): string[] =>
    items.length <= listedMax
      ? [...items]
      : [...items.slice(0, listedMax), `(${items.length - listedMax} more)`];
  return [
    `possible before: ${cut(window.statesBefore).join(' | ')}`,
    ...cut(window.concurrent.map((op) => `  concurrent: ${line(op)}`)),
    `  cannot be:  ${line(window.culprit)}`,
    ...(window.isSmallest ? [] : ['  (a limit was reached: a smaller window may exist)']),
  ].join('\n');
}
